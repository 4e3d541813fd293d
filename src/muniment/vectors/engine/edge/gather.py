"""Candidates from one open index: the best by each signal, and what each signal says of all of them."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import CountRequest, HasIdCondition, Query, QueryBatchRequest, QueryRequest, SearchParams
from qdrant_edge import Filter as EdgeFilter

from muniment.vectors.contract import Filter, Signal
from muniment.vectors.engine.edge.config import EXACT_SEARCH, PLAIN_SEARCH, dense_search
from muniment.vectors.engine.edge.memory import Corpus
from muniment.vectors.engine.edge.opened import OpenIndex
from muniment.vectors.engine.edge.point import uuid
from muniment.vectors.engine.engine import DENSE, KEYWORDS, Gathered, Gathering, signals_of

MANY_POINTS = 250_000
"""Of so many to search by grams takes half of the time of a search; of fewer a batch more would take as long."""

_SLOWEST: Signal = "grams"


class _Side(NamedTuple):
    """One signal as a query."""

    signal: Signal
    query: Query
    params: SearchParams
    sparse: bool


class _Found(NamedTuple):
    """The points that a query found: their places among the candidates, and their scores."""

    places: list[int]
    scores: list[float]


_NOT_LISTED = _Found([], [])


class _Candidates:
    """The points so far, each in its place; by number, since Python takes long to compare UUIDs."""

    def __init__(self) -> None:
        self.ids: list[UUID] = []
        self._places: dict[int, int] = {}

    def place(self, point: UUID) -> int:
        """Of a point that may be new."""
        place = self._places.setdefault(point.int, len(self.ids))
        if place == len(self.ids):
            self.ids.append(point)
        return place


def gather(index: OpenIndex, asked: Gathering, condition: Filter) -> Gathered:
    """The best lists bring the candidates, a batch over these alone the scores that the lists did not bring."""
    corpus = index.memory.corpus(index.shard, condition)
    sides = _sides(index, asked, corpus)
    candidates = _Candidates()
    lists = _best(index, asked, sides, corpus.allowed, candidates)
    ids = candidates.ids
    signals = signals_of(asked)
    scores = np.zeros((len(signals), len(ids)), np.float32)
    rest = []
    for side in sides:
        found = lists.get(side.signal, _NOT_LISTED)
        scores[signals.index(side.signal), found.places] = found.scores
        # A list of keywords that ends before the pool does holds every point that has any of them.
        if not side.sparse or found is _NOT_LISTED or len(found.places) == asked.pool:
            missing = _others(found.places, len(ids))
            if len(missing):
                points = EdgeFilter(must=[HasIdCondition({ids[place] for place in missing})])
                # So few are compared by their originals at once, in half the time.
                scored = side if side.sparse else side._replace(params=EXACT_SEARCH)
                rest.append((scored, points, len(missing)))
    for (side, _, _), found in zip(rest, _found(index, rest, candidates), strict=True):
        scores[signals.index(side.signal), found.places] = found.scores
    full = any(len(found.places) == asked.pool for found in lists.values())
    return Gathered(ids, index.homes.of(index.shard, ids), signals, scores, full)


def _best(
    index: OpenIndex,
    asked: Gathering,
    sides: Sequence[_Side],
    allowed: EdgeFilter | None,
    candidates: _Candidates,
) -> dict[Signal, _Found]:
    """The list of each signal, in one batch; of many points the slowest only where the others bring none near."""
    spares = asked.near is not None and asked.vector is not None
    spares = spares and index.shard.count(CountRequest(exact=False)) >= MANY_POINTS
    batches = [[side for side in sides if (side.signal == _SLOWEST) == late] for late in (False, True)]
    lists: dict[Signal, _Found] = {}
    for some in batches if spares else [sides]:
        if "dense" in lists and max(lists["dense"].scores, default=-1.0) >= (asked.near or 0.0):
            break
        found = _found(index, [(side, allowed, asked.pool) for side in some], candidates)
        lists |= zip((side.signal for side in some), found, strict=True)
    return lists


def _sides(index: OpenIndex, asked: Gathering, corpus: Corpus) -> list[_Side]:
    sides = []
    if asked.vector is not None:
        index.require(len(asked.vector))
        near = Query.Nearest(asked.vector.tolist(), using=DENSE)
        params = EXACT_SEARCH if corpus.few else dense_search(asked.pool)
        sides.append(_Side("dense", near, params, sparse=False))
    for signal, keywords in asked.families.items():
        if len(keywords.indices):
            matching = Query.Nearest(corpus.query(keywords), using=KEYWORDS)
            sides.append(_Side(signal, matching, PLAIN_SEARCH, sparse=True))
    return sides


def _found(
    index: OpenIndex, asked: Sequence[tuple[_Side, EdgeFilter | None, int]], candidates: _Candidates
) -> list[_Found]:
    """Without payload, which is slow to read."""
    if not asked:
        return []
    requests = [
        QueryRequest(limit=limit, query=side.query, filter=allowed, params=side.params)
        for side, allowed, limit in asked
    ]
    found = index.shard.query_batch(QueryBatchRequest(requests))
    return [
        _Found([candidates.place(uuid(point.id)) for point in points], [point.score for point in points])
        for points in found
    ]


def _others(places: Sequence[int], count: int) -> NDArray[np.intp]:
    """Those of `count` places that are not among these."""
    others = np.ones(count, bool)
    others[places] = False
    return np.flatnonzero(others)
