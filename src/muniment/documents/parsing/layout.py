"""From the lines of pages to paragraphs, lists and headings in reading order."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from muniment.documents.contract import PageSpan
from muniment.documents.parsing.model import BlockKind
from muniment.documents.parsing.structure import SENTENCE_END, Growing

_BULLET = re.compile(r"(?:[•‣◦▪●○■□–\-*∙·]|\d{1,3}[.)]|[a-zA-Z][.)]|\([a-z0-9]{1,3}\))\s+\S")
_HYPHENS = "-\u00ad\u0002\ufffe\u2010"
_COMPOUND = re.compile(r"\w+-\w+")
_PAGE_NUMBER = re.compile(r"(?:page\s+)?[-–\s]*(\d{1,5})[-–\s]*(?:(?:of|/)\s*\d{1,5})?", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_FEW_LINES, _MANY_LINES = 3, 8
_FULL_CHARACTERS = 30
_MOST_HEADING = 150


class Line(NamedTuple):
    """A line of text and its place: points from the page's lower left corner; zero where it is unknown."""

    text: str
    left: float
    right: float
    bottom: float
    height: float
    bold: bool


class _Style(NamedTuple):
    """What holds for the whole file."""

    levels: Mapping[float, int]
    bold_level: int
    leading: float
    compounds: frozenset[str]


def lay_out(pages: Mapping[int, Sequence[Line]], growing: Growing) -> list[PageSpan]:
    """Add the pages' text, without the lines that repeat at the edges of most pages; where each page lies in it.

    Raises ParserLimit.
    """
    kept = without_running_lines(pages)
    style = _style([line for lines in kept.values() for line in lines])
    spans: list[PageSpan] = []
    for number, lines in kept.items():
        if not lines:
            continue
        start = _add_page(lines, growing, style)
        spans.append(PageSpan(number=number, start=start, end=growing.length))
    return spans


def without_running_lines(pages: Mapping[int, Sequence[Line]]) -> dict[int, list[Line]]:
    """The pages without headers, footers and page numbers: edge lines that most pages share, digits aside."""
    seen: Counter[tuple[str, int]] = Counter()
    for lines in pages.values():
        seen.update({_habit(lines[i]) for i in _edges(len(lines))})
    # Two pages show no habit.
    most = max(len(pages) / 2, 2)
    kept = {}
    for number, lines in pages.items():
        dropped = _running(lines, number, seen, most)
        kept[number] = [line for i, line in enumerate(lines) if i not in dropped]
    return kept


def _running(lines: Sequence[Line], page: int, seen: Mapping[tuple[str, int], int], most: float) -> set[int]:
    """The edge lines that are seen on most pages, from the outermost inwards."""
    dropped: set[int] = set()
    for i in _edges(len(lines)):
        is_outermost = i in {0, len(lines) - 1} or {i - 1, i + 1} & dropped
        if is_outermost and (seen[_habit(lines[i])] > most or _is_number(lines[i].text, page)):
            dropped.add(i)
    return dropped


def _edges(count: int) -> list[int]:
    """The first and last lines of a page, outermost first; of a page of few lines only one each."""
    depth = 0 if count < _FEW_LINES else 1 if count < _MANY_LINES else 2
    return [i for n in range(depth) for i in (n, count - 1 - n)]


def _is_number(text: str, page: int) -> bool:
    found = _PAGE_NUMBER.fullmatch(text)
    return found is not None and int(found[1]) == page


def _habit(line: Line) -> tuple[str, int]:
    """What a running line has in common with those of other pages: its words and its height on the page."""
    return _DIGITS.sub("#", line.text).casefold(), round(line.bottom)


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


def _add_page(lines: Sequence[Line], growing: Growing, style: _Style) -> int:
    """Add a page's lines; where the page starts in the text."""
    first = lines[0]
    level = _level(lines, 0, style)
    goes_on = growing.blocks and growing.blocks[-1].kind == "paragraph" and not growing.ends_a_sentence
    if goes_on and not level and first.text[0].islower():
        growing.extend(first.text, " ")
    else:
        growing.add(_kind(first, level), first.text, level=level)
    start = growing.length - len(first.text)
    edges = _right_edges(lines)
    for at in range(1, len(lines)):
        _follow(lines, at, growing, style, edges)
    return start


def _follow(lines: Sequence[Line], at: int, growing: Growing, style: _Style, edges: Mapping[int, float]) -> None:
    previous, line = lines[at - 1], lines[at]
    level, last = _level(lines, at, style), growing.blocks[-1].kind
    is_next = _is_next(previous, line, style)
    if last == "heading" and level and line.height == previous.height and is_next:
        growing.extend(line.text, " ")
    elif level or last == "heading" or not is_next:
        growing.add(_kind(line, level), line.text, level=level)
    elif _BULLET.match(line.text) and last == "list":
        growing.extend(line.text, "\n")
    elif _BULLET.match(line.text):
        growing.add("list", line.text)
    elif _is_full(previous, lines[max(at - 4, 0) : at + 4], edges):
        _join(growing, previous, line, style)
    elif last == "paragraph" and SENTENCE_END.search(previous.text):
        growing.add("paragraph", line.text)
    else:
        growing.extend(line.text, "\n")


def _level(lines: Sequence[Line], at: int, style: _Style) -> int:
    """The line's level as a heading, by its size or as a bold line of its own; 0 for other text."""
    line = lines[at]
    if not _reads_like_heading(line):
        return 0
    if line.height in style.levels:
        return style.levels[line.height]
    stands_alone = at == 0 or lines[at - 1].bottom - line.bottom > 1.2 * style.leading
    is_label = line.bold and stands_alone and not line.text.endswith(":") and not _BULLET.match(line.text)
    return style.bold_level if is_label else 0


def _kind(line: Line, level: int) -> BlockKind:
    if level:
        return "heading"
    return "list" if _BULLET.match(line.text) else "paragraph"


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
    if len(line.text) < _FULL_CHARACTERS:
        return False
    near = max(o.right for o in around if (o.left < line.right and line.left < o.right) or o is line)
    edge = max(near, edges[round(line.left)])
    return line.right >= edge - 0.15 * (edge - line.left)


def _join(growing: Growing, previous: Line, line: Line, style: _Style) -> None:
    """Go on in the same paragraph; a word that was cut by a hyphen becomes whole again."""
    if previous.text[-1] not in _HYPHENS or not previous.text[-2:-1].isalpha() or not line.text[0].islower():
        growing.extend(line.text, "" if previous.text[-1] in "\u2014/" else " ")
        return
    head, tail = previous.text[:-1].split()[-1], line.text.split()[0]
    whole = f"{head}-{tail}".strip(".,;:!?()\"'").casefold()
    growing.extend(line.text, "", drop=0 if "-" in head or whole in style.compounds else 1)
