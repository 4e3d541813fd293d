"""Candidates from one open index: the best by each signal, and what each signal says of all of them."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import Filter as EdgeFilter
from qdrant_edge import HasIdCondition, Query, QueryBatchRequest, QueryRequest, SearchParams

from muniment.vectors.contract import Filter, Signal
from muniment.vectors.engine.edge_config import EXACT_SEARCH, PLAIN_SEARCH, dense_search
from muniment.vectors.engine.edge_memory import Corpus
from muniment.vectors.engine.edge_opened import OpenIndex
from muniment.vectors.engine.edge_point import uuid
from muniment.vectors.engine.engine import DENSE, KEYWORDS, Gathered, Gathering, signals_of


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
    """One batch brings the candidates, a second, over them alone, the scores that the first did not bring."""
    corpus = index.memory.corpus(index.shard, condition)
    sides = _sides(index, asked, corpus)
    candidates = _Candidates()
    lists = _found(index, [(side, corpus.allowed, asked.pool) for side in sides], candidates)
    ids = candidates.ids
    signals = signals_of(asked)
    scores = np.zeros((len(signals), len(ids)), np.float32)
    rest = []
    for side, found in zip(sides, lists, strict=True):
        scores[signals.index(side.signal), found.places] = found.scores
        # A list of keywords that ends before the pool does holds every point that has any of them.
        if not side.sparse or len(found.places) == asked.pool:
            missing = _others(found.places, len(ids))
            if len(missing):
                points = EdgeFilter(must=[HasIdCondition({ids[place] for place in missing})])
                # So few are compared by their originals at once, in half the time.
                scored = side if side.sparse else side._replace(params=EXACT_SEARCH)
                rest.append((scored, points, len(missing)))
    for (side, _, _), found in zip(rest, _found(index, rest, candidates), strict=True):
        scores[signals.index(side.signal), found.places] = found.scores
    full = any(len(found.places) == asked.pool for found in lists)
    return Gathered(ids, index.homes.of(index.shard, ids), signals, scores, full)


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
