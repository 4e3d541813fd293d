"""From the lines of pages to paragraphs, lists and headings in reading order."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Literal, NamedTuple

from pydantic import TypeAdapter

from muniment.documents.parsing.model import BlockKind
from muniment.documents.parsing.model import Line as Drawn
from muniment.documents.parsing.paged.running import without_running_lines
from muniment.documents.parsing.structure import SENTENCE_END, Growing
from muniment.documents.shapes.span import PageSpan

_BULLET = re.compile(r"(?:[•‣◦▪●○■□–\-*∙·]|\d{1,3}[.)]|[a-zA-Z][.)]|\([a-z0-9]{1,3}\))\s+\S")
_HYPHENS = "-\u00ad\u0002\ufffe\u2010"
_COMPOUND = re.compile(r"\w+-\w+")
NOTE = re.compile(r"(?:\d{1,3}|[*†‡§¶]{1,3}|\[\d{1,3}\])[.)]?\s*[^\W\d_]")
"""How a note at the foot of a page begins."""

_FULL_HEIGHTS = 13
_MOST_HEADING = 150
_LINES = TypeAdapter(tuple[Drawn, ...])


LineKind = Literal["text", "row", "note", "apart"]
"""A row of a table, a note at the foot of its column, or text that does not run as the rest of the page does."""


class Mark(NamedTuple):
    """Where a part of a line's text is drawn: fractions of the page from its top left.

    `first` is the index of its first character in the PDF.
    """

    start: int
    end: int
    box: tuple[float, float, float, float]
    first: int | None = None


class Line(NamedTuple):
    """A line of text and its place: points from the page's lower left corner.

    `opens` says that it is the first of a column or of what stands across columns, `cut` that its last word is
    known to go on in the next line.
    """

    text: str
    left: float
    right: float
    bottom: float
    height: float
    bold: bool
    kind: LineKind = "text"
    opens: bool = False
    cut: bool = False
    marks: tuple[Mark, ...] = ()


class Laid(NamedTuple):
    """Where the pages lie in the text, and where the text lies on the pages."""

    pages: tuple[PageSpan, ...]
    lines: tuple[Drawn, ...]


class _Style(NamedTuple):
    """What holds for the whole file."""

    levels: Mapping[float, int]
    bold_level: int
    leading: float
    compounds: frozenset[str]


def lay_out(pages: Mapping[int, Sequence[Line]], growing: Growing) -> Laid:
    """Add the pages' text, without the lines that repeat at the edges of most pages.

    Raises ParserLimit.
    """
    kept = without_running_lines(pages)
    style = _style([line for lines in kept.values() for line in lines])
    writer = _Writer(growing, style)
    spans = [writer.page(number, lines) for number, lines in kept.items() if lines]
    return Laid(tuple(spans), writer.lines)


def _style(lines: Sequence[Line]) -> _Style:
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.height] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    larger = sorted({x.height for x in lines if _may_be_heading(x, body)}, reverse=True)[:4]
    levels = {size: level for level, size in enumerate(larger, 1)}
    # Where much is large, size says nothing.
    if 4 * sum(line.height in levels for line in lines) > len(lines) > 1:
        levels = {}
    steps = [a.bottom - b.bottom for a, b in pairwise(lines) if 0 < a.bottom - b.bottom < 3 * body]
    compounds = frozenset(found.casefold() for line in lines for found in _COMPOUND.findall(line.text))
    bold = sum(line.bold for line in lines)
    bold_level = len(levels) + 1 if 0 < 4 * bold <= len(lines) else 0
    return _Style(levels, bold_level, median(steps) if steps else 0.0, compounds)


def _may_be_heading(line: Line, body: float) -> bool:
    return line.height >= 1.12 * body > 0 and _reads_like_heading(line)


def _reads_like_heading(line: Line) -> bool:
    return (
        len(line.text) <= _MOST_HEADING
        and any(c.isalpha() for c in line.text)
        and not line.text.endswith((".", ",", ";"))
    )


class _Writer:
    """Writes lines as blocks, and notes where each of them comes to lie."""

    def __init__(self, growing: Growing, style: _Style) -> None:
        self._growing, self._style = growing, style
        self._page = 0
        self._last: Line | None = None
        self._drawn: list[tuple[int, int, Mark, int]] = []

    def page(self, number: int, lines: Sequence[Line]) -> PageSpan:
        """Write a page; where it lies in the text."""
        self._page = number
        first = lines[0]
        level = _level(lines, 0, self._style)
        if not level and first.kind == "text" and self._goes_on(first):
            self._extend(first, " ")
        else:
            self._add(first, level)
        start = self._growing.length - len(first.text)
        edges = _right_edges(lines)
        for at in range(1, len(lines)):
            self._follow(lines, at, edges)
        return PageSpan(number=number, start=start, end=self._growing.length)

    @property
    def lines(self) -> tuple[Drawn, ...]:
        """Where the text is drawn, in its order."""
        return _LINES.validate_python(
            tuple(
                {
                    "start": start, "end": end, "page": page, "first": mark.first,
                    "x0": mark.box[0], "y0": mark.box[1], "x1": mark.box[2], "y1": mark.box[3],
                }
                for start, end, mark, page in self._drawn
                if start < end
            )
        )  # fmt: skip

    def _goes_on(self, line: Line) -> bool:
        """Whether a column's or page's first line goes on with the sentence at the end of the one before."""
        last = self._growing.blocks[-1].kind if self._growing.blocks else "heading"
        is_text = self._last is not None and self._last.kind == "text"
        return is_text and last == "paragraph" and not self._growing.ends_a_sentence and line.text[0].islower()

    def _follow(self, lines: Sequence[Line], at: int, edges: Mapping[int, float]) -> None:
        previous, line = lines[at - 1], lines[at]
        level, last = _level(lines, at, self._style), self._growing.blocks[-1].kind
        is_next = _is_next(previous, line, self._style) and line.kind == previous.kind
        is_cut = previous.cut and line.kind == previous.kind
        if line.opens and (level or not self._goes_on(line)):
            self._add(line, level)
        elif last == "heading" and is_next and line.height == previous.height if level else line.opens or is_cut:
            self._join(previous, line)
        elif line.kind == previous.kind == "row":
            self._extend(line, "\n")
        elif level or last == "heading" or not is_next:
            self._add(line, level)
        else:
            is_full = _is_full(previous, lines[max(at - 4, 0) : at + 4], edges)
            self._go_on(previous, line, is_full=is_full)

    def _go_on(self, previous: Line, line: Line, *, is_full: bool) -> None:
        """Write a line that stands right below the previous one."""
        last = self._growing.blocks[-1].kind
        is_item = _BULLET.match(line.text) is not None
        if line.kind == "note":
            if NOTE.match(line.text):
                self._add(line, 0)
            else:
                self._join(previous, line)
        elif is_item and last == "list":
            self._extend(line, "\n")
        elif is_item:
            self._add(line, 0)
        elif is_full:
            self._join(previous, line)
        elif last == "paragraph" and SENTENCE_END.search(previous.text):
            self._add(line, 0)
        else:
            self._extend(line, "\n")

    def _add(self, line: Line, level: int) -> None:
        header = len(line.text) if line.kind == "row" else 0
        self._growing.add(_kind(line, level), line.text, level=level, header=header)
        self._note(line)

    def _extend(self, line: Line, between: str, *, drop: int = 0) -> None:
        if drop and self._drawn:
            start, end, mark, page = self._drawn[-1]
            self._drawn[-1] = start, end - drop, mark, page
        self._growing.extend(line.text, between, drop=drop)
        self._note(line)

    def _join(self, previous: Line, line: Line) -> None:
        """Go on in the same paragraph; a word that was cut by a hyphen becomes whole again."""
        mark = previous.text[-1]
        is_cut = mark in _HYPHENS and previous.text[-2:-1].isalpha()
        if not is_cut or not (line.text[0].islower() or previous.cut):
            self._extend(line, "" if mark in "\u2014/" else " ")
            return
        head, tail = previous.text[:-1].split()[-1], line.text.split()[0]
        whole = f"{head}-{tail}".strip(".,;:!?()\"'").casefold()
        keeps = "-" in head or whole in self._style.compounds or not line.text[0].islower()
        self._extend(line, "", drop=0 if keeps else 1)

    def _note(self, line: Line) -> None:
        start, self._last = self._growing.length - len(line.text), line
        self._drawn += [(start + mark.start, start + mark.end, mark, self._page) for mark in line.marks]


def _level(lines: Sequence[Line], at: int, style: _Style) -> int:
    """The line's level as a heading, by its size or as a bold line of its own; 0 for other text."""
    line = lines[at]
    if line.kind != "text" or not _reads_like_heading(line):
        return 0
    if line.height in style.levels:
        return style.levels[line.height]
    stands_alone = at == 0 or lines[at - 1].bottom - line.bottom > 1.2 * style.leading
    is_label = line.bold and stands_alone and not line.text.endswith(":") and not _BULLET.match(line.text)
    return style.bold_level if is_label else 0


def _kind(line: Line, level: int) -> BlockKind:
    if level:
        return "heading"
    if line.kind == "row":
        return "table"
    return "list" if line.kind != "note" and _BULLET.match(line.text) else "paragraph"


def _is_next(previous: Line, line: Line, style: _Style) -> bool:
    """Whether a line follows the previous one without a gap (or in another column, where a text may go on)."""
    return previous.bottom - line.bottom <= 1.4 * max(style.leading, line.height)


def _right_edges(lines: Sequence[Line]) -> dict[int, float]:
    """How far right the longest line reaches of those that begin at the same place."""
    edges: dict[int, float] = {}
    for line in lines:
        edges[round(line.left)] = max(edges.get(round(line.left), 0.0), line.right)
    return edges


def _is_full(line: Line, around: Sequence[Line], edges: Mapping[int, float]) -> bool:
    """Whether a line reaches its column's right edge, so that the next one goes on with it."""
    if line.right - line.left < _FULL_HEIGHTS * line.height:
        return False
    near = max(o.right for o in around if (o.left < line.right and line.left < o.right) or o is line)
    edge = max(near, edges[round(line.left)])
    return line.right >= edge - 0.15 * (edge - line.left)
