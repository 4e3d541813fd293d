"""The candidates of a query in their order, from every index in its scope."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

import numpy as np

from muniment.kernel.caller import caller
from muniment.kernel.model import Matrix
from muniment.retrieval.contract import Search
from muniment.retrieval.fusion import Ranked, alone, merge
from muniment.retrieval.places import Place
from muniment.retrieval.ranking import judged, ranked
from muniment.retrieval.scope import Scope
from muniment.retrieval.steps import Steps
from muniment.vectors.contract import (
    Candidates,
    DenseQuery,
    GatherCandidates,
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
    if request.mode == "hybrid":
        return await _judged(engine, request, scope, vectors, pool, steps)
    with steps.of("engine"):
        asked = [_single(request, scope, place, vectors, pool) for place in scope.places]
        found = await asyncio.gather(*(_list(engine, search) for search in asked))
    with steps.of("fuse"):
        orders = [alone(request.mode, {chunk_id(p.id): p.score for p in points}) for points in found]
        return Order(merge(orders), any(len(points) >= pool for points in found))


async def _judged(
    engine: Vectors, request: Search, scope: Scope, vectors: Mapping[str, Matrix], pool: int, steps: Steps
) -> Order:
    """By all signals at once; without the vector of an index's model, by its words."""
    languages = (scope.language,) if scope.language else ()
    asked = [
        GatherCandidates(
            index=place.name,
            text=request.query,
            languages=languages,
            vector=vectors.get(place.model),
            pool=pool,
            readers=caller().tokens,
            filter=place.filter,
        )
        for place in scope.places
    ]
    with steps.of("engine"):
        found = await asyncio.gather(*(_candidates(engine, gather) for gather in asked))
    with steps.of("fuse"):
        orders = [_order(candidates, explain=request.explain) for candidates in found if candidates is not None]
        more = any(candidates.full for candidates in found if candidates is not None)
        return Order(merge(orders), more)


def _order(candidates: Candidates, *, explain: bool) -> list[Ranked]:
    columns = dict(zip(candidates.signals, candidates.scores.astype(np.float64), strict=True))
    ids = [chunk_id(point) for point in candidates.ids]
    return ranked(ids, columns, judged(columns, candidates.documents), explain=explain)


def _single(request: Search, scope: Scope, place: Place, vectors: Mapping[str, Matrix], pool: int) -> SearchPoints:
    """By one signal alone, as the request's mode says."""
    query: DenseQuery | KeywordQuery
    if request.mode == "dense":
        query = DenseQuery(vector=vectors[place.model], limit=pool)
    else:
        query = KeywordQuery(text=request.query, language=scope.language, limit=pool)
    return SearchPoints(index=place.name, queries=(query,), readers=caller().tokens, filter=place.filter)


async def _list(engine: Vectors, search: SearchPoints) -> tuple[ScoredPoint, ...]:
    """Nothing, while nothing has been written to the index."""
    try:
        return (await engine.search(search)).lists[0]
    except IndexMissing:
        return ()


async def _candidates(engine: Vectors, gather: GatherCandidates) -> Candidates | None:
    """None, while nothing has been written to the index."""
    try:
        return await engine.candidates(gather)
    except IndexMissing:
        return None


def chunk_id(point: UUID) -> str:
    """A chunk's id is its point's, under the chunk's prefix."""
    return f"chk_{point.hex}"
