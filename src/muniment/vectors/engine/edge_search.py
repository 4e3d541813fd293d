"""Questions to one open index: what is near, what matches, what it holds."""

import math
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import (
    CountRequest,
    FacetRequest,
    IdfParams,
    Query,
    QueryBatchRequest,
    QueryRequest,
    SearchParams,
    SparseVector,
)
from qdrant_edge import Filter as EdgeFilter
from qdrant_edge import ScoredPoint as EdgeHit

from muniment.kernel.model import Matrix
from muniment.vectors import bm25
from muniment.vectors.contract import Filter
from muniment.vectors.engine.edge_filter import edge_filter
from muniment.vectors.engine.edge_memory import Corpus
from muniment.vectors.engine.edge_opened import OpenIndex, named, sparse, uuid
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
    """The IDF of each term: what a holder scores, by what that holder stores.

    Whoever holds most of it will do, seen or not, for only IDF, which knows what is seen alone, is left of the
    score. What none that is seen holds is NaN.
    """
    corpus = index.memory.corpus(index.shard, condition)
    points = len(corpus.ids)
    holders: dict[int, int] = {}
    for at, best in _best(index, term_ids, None, corpus.words).items():
        held = named(best.vector, KEYWORDS)
        idf = best.score / held.values[held.indices.index(term_ids[at])]
        # Whole numbers again, so that the last digit, too, tells nothing of who the holder was.
        holders[at] = max(0, round((points + 1) / math.exp(idf) - 0.5))
    outside = [at for at, known in holders.items() if not known]
    seen = _best(index, [term_ids[at] for at in outside], corpus.allowed, None)
    hidden = {at for number, at in enumerate(outside) if number not in seen}
    weights = np.full(len(term_ids), np.nan, np.float32)
    for at in holders.keys() - hidden:
        weights[at] = bm25.idf(points, holders[at])
    return weights


def _best(
    index: OpenIndex, term_ids: Sequence[int], allowed: EdgeFilter | None, corpus: EdgeFilter | None
) -> dict[int, EdgeHit]:
    """The point that holds most of each term, by the term's place; IDF alone needs the vector."""
    requests = [
        QueryRequest(
            limit=1,
            query=Query.Nearest(SparseVector(indices=[term], values=[1.0]), using=KEYWORDS),
            filter=allowed,
            params=None if corpus is None else SearchParams(idf=IdfParams(corpus=corpus)),
            with_vector=None if corpus is None else [KEYWORDS],
        )
        for term in term_ids
    ]
    found = index.shard.query_batch(QueryBatchRequest(requests)) if requests else []
    return {at: points[0] for at, points in enumerate(found) if points}


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
        nearest, params = Query.Nearest(query.vector.tolist(), using=DENSE), corpus.near
    else:
        nearest = Query.Nearest(sparse(query.keywords), using=KEYWORDS)
        params = SearchParams(idf=IdfParams(corpus=corpus.words))
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
