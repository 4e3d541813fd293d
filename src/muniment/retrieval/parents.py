"""What is read around hits: one text for all passages of one parent."""

from muniment.documents.contract import ParentText, Passage


class CommonParents:
    """Passages of one parent are given the very same object, however often it was read."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int], ParentText] = {}

    def of(self, passage: Passage) -> ParentText:
        """The passage's parent."""
        document, span = passage.document, passage.parent.span
        return self._known.setdefault((document.id, document.version, span.start, span.end), passage.parent)
