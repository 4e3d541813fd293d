"""What is read around hits: one text for all passages of one parent."""

from collections.abc import Iterable

from muniment.documents.contract import ParentText, Span
from muniment.retrieval.contract import Hit


def with_common_parents(hits: Iterable[Hit]) -> list[Hit]:
    """The hits in their order; those of one parent hold the very same object, however often it was read."""
    known: dict[tuple[str, int, Span], ParentText] = {}
    return [hit.model_copy(update={"parent": known.setdefault(_parent(hit), hit.parent)}) for hit in hits]


def _parent(hit: Hit) -> tuple[str, int, Span]:
    return hit.document.id, hit.document.version, hit.parent.span
