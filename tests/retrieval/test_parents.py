"""Passages of one parent share what is read around them."""

from muniment.documents.contract import ChunkText, DocumentBrief, ParentText, Passage, Span
from muniment.retrieval.parents import CommonParents

TEXT = "The lease is renewed. The vault does it alone."


def passage(start: int, end: int, parent: tuple[int, int] = (0, len(TEXT)), version: int = 1) -> Passage:
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
    return Passage(document=brief, chunk=chunk, parent=around)


def test_passages_of_one_parent_hold_one_object() -> None:
    given, parents = [passage(0, 21), passage(22, 46)], CommonParents()
    assert given[0].parent is not given[1].parent
    assert [parents.of(one) for one in given] == [one.parent for one in given]
    assert parents.of(given[0]) is parents.of(given[1])


def test_another_parent_and_another_version_stay_apart() -> None:
    given = [passage(0, 21, (0, 21)), passage(22, 46, (22, 46)), passage(0, 21, (0, 21), version=2)]
    parents = CommonParents()
    assert len({id(parents.of(one)) for one in given}) == 3
