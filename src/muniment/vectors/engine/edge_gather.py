"""Candidates from one open index: the best by each signal that finds, and what each signal says of all of them."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
from qdrant_edge import Filter as EdgeFilter
from qdrant_edge import HasIdCondition, IdfParams, Query, QueryBatchRequest, QueryRequest, SearchParams

from muniment.vectors.contract import Filter, Signal
from muniment.vectors.engine.edge_filter import edge_filter
from muniment.vectors.engine.edge_opened import OpenIndex, sparse, uuid
from muniment.vectors.engine.engine import DENSE, GENERATING, KEYWORDS, Gathered, Gathering


class _Side(NamedTuple):
    """One signal as a query."""

    signal: Signal
    query: Query
    using: str


def gather(index: OpenIndex, asked: Gathering, condition: Filter) -> Gathered:
    """One batch brings the candidates, a second, over them alone, the scores that the first did not bring."""
    allowed = edge_filter(condition)
    sides = _sides(index, asked)
    finding = [side for side in sides if side.signal in GENERATING]
    requests = [_request(side, asked.pool, allowed, allowed) for side in finding]
    lists = index.shard.query_batch(QueryBatchRequest(requests)) if requests else []
    documents: dict[UUID, str] = {}
    scores: dict[Signal, dict[UUID, float]] = {side.signal: {} for side in sides}
    missing: dict[Signal, bool] = {side.signal: True for side in sides}
    for side, points in zip(finding, lists, strict=True):
        # A list of keywords that ends before the pool does holds every point that has any of them.
        missing[side.signal] = len(points) == asked.pool
        for point in points:
            assert point.payload is not None
            documents[uuid(point.id)] = point.payload["document"]
            scores[side.signal][uuid(point.id)] = point.score
    full = any(len(points) == asked.pool for points in lists)
    _complete(index, [side for side in sides if missing[side.signal]], documents, scores, allowed)
    signals: list[Signal] = ["dense"] if asked.vector is not None else []
    signals += asked.families
    columns = [[scores.get(signal, {}).get(i, 0.0) for i in documents] for signal in signals]
    return Gathered(
        list(documents),
        list(documents.values()),
        signals,
        np.array(columns, np.float32).reshape(len(signals), len(documents)),
        full,
    )


def _sides(index: OpenIndex, asked: Gathering) -> list[_Side]:
    sides = []
    if asked.vector is not None:
        index.require(len(asked.vector))
        sides.append(_Side("dense", Query.Nearest(asked.vector.tolist(), using=DENSE), DENSE))
    for signal, keywords in asked.families.items():
        if len(keywords.indices):
            sides.append(_Side(signal, Query.Nearest(sparse(keywords), using=KEYWORDS), KEYWORDS))
    return sides


def _complete(
    index: OpenIndex,
    sides: Sequence[_Side],
    documents: dict[UUID, str],
    scores: dict[Signal, dict[UUID, float]],
    corpus: EdgeFilter,
) -> None:
    wanted = [(side, unknown) for side in sides if (unknown := documents.keys() - scores[side.signal].keys())]
    requests = [
        _request(side, len(unknown), EdgeFilter(must=[HasIdCondition(set(unknown))]), corpus, documents=False)
        for side, unknown in wanted
    ]
    if not requests:
        return
    for (side, _), points in zip(wanted, index.shard.query_batch(QueryBatchRequest(requests)), strict=True):
        scores[side.signal] |= {uuid(point.id): point.score for point in points}


def _request(
    side: _Side, limit: int, allowed: EdgeFilter, corpus: EdgeFilter, *, documents: bool = True
) -> QueryRequest:
    return QueryRequest(
        limit=limit,
        query=side.query,
        filter=allowed,
        params=SearchParams(idf=IdfParams(corpus=corpus)) if side.using == KEYWORDS else None,
        with_payload=["document"] if documents else None,
    )
