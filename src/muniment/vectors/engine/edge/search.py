"""Questions to one open index: what is near, what matches, what it holds."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import (
    CountRequest,
    FacetRequest,
    Query,
    QueryBatchRequest,
    QueryRequest,
    SparseVector,
)
from qdrant_edge import Filter as EdgeFilter
from qdrant_edge import ScoredPoint as EdgeHit

from muniment.kernel.model import Matrix
from muniment.vectors import bm25
from muniment.vectors.contract import Filter
from muniment.vectors.engine.edge.config import EXACT_SEARCH, PLAIN_SEARCH, dense_search
from muniment.vectors.engine.edge.filter import edge_filter
from muniment.vectors.engine.edge.memory import Corpus
from muniment.vectors.engine.edge.opened import OpenIndex
from muniment.vectors.engine.edge.point import named, uuid
from muniment.vectors.engine.engine import DENSE, KEYWORDS, EngineQuery, Nearest


class Hit(NamedTuple):
    """A point that was found."""

    id: UUID
    score: float
    document: str
    version: str


def search(index: OpenIndex, queries: Sequence[EngineQuery], condition: Filter) -> list[list[Hit]]:
    """One list for each query, in one pass over the segments."""
    corpus = index.memory.corpus(index.shard, condition)
    for query in queries:
        if isinstance(query, Nearest):
            index.require(len(query.vector))
    requests = [_request(query, corpus) for query in queries]
    found = index.shard.query_batch(QueryBatchRequest(requests))
    return [_ranked(points) for points in found]


def fetch(index: OpenIndex, ids: Sequence[UUID]) -> tuple[list[UUID], Matrix]:
    """The dense vectors of those that exist."""
    records = index.shard.retrieve(list(ids), False, [DENSE])
    found = {record.id: named(record.vector, DENSE) for record in records}
    known = [i for i in ids if i in found]
    rows = np.array([found[i] for i in known], np.float32)
    return known, rows.reshape(len(known), index.dimensions)


def weigh(index: OpenIndex, term_ids: Sequence[int], condition: Filter) -> NDArray[np.float32]:
    """The IDF of each term, as keyword scores have it. What none that is seen holds is NaN."""
    corpus = index.memory.corpus(index.shard, condition)
    holders = corpus.holders(np.array(term_ids, np.uint32))
    weights = bm25.idfs(corpus.points, holders).astype(np.float32)
    outside = np.flatnonzero(holders == 0).tolist()
    held = set() if corpus.whole else _held(index, [term_ids[at] for at in outside], corpus.allowed)
    weights[[at for number, at in enumerate(outside) if number not in held]] = np.nan
    return weights


def _held(index: OpenIndex, term_ids: Sequence[int], allowed: EdgeFilter | None) -> set[int]:
    """The places of those terms that any point holds."""
    requests = [
        QueryRequest(
            limit=1,
            query=Query.Nearest(SparseVector(indices=[term], values=[1.0]), using=KEYWORDS),
            filter=allowed,
            params=PLAIN_SEARCH,
        )
        for term in term_ids
    ]
    found = index.shard.query_batch(QueryBatchRequest(requests)) if requests else []
    return {at for at, points in enumerate(found) if points}


def count(index: OpenIndex, condition: Filter) -> int:
    """How many points match, exactly."""
    return int(index.shard.count(CountRequest(exact=True, filter=edge_filter(condition))))


def tally(index: OpenIndex, field: str, condition: Filter) -> dict[str, int]:
    """How many points hold each value of an indexed field."""
    most = max(1, index.shard.info().points_count)
    while True:
        asked = FacetRequest(field, limit=most, exact=True, filter=edge_filter(condition))
        hits = index.shard.facet(asked).hits
        if len(hits) < most:
            return {str(hit.value): hit.count for hit in hits}
        most *= 4  # a point may hold many values


def _request(query: EngineQuery, corpus: Corpus) -> QueryRequest:
    if isinstance(query, Nearest):
        nearest = Query.Nearest(query.vector.tolist(), using=DENSE)
        params = EXACT_SEARCH if corpus.few else dense_search(query.limit)
    else:
        nearest, params = Query.Nearest(corpus.query(query.keywords), using=KEYWORDS), PLAIN_SEARCH
    return QueryRequest(
        limit=query.limit,
        query=nearest,
        filter=corpus.allowed,
        params=params,
        with_payload=["document", "version"],
    )


def _ranked(points: Sequence[EdgeHit]) -> list[Hit]:
    found = [
        Hit(uuid(point.id), point.score, payload["document"], payload["version"])
        for point in points
        if (payload := point.payload) is not None
    ]
    return sorted(found, key=lambda hit: (-hit.score, hit.id))
