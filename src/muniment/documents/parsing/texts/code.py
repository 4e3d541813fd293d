"""Source code: the text is the file's, cut at its definitions."""

import re
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import JsonValue

from muniment.documents.parsing.formats import programming_language
from muniment.documents.parsing.model import Block, Parsed
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.texts.languages import (
    GRAMMARS,
    NAMED_BY_VALUE,
    NAMED_VALUES,
    NEEDS_BODY,
    WRAPPERS,
    Grammar,
    parser,
)
from muniment.documents.shapes.span import SectionSpan

MOST_BYTES = 4_000_000
_MOST_SECONDS = 5.0
_MOST_DEPTH = 100
_WHOLE_BYTES = 6000
"""A function longer than this is cut at the functions within it."""

_MOST_NAME = 200
_READ_BYTES = 65_536
_BLANK = re.compile(r"\n(?:[^\S\n]*\n)+")
_LINE_REST = re.compile(rb"[ \t;,)]*(?:(?://|#|--)[^\n]*)?(?=\n|\Z)")
_WORD = re.compile(r"\w")


class _Definition(NamedTuple):
    """A definition and what belongs to it, in bytes; `path` ends with its own name."""

    start: int
    end: int
    path: tuple[str, ...]


class _Piece(NamedTuple):
    """A part of the text that is one definition's, or the file's own."""

    start: int
    end: int
    path: tuple[str, ...]


def parse_code(source: Source) -> Parsed:
    """The text as it stands; a section for each definition, and for what lies between them.

    Raises NotText, ParserLimit.
    """
    text, language = source.text(), programming_language(source.name)
    fields: dict[str, JsonValue] = {"type": "Code", "programming_language": language, "file_path": source.name}
    pieces, missed = _cut(text, language)
    return Parsed(
        text=text,
        media_type="text/x-source",
        sections=tuple(SectionSpan(start=p.start, end=p.end, path=p.path) for p in pieces),
        fields={name: value for name, value in fields.items() if value},
        metadata={"definitions": missed} if missed else {},
        blocks=tuple(_blocks(text, pieces) if pieces else code_paragraphs(text)),
    )


def code_paragraphs(text: str) -> Iterator[Block]:
    """What stands between blank lines, each first line with its indentation."""
    start = 0
    for gap in [*(found.span() for found in _BLANK.finditer(text)), (len(text), len(text))]:
        piece = text[start : gap[0]]
        if piece.strip():
            yield Block(kind="code", start=start, end=start + len(piece.rstrip()))
        start = gap[1]


def _blocks(text: str, pieces: Sequence[_Piece]) -> Iterator[Block]:
    for piece in pieces:
        said = text[piece.start : piece.end]
        start = piece.start + len(said) - len(said.lstrip("\n"))
        if end := len(said.rstrip()):
            yield Block(kind="code", start=start, end=piece.start + end)


def _cut(text: str, language: str | None) -> tuple[list[_Piece], str | None]:
    """The pieces of the text, none where no definitions are found; and why they could not be looked for."""
    if language not in GRAMMARS:
        return [], None
    data = text.encode()
    if len(data) > MOST_BYTES:
        return [], f"not looked for: the file is larger than {MOST_BYTES // 1_000_000} MB"
    tree = _tree(data, parser(language))
    if tree is None:
        return [], "not looked for: the file takes too long to understand"
    found = list(_Finder(data, GRAMMARS[language]).definitions(tree))
    return _joined(text, _characters(data, list(_flat(found, len(data))))) if found else [], None


def _tree(data: bytes, reader: Any) -> Any:
    """The file's syntax tree; null when it is not there in time, which some broken files bring about."""
    stop = time.monotonic() + _MOST_SECONDS
    try:
        return reader.parse(
            lambda at, _: data[at : at + _READ_BYTES], progress_callback=lambda *_: time.monotonic() > stop
        )
    except ValueError:
        reader.reset()
        return None


