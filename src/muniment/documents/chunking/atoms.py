"""The smallest pieces that a chunk is made of: sentences, items, rows, lines of code."""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from muniment.documents.chunking.tokens import TokenIndex
from muniment.documents.parsing.model import Block, BlockKind
from muniment.documents.shapes.span import ChunkKind
from muniment.text.sentences import sentences

MOST_CHARACTERS = 4_000
"""A chunk's length whatever its tokens: a word of any length may be one unknown token."""

_KINDS: dict[BlockKind, ChunkKind] = {
    "heading": "header", "paragraph": "body", "list": "list", "table": "table", "code": "code",
}  # fmt: skip
_LINE_END = re.compile(r"\n+")
_ITEM_START = re.compile(r"\n+(?=[^\S\n]*(?:[-*+•‣◦▪●–∙·]|\w{1,3}[.)])[^\S\n])")
_JOINERS = "\u200d\u200c\ufe0e\ufe0f"


class Atom(NamedTuple):
    """A piece that is cut only when it is too large by itself.

    `leads`: it begins a block. `ends`: it ends a sentence, item, row or line; false where one goes on after it.
    """

    start: int
    end: int
    kind: ChunkKind
    leads: bool
    ends: bool


class Sizes(NamedTuple):
    """Tokens: what a piece should hold at most, what a sentence may hold, and what is larger is cut into."""

    most: int
    sentence: int
    cut: int


def atoms(text: str, block: Block, index: TokenIndex, sizes: Sizes) -> list[Atom]:
    """The block in pieces, white space between them left out."""
    found: list[Atom] = []
    for start, end in _pieces(text, block):
        for a, b, ends in _fitting(text, *trimmed(text, start, end), index, sizes):
            found.append(Atom(a, b, _KINDS[block.kind], leads=not found, ends=ends))
    return found


def _pieces(text: str, block: Block) -> Iterator[tuple[int, int]]:
    if block.kind == "heading":
        return iter([(block.start, block.end)])
    if block.kind == "paragraph":
        return iter(sentences(text, block.start, block.end))
    return _between(text, block.start, block.end, _ITEM_START if block.kind == "list" else _LINE_END)


def _between(text: str, start: int, end: int, separator: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for found in separator.finditer(text, start, end):
        yield start, found.start()
        start = found.end()
    yield start, end


def _fitting(text: str, start: int, end: int, index: TokenIndex, sizes: Sizes) -> Iterator[tuple[int, int, bool]]:
    """Parts that fit, cut at sentences, then at words, then anywhere; and whether one ends with each."""
    if start >= end:
        return
    if _fits(start, end, index, sizes.most):
        yield start, end, True
        return
    for a, b in sentences(text, start, end):
        if _fits(a, b, index, sizes.sentence):
            yield a, b, True
        else:
            yield from ((*part, part[1] == b) for part in _by_words(text, a, b, index, sizes.cut))


def _fits(start: int, end: int, index: TokenIndex, most: int) -> bool:
    return end - start <= MOST_CHARACTERS and index.count(start, end) <= most


def _by_words(text: str, start: int, end: int, index: TokenIndex, most: int) -> Iterator[tuple[int, int]]:
    while start < end and not _fits(start, end, index, most):
        reach = index.reach(start, most)
        furthest = min(end if reach is None else reach, start + MOST_CHARACTERS)
        cut = word_cut(text, start, max(furthest, start + 1))
        yield trimmed(text, start, cut)
        start, _ = trimmed(text, cut, end)
    if start < end:
        yield start, end


def word_cut(text: str, start: int, furthest: int) -> int:
    """The last place up to `furthest` where a cut parts words, or at least whole characters as they are seen."""
    for at in range(furthest, start + (furthest - start) // 2, -1):
        if text[at : at + 1].isspace() or text[at - 1].isspace():
            return at
    at = furthest
    while at > start + 1 and at < len(text) and (_is_joined(text[at]) or text[at - 1] == "\u200d"):
        at -= 1
    return at if at > start + 1 else furthest


def _is_joined(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) in {"Mn", "Mc", "Me", "Sk"}


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends."""
    piece = text[start:end].rstrip()
    end = start + len(piece)
    return end - len(piece.lstrip()), end
