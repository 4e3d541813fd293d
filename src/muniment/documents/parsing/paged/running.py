"""Headers, footers and page numbers: lines at the edges of pages that most pages share."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

_PAGE_NUMBER = re.compile(r"(?:page\s+)?[-–\s]*(\d{1,5})[-–\s]*(?:(?:of|/)\s*\d{1,5})?", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_FEW_LINES, _MANY_LINES = 3, 8
_SAME_LEVEL = 2.0


class Placed(Protocol):
    """What stands at a height of its page."""

    @property
    def text(self) -> str:
        """What it says."""
        ...

    @property
    def bottom(self) -> float:
        """Its height above the page's lower edge."""
        ...


L = TypeVar("L", bound=Placed)


class _Edge(NamedTuple):
    """The lines of one height at an edge of the page, by number, and those next further out."""

    lines: Sequence[int]
    outer: Sequence[int]


def without_running_lines(pages: Mapping[int, Sequence[L]]) -> dict[int, list[L]]:
    """The pages without headers, footers and page numbers: edge lines that most pages share, digits aside."""
    edges = {number: _edges(lines) for number, lines in pages.items()}
    seen: Counter[tuple[str, int]] = Counter()
    for number, lines in pages.items():
        seen.update({_habit(lines[i]) for edge in edges[number] for i in edge.lines})
    # Two pages show no habit.
    most = max(len(pages) / 2, 2)
    kept = {}
    for number, lines in pages.items():
        dropped: set[int] = set()
        for edge in edges[number]:
            if not edge.outer or not dropped.isdisjoint(edge.outer):
                dropped |= {
                    i for i in edge.lines if seen[_habit(lines[i])] > most or _is_number(lines[i].text, number)
                }
        kept[number] = [line for i, line in enumerate(lines) if i not in dropped]
    return kept


def _edges(lines: Sequence[Placed]) -> list[_Edge]:
    """The highest and the lowest lines of a page, outermost first; of a page of few lines only one of each."""
    levels: list[list[int]] = []
    for i in sorted(range(len(lines)), key=lambda i: -lines[i].bottom):
        if levels and abs(lines[levels[-1][0]].bottom - lines[i].bottom) <= _SAME_LEVEL:
            levels[-1].append(i)
        else:
            levels.append([i])
    depth = 0 if len(levels) < _FEW_LINES else 1 if len(levels) < _MANY_LINES else 2
    return [_Edge(side[n], side[n - 1] if n else ()) for side in (levels, levels[::-1]) for n in range(depth)]


def _is_number(text: str, page: int) -> bool:
    found = _PAGE_NUMBER.fullmatch(text)
    return found is not None and int(found[1]) == page


def _habit(line: Placed) -> tuple[str, int]:
    """What a running line has in common with those of other pages: its words and its height on the page."""
    return _DIGITS.sub("#", line.text).casefold(), round(line.bottom)