class _Finder:
    """Walks a syntax tree from definition to definition."""

    def __init__(self, data: bytes, grammar: Grammar) -> None:
        self._data = data
        self._holders = frozenset(grammar.holders.split())
        self._leaves = frozenset(grammar.leaves.split())
        self._leads_kinds = frozenset(grammar.leads.split())
        self._leads: list[tuple[int, int]] = []

    def definitions(self, tree: Any) -> Iterator[_Definition]:
        """In the order in which they start; those within others follow them."""
        cursor = tree.walk()
        above: list[_Definition] = []
        wrapper: Any = None
        depth = 0
        while True:
            node = cursor.node
            while above and node.start_byte >= above[-1].end:
                above.pop()
            name, within = self._name(node), True
            if node.type in WRAPPERS:
                wrapper = node
            elif node.type in self._leads_kinds:
                self._leads.append((node.start_byte, node.end_byte))
                within = False
            elif name:
                outer = wrapper if wrapper is not None and wrapper.end_byte >= node.end_byte else node
                path = (*(above[-1].path if above else ()), *name)
                found = _Definition(*self._extent(outer), path)
                wrapper = None
                above.append(found)
                yield found
                within = node.type in self._holders or node.end_byte - node.start_byte > _WHOLE_BYTES
            if within and depth < _MOST_DEPTH and cursor.goto_first_child():
                depth += 1
                continue
            while not cursor.goto_next_sibling():
                if not cursor.goto_parent():
                    return
                depth -= 1

    def _name(self, node: Any) -> tuple[str, ...]:
        """What the node defines, empty when it is no definition."""
        kind = node.type
        if not node.is_named or (kind not in self._holders and kind not in self._leaves):
            return ()
        if kind in NEEDS_BODY and node.child_by_field_name("body") is None:
            return ()
        named = _bound(node) if kind in NAMED_BY_VALUE else _named(node)
        if named is None:
            return ()
        owner = node.child_by_field_name("receiver")
        owners = re.findall(r"\w+", _text(owner).partition("[")[0])[-1:] if owner is not None else []
        return (*owners, _text(named))

    def _extent(self, node: Any) -> tuple[int, int]:
        """Whole lines, with the comments right above."""
        start = self._line_start(node.start_byte)
        while self._leads and self._leads[-1][1] <= node.start_byte:
            lead_start, lead_end = self._leads.pop()
            between = self._data[lead_end:start] if lead_end < start else b""
            begins = self._line_start(lead_start)
            if between.strip() or between.count(b"\n") > 1 or self._data[begins:lead_start].strip():
                break
            start = min(start, begins)
        rest = _LINE_REST.match(self._data, node.end_byte)
        return start, rest.end() if rest else node.end_byte

    def _line_start(self, at: int) -> int:
        """The start of the line, when only white space stands before `at` on it."""
        start = self._data.rfind(b"\n", 0, at) + 1
        return start if not self._data[start:at].strip() else at


def _text(node: Any) -> str:
    return " ".join((node.text or b"")[: 4 * _MOST_NAME].decode(errors="ignore").split())[:_MOST_NAME]


def _named(node: Any) -> Any:
    """The node of a definition's name: its own, or that of what it declares; for `impl` blocks their type."""
    for _ in range(_MOST_DEPTH):
        if node.type.endswith("identifier"):
            return node
        name = node.child_by_field_name("name")
        if name is not None:
            return name
        declared = node.child_by_field_name("declarator")
        if declared is None and node.type == "reference_declarator" and node.named_child_count:
            declared = node.named_child(0)
        if declared is None:
            break
        node = declared
    else:
        return None
    if node.type.endswith("_name"):
        return node
    inner = node.named_child(0) if node.named_child_count else None
    named = inner.child_by_field_name("name") if inner is not None else None
    return named or node.child_by_field_name("type")


def _bound(node: Any) -> Any:
    """The name that a statement gives to a function or class; null when it does something else."""
    inner = node if node.child_by_field_name("value") is not None else node.named_child(0)
    if inner is None:
        return None
    value = inner.child_by_field_name("value") or inner.child_by_field_name("right")
    if value is None or value.type not in NAMED_VALUES:
        return None
    return next(filter(None, map(inner.child_by_field_name, ("name", "property", "left"))), None)


def _flat(found: Sequence[_Definition], end: int) -> Iterator[_Piece]:
    """Pieces one after the other, those of a class around those of its methods."""
    above: list[_Definition] = []
    done = 0
    for definition in [*found, _Definition(end, end, ())]:
        while above and above[-1].end <= definition.start:
            inner = above.pop()
            if inner.end > done:
                yield _Piece(done, inner.end, inner.path)
                done = inner.end
        if definition.start > done:
            yield _Piece(done, definition.start, above[-1].path if above else ())
            done = definition.start
        above.append(definition)


def _joined(text: str, pieces: Sequence[_Piece]) -> list[_Piece]:
    """Without pieces that say nothing (blank lines, closing brackets): they go with what stands before them."""
    joined: list[_Piece] = []
    for piece in pieces:
        said = text[piece.start : piece.end].strip()
        is_between = joined and not joined[-1].path and not piece.path
        if joined and (is_between or not _WORD.search(said) or said in {"end", "done", "fi"}):
            joined[-1] = joined[-1]._replace(end=piece.end)
        else:
            joined.append(piece)
    return joined


def _characters(data: bytes, pieces: Sequence[_Piece]) -> list[_Piece]:
    """The pieces with their offsets in characters."""
    marks = sorted({0, *(p.start for p in pieces), *(p.end for p in pieces)})
    places = [0]
    for start, end in pairwise(marks):
        places.append(places[-1] + len(data[start:end].decode()))
    return [
        piece._replace(start=places[bisect_left(marks, piece.start)], end=places[bisect_left(marks, piece.end)])
        for piece in pieces
    ]
