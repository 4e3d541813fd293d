import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.kernel.pages import decode_cursor, encode_cursor
from muniment.kernel.problems import Invalid

parts = st.lists(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)))
    | st.integers(-(2**63), 2**63 - 1)
)


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@given(parts)
def test_a_cursor_gives_back_what_it_was_made_of(parts: list[str | int]) -> None:
    assert decode_cursor(encode_cursor(*parts), *map(type, parts)) == tuple(parts)


@given(st.text() | st.binary().map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_any_other_text_is_invalid_and_never_a_defect(text: str) -> None:
    with pytest.raises(Invalid) as wrong:
        decode_cursor(text, str, str, int)
    assert wrong.value.extra["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize(
    "value",
    [
        ["a"],
        ["a", "1"],
        ["a", True],
        ["a", 1.0],
        ["a", 1, 2],
        ["a\x00", 1],
        ["\ud800", 1],
        ["a", 2**63],
        {"a": 1},
        "a",
        None,
        [["a"], 1],
    ],
)
def test_parts_of_other_types_and_those_no_engine_can_compare_are_invalid(value: object) -> None:
    with pytest.raises(Invalid):
        decode_cursor(packed(value), str, int)


def test_deep_nesting_is_invalid() -> None:
    with pytest.raises(Invalid):
        decode_cursor(base64.urlsafe_b64encode(b"[" * 200_000).decode(), str)
