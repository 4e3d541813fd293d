"""Hybrid retrieval: one round trip to the engine under the access filter, fusion, and the second lock."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from muniment.collections.contract import CollectionMissing, CollectionRef, Collections, Indexes, Lookup
from muniment.documents.contract import CountReadable, Documents, Hydrate, Passage
from muniment.embedding.contract import Embedding, EmbedQueries
from muniment.kernel.caller import caller
from muniment.kernel.epochs import AsOf
from muniment.kernel.logs import get_logger
from muniment.kernel.model import Matrix, Nothing
from muniment.kernel.problems import NotAvailable, Problem
from muniment.models.contract import ModelUnavailable
from muniment.retrieval.contract import Hit, Hits, Scores, Search, Weigh, Weights
from muniment.retrieval.filters import conditions
from muniment.retrieval.fusion import Ranked, fuse, merge
from muniment.retrieval.past import EVERYWHERE, Place, Reach, places, reach, require_past
from muniment.vectors.contract import (
    AnyOf,
    AnyQuery,
    DenseQuery,
    Found,
    IndexMissing,
    KeywordQuery,
    NoneOf,
    ScoredPoint,
    SearchPoints,
    TermWeights,
    Vectors,
    WeighTerms,
)

_log = get_logger(__name__)

MOST_CANDIDATES = 1000
"""No list that is asked of the engine is longer."""


class _Scope(NamedTuple):
    """Where one request looks, the language if it is one, and whether earlier versions may be missing."""

    places: tuple[Place, ...]
    language: str | None
    forgets: bool


class HybridRetrieval:
    """Dense and keyword search in one batch, fused by rank; only what the caller may read now comes back."""

    def __init__(
        self,
        collections: Collections,
        documents: Documents,
        embedding: Embedding,
        vectors: Vectors,
        *,
        candidates: int = 100,
        spare: int = 10,
    ) -> None:
        self._candidates, self._spare = candidates, spare
        self._collections, self._documents = collections, documents
        self._embedding, self._vectors = embedding, vectors
        self._indexes: AsOf[Indexes] = AsOf()

    async def search(self, request: Search) -> Hits:
        """As the contract says."""
        started = time.perf_counter()
        if request.explain:
            raise NotAvailable("explain: explanations are not built in this version of Muniment")
        scope = await self._scope(request)
        degraded = ["history"] if scope.forgets else []
        vectors = await self._embedded(request, scope, degraded)
        hits = await self._hits(request, scope, vectors) if caller().tokens else []
        took_ms = round((time.perf_counter() - started) * 1000, 3)
        return Hits(hits=tuple(hits), took_ms=took_ms, degraded=tuple(degraded))

    async def weigh(self, request: Weigh) -> Weights:
        """As the contract says. Over several indexes a term weighs what it weighs where it is most common."""
        scope = await self._scope(request)
        readers = caller().tokens
        if not readers or not scope.places:
            return Weights(weights={}, unknown=())
        asked = [
            WeighTerms(
                index=place.name,
                text=request.text,
                language=scope.language,
                readers=readers,
                filter=place.filter,
            )
            for place in scope.places
        ]
        found = [w for w in await asyncio.gather(*(self._weights(terms) for terms in asked)) if w is not None]
        if not found:
            return Weights(weights={}, unknown=())
        terms = {term for weights in found for term in weights.weights}
        unknown = set.intersection(*(set(weights.unknown) for weights in found))
        lightest = {t: min(w.weights[t] for w in found if t in w.weights) for t in sorted(terms)}
        return Weights(weights=lightest, unknown=tuple(sorted(unknown)))

    async def _weights(self, terms: WeighTerms) -> TermWeights | None:
        """None while nothing has been written to the index: it is made by its first document."""
        try:
            return await self._vectors.weigh(terms)
        except IndexMissing:
            return None

    async def _found(self, search: SearchPoints) -> Found:
        """Nothing, while nothing has been written to the index."""
        try:
            return await self._vectors.search(search)
        except IndexMissing:
            return Found(lists=tuple(() for _ in search.queries))

    async def _scope(self, request: Search | Weigh) -> _Scope:
        wanted, as_of = conditions(request.filters), request.as_of
        if as_of is not None:
            require_past(as_of)
        if request.collections is None:
            kept = await self._reach(as_of)
            closed = tuple(sorted({*caller().withheld, *kept.off}))
            open_only = (NoneOf(field="collection", values=closed),) if closed else ()
            indexes = (await self._all_indexes()).items
            return _Scope(places(indexes, wanted + open_only, as_of), None, kept.forgets)
        refs = await self._visible(request.collections)
        kept = await self._reach(as_of, refs)
        languages = {ref.language for ref in refs}
        chosen = (AnyOf(field="collection", values=tuple(ref.id for ref in refs)),) if refs else ()
        language = languages.pop() if len(languages) == 1 else None
        return _Scope(places([ref.index for ref in refs], wanted + chosen, as_of), language, kept.forgets)

    async def _reach(self, as_of: datetime | None, refs: Sequence[CollectionRef] | None = None) -> Reach:
        """How far back the collections, or all that the caller reads in, can be searched.

        Raises NotAvailable where they cannot.
        """
        if as_of is None:
            return EVERYWHERE
        ids = None if refs is None else tuple(ref.id for ref in refs)
        kept = (await self._documents.history(CountReadable(collections=ids))).days
        return reach(kept, as_of, None if refs is None else {ref.id: ref.name for ref in refs})

    async def _all_indexes(self) -> Indexes:
        """As of the caller's epoch, which moves with every change of a collection: asked once for each."""
        epoch = caller().epoch
        known = self._indexes.get(epoch, None) if epoch else None
        if known is None:
            known = await self._collections.indexes(Nothing())
            self._indexes.put(epoch, None, known)
        return known

    async def _visible(self, names: Sequence[str]) -> list[CollectionRef]:
        found = (await self._collections.lookup(Lookup(collections=tuple(names)))).items
        by_name = {key: ref for ref in found for key in (ref.name, ref.id)}
        unseen = tuple(ref.id for ref in found if not ref.visible)
        counts: dict[str, int] = {}
        if unseen:
            counts = (await self._documents.count_readable(CountReadable(collections=unseen))).counts
        refs: dict[str, CollectionRef] = {}
        for name in names:
            ref = by_name.get(name)
            if ref is None or not (ref.visible or counts.get(ref.id)):
                raise CollectionMissing(
                    f"there is no collection {name!r} that you may read; leave `collections` out to search all",
                    collection=name,
                )
            refs[ref.id] = ref
        return list(refs.values())

    async def _embedded(self, request: Search, scope: _Scope, degraded: list[str]) -> dict[str, Matrix]:
        """The query's vector by model; in hybrid mode none when the embedding is out of reach."""
        if request.mode == "keyword" or not caller().tokens:
            return {}
        found: dict[str, Matrix] = {}
        for model in sorted({place.model for place in scope.places}):
            try:
                asked = EmbedQueries(model=model, texts=(request.query,))
                found[model] = (await self._embedding.embed_queries(asked)).vectors
            except Problem as problem:
                if request.mode == "dense" or not (problem.retryable or isinstance(problem, ModelUnavailable)):
                    raise
                _log.warning("searching by keywords only", detail=problem.detail)
                degraded.append("dense")
        return found

    async def _hits(self, request: Search, scope: _Scope, vectors: dict[str, Matrix]) -> list[Hit]:
        """Hydrated hits; the pool of candidates grows while the second lock leaves too few of a full one.

        What dropped out may have been replaced since the engine answered: a second look finds what came in its
        stead, so that no search sees neither version.
        """
        pool = min(MOST_CANDIDATES, max(self._candidates, 2 * request.limit))
        first = True
        while True:
            ranked, more = await self._ranked(request, scope, vectors, pool)
            hits, dropped = await self._hydrated(request, ranked)
            short = len(hits) < request.limit and more and pool < MOST_CANDIDATES
            if not short and not (first and dropped):
                return hits
            first = False
            if short:
                pool = min(MOST_CANDIDATES, pool * 3)

    async def _ranked(
        self, request: Search, scope: _Scope, vectors: dict[str, Matrix], pool: int
    ) -> tuple[list[Ranked], bool]:
        """Candidates in their order, and whether the engine has more of them."""
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
        found = await asyncio.gather(*(self._found(search) for search in asked))
        orders = []
        for search, answer in zip(asked, found, strict=True):
            lists = {
                query.kind: _scores(points) for query, points in zip(search.queries, answer.lists, strict=True)
            }
            orders.append(fuse(lists.get("dense"), lists.get("keyword")))
        more = any(len(points) >= pool for answer in found for points in answer.lists)
        return merge(orders), more

    async def _hydrated(self, request: Search, ranked: list[Ranked]) -> tuple[list[Hit], bool]:
        """The best hits that pass the second lock, and whether any that came before them did not."""
        hits: dict[str, Hit] = {}
        dropped = False
        waiting = list(ranked)
        while waiting and len(hits) < request.limit:
            # Reading ahead costs more than it saves while nothing drops out and each chunk is a hit.
            spare = self._spare if dropped or request.group_by else 0
            ahead = request.limit - len(hits) + spare
            batch, waiting = waiting[:ahead], waiting[ahead:]
            asked = Hydrate(chunks=tuple(r.id for r in batch), as_of=request.as_of)
            read = (await self._documents.hydrate(asked)).passages
            for place in batch:
                if len(hits) == request.limit:
                    break
                passage = read.get(place.id)
                if passage is None:
                    dropped = True
                    continue
                unit = passage.document.id if request.group_by == "document" else place.id
                if unit not in hits:
                    hits[unit] = _hit(place, passage)
        return list(hits.values()), dropped


def _hit(place: Ranked, passage: Passage) -> Hit:
    return Hit(
        document=passage.document,
        chunk=passage.chunk,
        parent=passage.parent,
        score=place.score,
        scores=Scores(dense=place.dense, keyword=place.keyword),
    )


def _scores(points: Iterable[ScoredPoint]) -> dict[str, float]:
    return {_chunk_id(point.id): point.score for point in points}


def _chunk_id(point: UUID) -> str:
    """A chunk's id is its point's, under the chunk's prefix."""
    return f"chk_{point.hex}"
