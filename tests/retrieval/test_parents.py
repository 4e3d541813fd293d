"""Hits of one parent share what is read around them."""

from muniment.documents.contract import ChunkText, DocumentBrief, ParentText, Span
from muniment.retrieval.contract import Hit, Scores
from muniment.retrieval.parents import with_common_parents

TEXT = "The lease is renewed. The vault does it alone."


def hit(start: int, end: int, parent: tuple[int, int] = (0, len(TEXT)), version: int = 1) -> Hit:
    brief = DocumentBrief(
        id="doc_1",
        key="k",
        title="t",
        collection="c",
        type="Other",
        version=version,
        source_url=None,
        metadata={},
    )
    chunk = ChunkText(
        id=f"chk_{start}",
        text=TEXT[start:end],
        span=Span(start=start, end=end),
        page=None,
        section=(),
        kind="body",
    )
    around = ParentText(text="".join(TEXT[slice(*parent)]), span=Span(start=parent[0], end=parent[1]))
    return Hit(document=brief, chunk=chunk, parent=around, score=1.0, scores=Scores())


def test_passages_of_one_parent_hold_one_object_and_stay_what_they_are() -> None:
    given = [hit(0, 21), hit(22, 46)]
    assert given[0].parent is not given[1].parent
    found = with_common_parents(given)
    assert found == given
    assert found[0].parent is found[1].parent


def test_another_parent_and_another_version_stay_apart() -> None:
    given = [hit(0, 21, (0, 21)), hit(22, 46, (22, 46)), hit(0, 21, (0, 21), version=2)]
    assert len({id(h.parent) for h in with_common_parents(given)}) == 3
