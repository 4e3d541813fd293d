"""The candidates of a query in their order, from every index in its scope."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np

from muniment.collections.contract import Ranking
from muniment.kernel.caller import caller
from muniment.kernel.model import Matrix
from muniment.models.contract import BUNDLED_EMBEDDING
from muniment.retrieval.constants import DEFAULTS, RankingWeights
from muniment.retrieval.contract import Search
from muniment.retrieval.fusion import Ranked, alone, by_documents, merge
from muniment.retrieval.places import Place
from muniment.retrieval.ranking import WORDS, judged, ranked, whole
from muniment.retrieval.scope import Scope
from muniment.retrieval.steps import Steps
from muniment.vectors.contract import (
    AnyOf,
    Candidates,
    CountPoints,
    DenseQuery,
    GatherCandidates,
    IndexMissing,
    KeywordQuery,
    PointIds,
    ScoredPoint,
    SearchPoints,
    Vectors,
)

T = TypeVar("T")


class Look(NamedTuple):
    """What is looked for: the query without its quotes, where, its vector by model, and what must be said so."""

    request: Search
    scope: Scope
    vectors: Mapping[str, Matrix]
    phrases: tuple[str, ...] = ()


class Order(NamedTuple):
    """Candidates, best first, and whether the engine has more of them."""

    ranked: list[Ranked]
    more: bool


async def ordered(engine: Vectors, look: Look, pool: int, steps: Steps) -> Order:
    """The order over all places; `pool` is the length of each list."""
    request, scope = look.request, look.scope
    if request.mode == "hybrid":
        return await _judged(engine, look, pool, steps)
    with steps.of("engine"):
        places = [p for p in scope.places if request.mode == "keyword" or p.model in look.vectors]
        asked = [_single(look, place, pool) for place in places]
        found = await together([_list(engine, search) for search in asked])
    with steps.of("fuse"):
        named = [dict(zip(chunk_ids(PointIds(p.id for p in points)), points, strict=True)) for points in found]
        homes = {name: point.document for points in named for name, point in points.items()}
        orders = [alone(request.mode, {name: p.score for name, p in points.items()}, homes) for points in named]
        return Order(merge(orders), any(len(points) >= pool for points in found))


async def likely_saying(
    engine: Vectors, look: Look, ranked: Sequence[Ranked], most: int, steps: Steps
) -> list[Ranked]:
    """Behind those that are `ranked`, others that may say the phrases: `most` of each list.

    Those with the phrases' own words and letters; those near in meaning; and those with the words of the whole
    query, since many may have those of the phrases, and these may be no terms. One signal alone brings a thousand
    in a tenth of the time that all signals of a thousand take.
    """
    request = look.request
    phrases = request.model_copy(update={"query": " ".join(look.phrases)})
    looks = [look._replace(request=phrases, vectors={})]
    if request.mode == "hybrid":
        looks += [
            look._replace(request=request.model_copy(update={"mode": mode})) for mode in ("dense", "keyword")
        ]
    elif phrases.query != request.query:
        looks.append(look)
    found = [(await ordered(engine, some, most, steps)).ranked[:most] for some in looks]
    known, least = {place.id for place in ranked}, min((place.score for place in ranked), default=1.0)
    cosines = {place.id: place.dense for order in found for place in order if place.dense is not None}
    words = {place.id: place.keyword for place in found[-1]}  # of the whole query, as those of the others
    return [
        *ranked,
        *(
            place._replace(
                score=least * place.score, dense=cosines.get(place.id), keyword=words.get(place.id), parts=()
            )
            for place in merge(found)
            if place.id not in known
        ),
    ]


async def _judged(engine: Vectors, look: Look, pool: int, steps: Steps) -> Order:
    """By all signals at once; without the vector of an index's model, by its words."""
    request, scope = look.request, look.scope
    weights = weights_of(request.ranking or scope.ranking)
    asked = [
        GatherCandidates(
            index=place.name,
            text=request.query,
            languages=scope.languages,
            vector=look.vectors.get(place.model),
            pool=pool,
            near=_near(place, weights),
            readers=caller().tokens,
            filter=place.filter,
        )
        for place in scope.places
    ]
    with steps.of("engine"):
        found = await together([gathered(engine, gather) for gather in asked])
    with steps.of("fuse"):
        by_model: dict[str, list[Candidates]] = {}
        for place, candidates in zip(scope.places, found, strict=True):
            if candidates is not None and candidates.ids:
                by_model.setdefault(place.model, []).append(candidates)
        priors = {} if request.ranking else scope.priors
        orders = [_order(some, weights, priors, request) for some in by_model.values()]
        more = any(candidates.full for some in by_model.values() for candidates in some)
        return Order(merge(orders), more)


