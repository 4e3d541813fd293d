"""The candidates of a query in their order, from every index in its scope."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from muniment.kernel.caller import caller
from muniment.kernel.model import Matrix
from muniment.retrieval.contract import Search
from muniment.retrieval.fusion import Ranked, fuse, merge
from muniment.retrieval.scope import Scope
from muniment.retrieval.steps import Steps
from muniment.vectors.contract import (
    AnyQuery,
    DenseQuery,
    Found,
    IndexMissing,
    KeywordQuery,
    ScoredPoint,
    SearchPoints,
    Vectors,
)


class Order(NamedTuple):
    """Candidates, best first, and whether the engine has more of them."""

    ranked: list[Ranked]
    more: bool


async def ordered(
    engine: Vectors, request: Search, scope: Scope, vectors: Mapping[str, Matrix], pool: int, steps: Steps
) -> Order:
    """The order over all places; `vectors` is the query's by model, `pool` the length of each list."""
    asked = []
    for place in scope.places:
        queries: list[AnyQuery] = []
        if place.model in vectors:
            queries.append(DenseQuery(vector=vectors[place.model], limit=pool))
        if request.mode != "dense":
            queries.append(KeywordQuery(text=request.query, language=scope.language, limit=pool))
        if queries:
            asked.append(
                SearchPoints(
                    index=place.name, queries=tuple(queries), readers=caller().tokens, filter=place.filter
                )
            )
    with steps.of("engine"):
        found = await asyncio.gather(*(_found(engine, search) for search in asked))
    with steps.of("fuse"):
        orders = []
        for search, answer in zip(asked, found, strict=True):
            of = {query.kind: _scores(points) for query, points in zip(search.queries, answer.lists, strict=True)}
            orders.append(fuse(of.get("dense"), of.get("keyword")))
        more = any(len(points) >= pool for answer in found for points in answer.lists)
        return Order(merge(orders), more)


async def _found(engine: Vectors, search: SearchPoints) -> Found:
    """Nothing, while nothing has been written to the index."""
    try:
        return await engine.search(search)
    except IndexMissing:
        return Found(lists=tuple(() for _ in search.queries))


def _scores(points: Iterable[ScoredPoint]) -> dict[str, float]:
    return {chunk_id(point.id): point.score for point in points}


def chunk_id(point: UUID) -> str:
    """A chunk's id is its point's, under the chunk's prefix."""
    return f"chk_{point.hex}"
