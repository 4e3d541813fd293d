"""The reading order of a page: columns between white gutters, rows of tables, notes at the foot of columns."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from statistics import fmean, median
from typing import NamedTuple

from muniment.documents.parsing.paged.layout import NOTE, Line, Mark
from muniment.documents.parsing.paged.place import Piece, View

_FEW, _MOST_DEPTH = 3, 4
_PROSE_CHARACTERS = 18
_STRIP = 2.0
_MARKER = re.compile(r"(?:[•‣◦▪●○■□–\-*∙·]|\(?\w{1,3}[.)]|\d+(?:\.\d+)*\.?)")
_LEFTWARDS = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_NOTE_SIZE = 0.93


class Segment(NamedTuple):
    """A piece of a line as it stands on the page: points from the lower left, upright."""

    piece: Piece
    left: float
    bottom: float
    right: float
    top: float
    height: float

    @property
    def middle(self) -> float:
        """Half-way up."""
        return (self.bottom + self.top) / 2


def arrange(pieces: Sequence[Piece], view: View) -> list[Line]:
    """The lines of a page in reading order; text that runs in another direction than most stands at its end."""
    by_turn: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_turn.setdefault(_turn(piece, view), []).append(piece)
    weight = {turn: sum(len(piece.text) for piece in turned) for turn, turned in by_turn.items()}
    main = max(weight, key=lambda turn: (weight[turn], turn == 0), default=0)
    lines: list[Line] = []
    for turn in sorted(weight, key=lambda turn: turn != main):
        turned = view.turned(turn)
        segments = [_segment(piece, turned) for piece in by_turn[turn]]
        laid = [line for region in _regions(segments, 0) for line in _lines(region, view)]
        lines += laid if turn == main else [line._replace(kind="apart") for line in laid]
    return lines


def _turn(piece: Piece, view: View) -> int:
    """By how many quarters the page is turned further, so that the piece stands upright."""
    start, end = piece.start, piece.end
    across = end[0] + end[2] - start[0] - start[2]
    along = end[1] + end[3] - start[1] - start[3]
    if not (across or along):
        return 0
    is_along = abs(along) > abs(across)
    drawn = (1 if along > 0 else 3) if is_along else (0 if across > 0 else 2)
    turn = (drawn - view.turn) % 4
    return 0 if turn == 2 and _LEFTWARDS.search(piece.text) else turn  # noqa: PLR2004 - upside down


def _segment(piece: Piece, view: View) -> Segment:
    left, _, right, top = view.seen(piece.box)
    _, low, _, high = view.seen(piece.start)
    _, low_end, _, high_end = view.seen(piece.end)
    return Segment(piece, left, min(low, low_end), right, top, round(max(high - low, high_end - low_end), 1))


def _regions(segments: Sequence[Segment], depth: int) -> Iterator[Sequence[Segment]]:
    """The segments in reading order, column by column."""
    gutter = _gutter(segments) if depth < _MOST_DEPTH else None
    if gutter is None:
        if segments:
            yield _downwards(sorted(segments, key=_place_in_file))
        return
    pending: list[Segment] = []
    for across, left, right in _bands(segments, gutter):
        pending += across
        if _is_columns(left, right) or (min(len(left), len(right)) > 1 and not _is_tabular(left, right)):
            yield from _regions(pending, _MOST_DEPTH)
            yield from _regions(left, depth + 1)
            yield from _regions(right, depth + 1)
            pending = []
        else:
            pending += [*left, *right]
    yield from _regions(pending, _MOST_DEPTH)


def _place_in_file(segment: Segment) -> int:
    return segment.piece.first


def _downwards(segments: Sequence[Segment]) -> Sequence[Segment]:
    """The segments as they come in the file; what lies as a whole above what comes before it is moved there."""
    runs: list[list[Segment]] = []
    for segment in segments:
        if runs and segment.middle < runs[-1][-1].top:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    runs.sort(key=lambda run: -run[0].middle)
    if all(min(s.middle for s in above) > below[0].middle for above, below in pairwise(runs)):
        return [segment for run in runs for segment in run]
    return segments


def _gutter(segments: Sequence[Segment]) -> float | None:
    """Where a white strip, crossed by few lines, parts columns of prose."""
    if len(segments) < 2 * _FEW:
        return None
    best: tuple[int, float] | None = None
    for x in _strips(segments):
        good = sum(len(left) + len(right) for _, left, right in _bands(segments, x) if _is_columns(left, right))
        if good and (best is None or good > best[0]):
            best = good, x
    return None if best is None else best[1]


def _strips(segments: Sequence[Segment]) -> list[float]:
    """The middles of strips that fewer segments cover than those around them."""
    low, high = min(s.left for s in segments), max(s.right for s in segments)
    count = int((high - low) / _STRIP) + 2
    steps = [0] * (count + 1)
    for s in segments:
        steps[int((s.left - low) / _STRIP)] += 1
        steps[int((s.right - low) / _STRIP) + 1] -= 1
    cover, depth = [], 0
    for step in steps[:count]:
        depth += step
        cover.append(depth)
    most = 0.35 * max(cover)
    found, at = [], 0
    for depth, run in groupby(cover):
        length = len(list(run))
        before, after = max(cover[:at], default=0), max(cover[at + length :], default=0)
        if depth <= most and min(before, after) >= max(_FEW, 2 * depth):
            found.append((depth, -length, low + (at + length / 2) * _STRIP))
        at += length
    return [x for _, _, x in sorted(found)[:6]]


def _bands(
    segments: Sequence[Segment], gutter: float
) -> Iterator[tuple[list[Segment], list[Segment], list[Segment]]]:
    """From top to bottom: what lies across the gutter, then what stands left and right of it below that."""
    across: list[Segment] = []
    left: list[Segment] = []
    right: list[Segment] = []
    for segment in sorted(segments, key=lambda s: -s.middle):
        if segment.left < gutter < segment.right:
            if left or right:
                yield across, left, right
                across, left, right = [], [], []
            across.append(segment)
        else:
            (left if segment.right <= gutter else right).append(segment)
    yield across, left, right


def _is_columns(left: Sequence[Segment], right: Sequence[Segment]) -> bool:
    """Whether prose stands in both, side by side and apart."""
    if min(len(left), len(right)) < _FEW or not (_is_prose(left) and _is_prose(right)):
        return False
    size = median([s.height for s in (*left, *right)])
    if min(s.left for s in right) - max(s.right for s in left) < 0.7 * size:
        return False
    top, bottom = min(left[0].top, right[0].top), max(left[-1].bottom, right[-1].bottom)
    shorter = min(left[0].top - left[-1].bottom, right[0].top - right[-1].bottom)
    return top - bottom > 0.5 * shorter and not _is_tabular(left, right)


def _is_prose(segments: Sequence[Segment]) -> bool:
    return fmean(len(s.piece.text) for s in segments) >= _PROSE_CHARACTERS


def _is_tabular(left: Sequence[Segment], right: Sequence[Segment]) -> bool:
    """Whether both sides open their gaps at the same heights, as the rows of a table do."""
    fewer, more = sorted((_openings(left), _openings(right)), key=len)
    shared = sum(any(abs(y - other) <= 2 for other in more) for y in fewer)  # noqa: PLR2004 - points
    return len(fewer) > 1 and shared >= 0.7 * len(fewer)


def _openings(side: Sequence[Segment]) -> list[float]:
    """The heights of the lines with more space above them than most have."""
    steps = [(a.bottom - b.bottom, b.bottom) for a, b in pairwise(side)]
    down = [step for step, _ in steps if step > 1]
    return [bottom for step, bottom in steps if down and step > 1.3 * median(down)]


def _lines(region: Sequence[Segment], view: View) -> list[Line]:
    """A column's lines: neighbours on one height are put together, as rows where several in turn are aligned."""
    rows = [list(row) for row in _rows(region)]
    tabular = _tabular(rows)
    lines = [_line(row, view, is_row=i in tabular) for i, row in enumerate(rows)]
    lines[0] = lines[0]._replace(opens=True)
    return _with_notes(lines, region)