def _near(place: Place, weights: RankingWeights) -> float | None:
    """The cosine from which spelling need not be looked for: of the bundled model, judged as it is by default."""
    is_usual = all(getattr(weights, side) == getattr(DEFAULTS, side) for side in ("dense", *WORDS))
    return weights.near if place.model == BUNDLED_EMBEDDING and is_usual else None


@lru_cache(maxsize=64)
def weights_of(ranking: Ranking) -> RankingWeights:
    """The table's weights, but for those that a collection or a request sets."""
    return DEFAULTS.model_copy(update=ranking.model_dump(exclude={"candidates"}, exclude_none=True))


def _order(
    found: Sequence[Candidates], weights: RankingWeights, priors: Mapping[str, float], request: Search
) -> list[Ranked]:
    """Those of all indexes of one model, judged together: their cosines compare, and their words nearly do.

    Where documents are asked for, these are judged, and their passages only within them.
    """
    scores = np.concatenate([candidates.scores for candidates in found], axis=1).astype(np.float64)
    columns = dict(zip(found[0].signals, scores, strict=True))
    ids = [name for candidates in found for name in chunk_ids(candidates.ids)]
    documents = [document for candidates in found for document in candidates.documents]
    homes = [collection for candidates in found for collection in candidates.collections]
    told = bool(priors) and len(homes) == len(ids)  # an older vectors room names no collections
    by_home = np.array([priors.get(home, weights.prior) for home in homes]) if told else None
    listed = request.group_by != "document"
    found_alone = judged(columns, documents, weights, priors=by_home)
    passages = ranked(ids, documents, columns, found_alone, explain=request.explain and listed)
    if listed:
        return passages
    first, best = whole(columns, documents)
    names = [documents[place] for place in first]
    of_documents = judged(best, names, weights, priors=None if by_home is None else by_home[first])
    return by_documents(passages, ranked(names, names, best, of_documents, explain=request.explain))


def _single(look: Look, place: Place, pool: int) -> SearchPoints:
    """By one signal alone, as the request's mode says."""
    request, scope = look.request, look.scope
    query: DenseQuery | KeywordQuery
    if request.mode == "dense":
        query = DenseQuery(vector=look.vectors[place.model], limit=pool)
    else:
        query = KeywordQuery(text=request.query, language=scope.language, limit=pool)
    return SearchPoints(index=place.name, queries=(query,), readers=caller().tokens, filter=place.filter)


async def _list(engine: Vectors, search: SearchPoints) -> tuple[ScoredPoint, ...]:
    """Nothing, while nothing has been written to the index."""
    try:
        return (await engine.search(search)).lists[0]
    except IndexMissing:
        return ()


async def together(asked: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All answers, in order; a single one is waited for here, which costs no task."""
    return [await asked[0]] if len(asked) == 1 else await asyncio.gather(*asked)


async def gathered(engine: Vectors, gather: GatherCandidates) -> Candidates | None:
    """None, while nothing has been written to the index."""
    try:
        return await engine.candidates(gather)
    except IndexMissing:
        return None


async def reads_any(engine: Vectors, place: Place) -> bool:
    """Whether the caller may find anything there."""
    readers = AnyOf(field="readers", values=tuple(sorted(caller().tokens)))
    try:
        return (await engine.count(CountPoints(index=place.name, filter=(readers, *place.filter)))).count > 0
    except IndexMissing:
        return False


def chunk_ids(points: PointIds) -> list[str]:
    """A chunk's id is its point's, under the chunk's prefix."""
    return [f"chk_{digits}" for digits in points.hexes]
