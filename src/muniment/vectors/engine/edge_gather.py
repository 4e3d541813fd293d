"""Candidates from one open index: the best by each signal, and what each signal says of all of them."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
from qdrant_edge import Filter as EdgeFilter
from qdrant_edge import HasIdCondition, Query, QueryBatchRequest, QueryRequest, SearchParams

from muniment.vectors.contract import Filter, Signal
from muniment.vectors.engine.edge_config import EXACT_SEARCH, PLAIN_SEARCH, dense_search
from muniment.vectors.engine.edge_memory import Corpus
from muniment.vectors.engine.edge_opened import OpenIndex
from muniment.vectors.engine.edge_point import uuid
from muniment.vectors.engine.engine import DENSE, KEYWORDS, Gathered, Gathering, signals_of

Scores = dict[UUID, float]


class _Side(NamedTuple):
    """One signal as a query."""

    signal: Signal
    query: Query
    params: SearchParams
    sparse: bool


def gather(index: OpenIndex, asked: Gathering, condition: Filter) -> Gathered:
    """One batch brings the candidates, a second, over them alone, the scores that the first did not bring."""
    corpus = index.memory.corpus(index.shard, condition)
    sides = _sides(index, asked, corpus)
    lists = _scores(index, [(side, corpus.allowed, asked.pool) for side in sides])
    ids = list(dict.fromkeys(point for scores in lists for point in scores))
    full = [len(scores) == asked.pool for scores in lists]
    # A list of keywords that ends before the pool does holds every point that has any of them.
    missing = [
        [] if side.sparse and not more else [point for point in ids if point not in scores]
        for side, scores, more in zip(sides, lists, full, strict=True)
    ]
    rest = [
        (side, EdgeFilter(must=[HasIdCondition(set(points))]), len(points))
        for side, points in zip(sides, missing, strict=True)
        if points
    ]
    known = {side.signal: scores for side, scores in zip(sides, lists, strict=True)}
    for (side, _, _), scores in zip(rest, _scores(index, rest), strict=True):
        known[side.signal] |= scores
    signals = signals_of(asked)
    columns = [[known.get(signal, {}).get(point, 0.0) for point in ids] for signal in signals]
    return Gathered(
        ids,
        index.memory.documents(index.shard, ids),
        signals,
        np.array(columns, np.float32).reshape(len(signals), len(ids)),
        any(full),
    )


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


def _scores(index: OpenIndex, asked: Sequence[tuple[_Side, EdgeFilter, int]]) -> list[Scores]:
    """Without payload, which is slow to read."""
    if not asked:
        return []
    requests = [
        QueryRequest(limit=limit, query=side.query, filter=allowed, params=side.params)
        for side, allowed, limit in asked
    ]
    found = index.shard.query_batch(QueryBatchRequest(requests))
    return [{uuid(point.id): point.score for point in points} for points in found]