def _rows(region: Sequence[Segment]) -> Iterator[list[Segment]]:
    row: list[Segment] = []
    for segment in region:
        if row and not _beside(row[-1], segment):
            yield row
            row = []
        row.append(segment)
    yield row


def _beside(before: Segment, after: Segment) -> bool:
    if before.piece.cut:
        return False
    if before.piece.line == after.piece.line:
        return True
    level = abs(before.bottom - after.bottom) < 0.3 * max(before.height, after.height)
    return level and after.left >= before.right


def _tabular(rows: Sequence[Sequence[Segment]]) -> set[int]:
    """The numbers of the rows of tables: three or more in turn whose cells stand below one another."""
    found: set[int] = set()
    run: list[int] = []
    for i, row in enumerate(rows):
        cells = _cells(row)
        if run and (len(cells) == 1 or not _aligned(_cells(rows[run[-1]]), cells)):
            found |= _long_enough(run, rows)
            run = []
        if len(cells) > 1:
            run.append(i)
    return found | _long_enough(run, rows)


def _long_enough(run: Sequence[int], rows: Sequence[Sequence[Segment]]) -> set[int]:
    return set(run) if len(run) >= _FEW or (len(run) > 1 and len(rows[run[0]]) >= _FEW) else set()


def _cells(row: Sequence[Segment]) -> list[Sequence[Segment]]:
    """The row's cells; a bullet or number belongs to what it stands before."""
    if len(row) == 2 and _MARKER.fullmatch(row[0].piece.text):  # noqa: PLR2004 - a mark and its text
        return [row]
    return [[segment] for segment in row]


