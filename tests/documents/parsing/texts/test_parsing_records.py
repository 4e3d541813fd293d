import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.parsing import parsed
from muniment.documents.contract import FileBroken, FileEmpty, ParserLimit
from muniment.documents.parsing.model import Parsed


def read(value: object) -> Parsed:
    return parsed(json.dumps(value).encode(), name="a.json")


def under(found: Parsed) -> dict[tuple[str, ...], str]:
    return {s.path: found.text[s.start : s.end].strip() for s in found.sections}


def test_each_element_of_a_list_is_a_section() -> None:
    found = parsed(b'[{"title":"A","v":1.50,"n":{"x":[1,2],"y":[{"z":true}]}},{"q":null,"r":"b"}]', name="a.json")
    assert under(found) == {("A",): "title: A\nv: 1.50\nn.x: 1, 2\nn.y[0].z: true", ("2",): "r: b"}


def test_a_large_object_is_parted_by_its_keys() -> None:
    found = read(
        {"name": "Big", "about": {"t": "x" * 3000}, "items": [{"id": "i1", "k": "v"}, {"k": "w"}], "s": 3}
    )
    assert found.text.startswith("name: Big\ns: 3\n\n")
    assert list(under(found)) == [("about",), ("items", "i1"), ("items", "2")]
    assert found.title == "Big"


def test_a_small_object_is_one_block() -> None:
    found = read({"a": {"b": "c"}, "d": ["e", "f"]})
    assert (found.text, found.sections) == ("a.b: c\nd: e, f", ())


def test_numbers_stay_as_they_are_written() -> None:
    assert parsed(b'{"a": 1.10, "b": 1e400, "c": 123456789012345678901234567890}', name="a.json").text == (
        "a: 1.10\nb: 1e400\nc: 123456789012345678901234567890"
    )


def test_broken_json_names_the_place() -> None:
    with pytest.raises(FileBroken, match="line 2, column 6"):
        parsed(b'{"a": 1,\n "b":}', name="a.json")


@pytest.mark.parametrize("data", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000])
def test_deep_nesting_is_a_limit(data: bytes) -> None:
    with pytest.raises(ParserLimit) as refused:
        parsed(data, name="a.json")
    assert refused.value.document()["limit"] == "nesting"


def test_paths_that_multiply_are_bounded() -> None:
    value: object = {f"k{n}": 1 for n in range(1000)}
    for _ in range(100):
        value = {"a" * 20: value}
    with pytest.raises(ParserLimit):
        parsed(json.dumps(value).encode(), name="a.json", text_characters=100_000)


def test_lines_are_records_and_broken_ones_are_counted() -> None:
    found = parsed(b'{"a":1}\n{bad\n\n{"name":"N"}\n7\n', name="a.jsonl")
    assert under(found) == {("1",): "a: 1", ("N",): "name: N", ("5",): "7"}
    assert found.metadata == {"broken_lines": 1}


def test_mostly_broken_lines_are_refused() -> None:
    with pytest.raises(FileBroken, match="2 of 3 lines"):
        parsed(b"{a\n{b\n1\n", name="a.jsonl")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_any_value_gives_blocks_and_sections_in_order(value: object) -> None:
    try:
        found = read(value)
    except FileEmpty:
        return
    for spans in (found.blocks, found.sections):
        at = 0
        for span in spans:
            assert at <= span.start < span.end <= len(found.text)
            at = span.end


def test_many_short_records_share_sections() -> None:
    lines = b"\n".join(b'{"id": "n%d", "temperature": %d}' % (n, n % 30) for n in range(20_000))
    found = parsed(lines, name="a.jsonl")
    assert 5000 < len(found.sections) == len(found.blocks) < 5600
    assert all(f"id: n{n}\n" in found.text for n in range(0, 20_000, 97))
    last = found.sections[-1]
    assert found.text[last.start : last.end].startswith(f"id: {last.path[0]}\n")
