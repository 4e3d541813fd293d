"""Text that grows piece by piece, with its blocks and headings; and sections from headings."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from muniment.documents.parsing.model import Block, BlockKind
from muniment.documents.parsing.source import too_much_text
from muniment.documents.shapes.span import SectionSpan, Span

MOST_TITLE = 300
SENTENCE_END = re.compile(r"[.!?:;…。！？][\"'”’)\]]*$")


class Heading(NamedTuple):
    """Where a heading starts in the text, its level from 1, and what it says."""

    start: int
    level: int
    title: str


def sections(headings: Sequence[Heading], end: int) -> tuple[SectionSpan, ...]:
    """From each heading to the next one, whatever its level, under the path of the headings above it."""
    path: list[Heading] = []
    found = []
    ends = [h.start for h in headings[1:]] + [end]
    for heading, stop in zip(headings, ends, strict=False):
        path = [above for above in path if above.level < heading.level] + [heading]
        found.append(SectionSpan(start=heading.start, end=stop, path=tuple(h.title for h in path)))
    return tuple(found)


class Growing:
    """A text to which blocks are added, one blank line between them."""

    def __init__(self, most_characters: int) -> None:
        self._parts: list[str] = []
        self._most = most_characters
        self.length = 0
        self.blocks: list[Block] = []
        self.headings: list[Heading] = []

    def add(
        self, kind: BlockKind, text: str, *, level: int = 0, header: int | Span = 0, after: str = "\n\n"
    ) -> None:
        """Add a block, unless it is blank.

        A heading has a `level`; a table's `header` is as many characters at its start, or stands elsewhere.

        Raises ParserLimit.
        """
        text = text.strip("\n") if kind == "code" else text.strip()
        if not text.strip():
            return
        start = self._append(text, after)
        if kind == "heading":
            self.headings.append(Heading(start, level, " ".join(text.split())[:MOST_TITLE]))
        if isinstance(header, int):
            header = Span(start=start, end=start + header)
        is_said = header.start < header.end
        self.blocks.append(Block(kind=kind, start=start, end=self.length, header=header if is_said else None))

    def extend(self, text: str, between: str, *, drop: int = 0) -> None:
        """Go on with the block added last, in place of its last `drop` characters.

        Raises ParserLimit.
        """
        last = self.blocks.pop()
        if drop:
            self._parts[-1] = self._parts[-1][:-drop]
            self.length -= drop
        self._append(text, between)
        self.blocks.append(Block(kind=last.kind, start=last.start, end=self.length, header=last.header))
        if last.kind == "heading":
            above = self.headings.pop()
            self.headings.append(above._replace(title=f"{above.title} {text}"[:MOST_TITLE]))

    @property
    def ends_a_sentence(self) -> bool:
        """Whether the text so far ends as a sentence does."""
        return bool(self._parts) and SENTENCE_END.search(self._parts[-1]) is not None

    def _append(self, text: str, between: str) -> int:
        if self._parts:
            self._parts.append(between)
            self.length += len(between)
        start = self.length
        self._parts.append(text)
        self.length += len(text)
        if self.length > self._most:
            raise too_much_text(self._most)
        return start

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self._parts)