def _aligned(above: Sequence[Sequence[Segment]], below: Sequence[Sequence[Segment]]) -> bool:
    """Whether cells stand below cells, and none below two."""
    shared = 0
    for cell in below:
        over = [a for a in above if a[0].left < cell[-1].right and cell[0].left < a[-1].right]
        if len(over) > 1:
            return False
        shared += len(over)
    return shared > 1 and abs(len(above) - len(below)) <= 1


def _line(row: Sequence[Segment], view: View, *, is_row: bool) -> Line:
    between, at = " | " if is_row else " ", 0
    marks = []
    for segment in row:
        end = at + len(segment.piece.text)
        marks.append(Mark(at, end, view.fractions(segment.piece.box), segment.piece.first))
        at = end + len(between)
    return Line(
        text=between.join(segment.piece.text for segment in row),
        left=min(s.left for s in row),
        right=max(s.right for s in row),
        bottom=row[0].bottom,
        height=row[0].height,
        bold=all(s.piece.bold for s in row),
        kind="row" if is_row else "text",
        cut=row[-1].piece.cut,
        marks=tuple(marks),
    )


def _with_notes(lines: list[Line], region: Sequence[Segment]) -> list[Line]:
    """The lines, those at the foot of the column that are notes marked as such."""
    usual = median([s.height for s in region])
    first = len(lines)
    while first and lines[first - 1].height <= _NOTE_SIZE * usual and lines[first - 1].kind == "text":
        first -= 1
    while first < len(lines) and not NOTE.match(lines[first].text):
        first += 1
    if first == 0:
        return lines
    return [*lines[:first], *(line._replace(kind="note") for line in lines[first:])]


def notes_last(lines: Iterable[Line]) -> list[Line]:
    """The lines of a page, its notes after all of its columns."""
    return sorted(lines, key=lambda line: ("text", "row", "note", "apart").index(line.kind) // 2)
