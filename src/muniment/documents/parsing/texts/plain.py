"""Plain text: paragraphs between blank lines."""

import re

from muniment.documents.parsing.model import Block, BlockKind, Parsed

_GAP = re.compile(r"\n[^\S\n]*\n\s*")
_ITEM = re.compile(r"[^\S\n]*(?:[-*+•–·]|\d{1,3}[.)]|[a-z][.)])[^\S\n]+\S")


def parse_plain(text: str) -> Parsed:
    """The text as it stands, and its paragraphs and lists."""
    return Parsed(text=text, media_type="text/plain", blocks=tuple(paragraphs(text, 0, len(text))))


def paragraphs(text: str, start: int, end: int) -> list[Block]:
    """The blocks of plain text between two offsets; those whose lines mostly begin like items are lists."""
    blocks = []
    ends = [(gap.start(), gap.end()) for gap in _GAP.finditer(text, start, end)]
    for stop, after in [*ends, (end, end)]:
        piece = text[start:stop]
        stop = start + len(piece.rstrip())  # noqa: PLW2901 - the end, without the white space
        start = stop - len(piece.strip())
        if start < stop:
            blocks.append(Block(kind=_kind(text[start:stop]), start=start, end=stop))
        start = after
    return blocks


def _kind(paragraph: str) -> BlockKind:
    lines = paragraph.split("\n")
    items = sum(_ITEM.match(line) is not None for line in lines)
    return "list" if items > 1 and 2 * items >= len(lines) else "paragraph"
