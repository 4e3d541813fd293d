"""Which points hold a term: of those whose terms were read, one table for all filters of a shard."""

from array import array
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import EdgeShard

from muniment.vectors.engine.edge.point import named, uuid
from muniment.vectors.engine.engine import KEYWORDS

TermIds = NDArray[np.uint32]
Inside = NDArray[np.bool_]
"""For each row of the table, whether it belongs."""

MOST_ROWS = 1 << 16
"""A row is a number of 16 bits: of passages with 400 terms the table is 60 MB when it is full."""

_MOST_ROWS_OF_A_RUN = 2048
_ROW_BITS = np.uint64(16)


class _Run(NamedTuple):
    """Rows one after another, by term: of `terms[i]` they are `rows[places[i]:places[i + 1]]`."""

    start: int
    end: int
    terms: TermIds
    places: NDArray[np.int64]
    rows: NDArray[np.uint16]


class TermTable:
    """A row for each point whose terms were read, and for each term the rows that hold it.

    A row is never changed: a point that was written loses its row, and gets another once it is asked for. Rows
    come in runs, and small runs are made one, as in a tree of sorted files: to read a few points sorts a few.
    """

    def __init__(self) -> None:
        self.size = MOST_ROWS
        self._rows: dict[int, int] = {}
        self._runs: list[_Run] = []
        self._heads = np.zeros(self.size, np.uint64)
        self._end = 0

    @property
    def room(self) -> int:
        """How many rows there may still be."""
        return self.size - self._end

    def clear(self) -> None:
        """Forget all; so must whoever has rows."""
        self._rows.clear()
        self._runs.clear()
        self._end = 0

    def forget(self, point: UUID) -> int | None:
        """It was written: the row that it had, which stays until the table is cleared."""
        return self._rows.pop(point.int, None)

    def rows(self, shard: EdgeShard, points: Sequence[UUID]) -> NDArray[np.intp]:
        """The rows of points that exist, for as many as there is `room`; a point's terms take 30 µs to read."""
        unread = [point for point in points if point.int not in self._rows]
        if unread:
            self._add(shard, unread)
        return np.array([self._rows[point.int] for point in points], np.intp)

    def heads(self, rows: NDArray[np.intp]) -> NDArray[np.uint64]:
        """The first half of each one's id."""
        return self._heads[rows]

    def holders(self, inside: Inside, term_ids: TermIds) -> NDArray[np.int64]:
        """How many of the rows inside hold each term."""
        counts = np.zeros(len(term_ids), np.int64)
        for run in self._runs:
            held = np.count_nonzero(inside[run.start : run.end])
            if held:
                counts += _holders(run, inside, term_ids, every=held == run.end - run.start)
        return counts

    def _add(self, shard: EdgeShard, points: Sequence[UUID]) -> None:
        records = shard.retrieve(list(points), False, [KEYWORDS])
        # In half of the time that NumPy takes for a list.
        terms = [np.frombuffer(array("I", named(r.vector, KEYWORDS).indices), np.uint32) for r in records]
        start = self._end
        for first in range(0, len(terms), _MOST_ROWS_OF_A_RUN):
            self._runs.append(_read(start + first, terms[first : first + _MOST_ROWS_OF_A_RUN]))
            self._unite()
        for row, record in enumerate(records, start):
            point = uuid(record.id).int
            self._rows[point], self._heads[row] = row, point >> 64
        self._end += len(records)

    def _unite(self) -> None:
        """Make the last runs one while the last is more than half as large as the one before."""
        while len(self._runs) > 1:
            *_, last_but_one, last = self._runs
            rows = last.end - last_but_one.start
            if rows > _MOST_ROWS_OF_A_RUN or last_but_one.end - last_but_one.start >= 2 * (last.end - last.start):
                return
            held = np.concatenate([_packed(last_but_one), _packed(last)])
            self._runs[-2:] = [_run(last_but_one.start, last.end, held)]


def _holders(run: _Run, inside: Inside, term_ids: TermIds, *, every: bool) -> NDArray[np.int64]:
    counts = np.zeros(len(term_ids), np.int64)
    at = np.searchsorted(run.terms, term_ids)
    at[at == len(run.terms)] = 0
    found = np.flatnonzero(run.terms[at] == term_ids) if len(run.terms) else ()
    if len(found):
        starts, ends = run.places[at[found]], run.places[at[found] + 1]
        if every:
            counts[found] = ends - starts
        else:
            rows = np.concatenate([run.rows[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)])
            firsts = np.cumsum(ends - starts) - (ends - starts)
            counts[found] = np.add.reduceat(inside.take(rows), firsts, dtype=np.int64)
    return counts


def _read(start: int, terms: Sequence[TermIds]) -> _Run:
    rows = np.repeat(np.arange(start, start + len(terms), dtype=np.uint64), [len(held) for held in terms])
    return _run(start, start + len(terms), np.concatenate(terms).astype(np.uint64) << _ROW_BITS | rows)


def _packed(run: _Run) -> NDArray[np.uint64]:
    return np.repeat(run.terms.astype(np.uint64), np.diff(run.places)) << _ROW_BITS | run.rows


def _run(start: int, end: int, held: NDArray[np.uint64]) -> _Run:
    held.sort(kind="stable")  # it is made of sorted parts, which this kind finds and merges
    every = (held >> _ROW_BITS).astype(np.uint32)
    places = np.flatnonzero(np.concatenate([[True], every[1:] != every[:-1]])) if len(every) else np.empty(0, int)
    return _Run(start, end, every[places], np.append(places, len(every)), held.astype(np.uint16))
