"""The headers of tables, for the chunks that stand below them."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from muniment.documents.chunking.recipe import embedded_text, short_header
from muniment.documents.chunking.tokens import TokenIndex
from muniment.documents.parsing.model import Block

_MOST_SHARE = 0.5


class Header(NamedTuple):
    """What is repeated in front of a chunk, and the tokens it takes there."""

    text: str
    tokens: int


NONE = Header("", 0)


class Headers:
    """Which header belongs to the rows at a place of a text."""

    def __init__(self, text: str, blocks: Sequence[Block], title: str, index: TokenIndex) -> None:
        self._index = index
        self._tables = [block for block in blocks if block.header is not None]
        self._starts = [block.start for block in self._tables]
        said = [short_header(text[b.header.start : b.header.end]) for b in self._tables if b.header is not None]
        unique = ["", *dict.fromkeys(said)]
        bare, *lengths = index.lengths([embedded_text(title, (), "", header) for header in unique])
        tokens = dict(zip(unique[1:], (length - bare for length in lengths), strict=True))
        self._headers = [Header(header, tokens[header]) for header in said]

    def over(self, start: int, room: int) -> Header:
        """The header of the table that a chunk begins within, unless it would leave little room."""
        at = bisect_right(self._starts, start) - 1
        if at < 0:
            return NONE
        table, header = self._tables[at], self._headers[at]
        is_below = table.header is not None and table.header.start < start < table.end
        return header if is_below and header.tokens <= room * _MOST_SHARE else NONE

    def bounds(self, start: int, room: int, target: int) -> tuple[int, int]:
        """The tokens that a chunk beginning there should hold, and may hold, under its header."""
        left = room - self.over(start, room).tokens
        return min(target, left), left
