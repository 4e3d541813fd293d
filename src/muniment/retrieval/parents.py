"""What is read around hits: one text for all passages of one parent."""

from collections.abc import Iterable

from muniment.documents.contract import ParentText
from muniment.retrieval.contract import Hit


def with_common_parents(hits: Iterable[Hit]) -> list[Hit]:
    """The hits in their order; those of one parent hold the very same object, however often it was read."""
    known: dict[tuple[str, int, int, int], ParentText] = {}
    return [_with(hit, known.setdefault(_parent(hit), hit.parent)) for hit in hits]


def _with(hit: Hit, parent: ParentText) -> Hit:
    return hit if hit.parent is parent else hit.model_copy(update={"parent": parent})


def _parent(hit: Hit) -> tuple[str, int, int, int]:
    return hit.document.id, hit.document.version, hit.parent.span.start, hit.parent.span.end
