"""Long rows of values cross the pipe, and lie in the database, as slices."""

from hypothesis import example, given
from hypothesis import strategies as st

from muniment.documents.contract import SectionSpan, Span
from muniment.documents.parsing.model import Block, Parsed
from muniment.documents.parsing.sliced import Sliced


def parsed(count: int) -> Parsed:
    return Parsed(
        text="x",
        media_type="text/plain",
        sections=tuple(SectionSpan(start=n, end=n + 1, path=("A", str(n))) for n in range(count)),
        blocks=tuple(
            Block(start=n, end=n + 1, kind="table", header=Span(start=0, end=n) if n % 2 else None)
            for n in range(count)
        ),
    )


@given(st.integers(0, 600), st.integers(-700, 700), st.integers(-700, 700))
@example(0, 0, 0)
@example(256, 0, 256)
@example(512, 255, 257)
def test_what_crosses_is_what_was_sent(count: int, start: int, stop: int) -> None:
    made = parsed(count)
    once = Parsed.model_validate_json(made.model_dump_json())
    for crossed in (once, Parsed.model_validate_json(once.model_dump_json())):
        for sent, came in ((made.sections, crossed.sections), (made.blocks, crossed.blocks)):
            assert isinstance(came, Sliced) == (count > 0)
            assert (len(came), tuple(came)) == (count, sent)
            assert came[start:stop] == sent[start:stop]
            assert [came[at] for at in (start, stop) if -count <= at < count] == [
                sent[at] for at in (start, stop) if -count <= at < count
            ]


def test_what_was_kept_before_there_were_slices_is_read() -> None:
    kept = {
        "sections": [{"start": 0, "end": 1, "path": ["A"]}],
        "blocks": [{"start": 0, "end": 1, "kind": "code"}],
    }
    read = Parsed.model_validate({"text": "x", "media_type": "text/plain", **kept})
    assert read.sections == (SectionSpan(start=0, end=1, path=("A",)),)
    assert read.blocks == (Block(start=0, end=1, kind="code"),)
