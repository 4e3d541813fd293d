"""Hybrid retrieval: one round trip to the engine under the access filter, one order, and the second lock."""

from collections.abc import Sequence

from muniment.collections.contract import Collections
from muniment.documents.contract import Documents
from muniment.embedding.contract import Embedding, EmbedQueries
from muniment.kernel.caller import caller
from muniment.kernel.logs import get_logger
from muniment.kernel.model import Matrix, Nothing
from muniment.kernel.problems import Problem, Throttled, Unavailable
from muniment.models.contract import ModelBroken, ModelMissing
from muniment.retrieval.candidates import Look, likely_saying, ordered, reads_any, together
from muniment.retrieval.contract import Explained, ExplainSearch, Hit, Hits, Search, Weigh, Weights
from muniment.retrieval.explaining import Explaining
from muniment.retrieval.hydrating import hydrated
from muniment.retrieval.kept import KeptAnswers, Marks, Question, question
from muniment.retrieval.remembered import Remembered
from muniment.retrieval.reranking.judging import Judging
from muniment.retrieval.scope import Asked, Scope, Scoping
from muniment.retrieval.slips import LOOKED_AT, mended_from, suspects, without_slips
from muniment.retrieval.steps import Steps
from muniment.text.phrases import Unquoted, mentions, unquoted
from muniment.text.query import language_told
from muniment.vectors.contract import EngineDown, IndexMissing, TermWeights, Vectors, WeighTerms

_log = get_logger(__name__)

MOST_CANDIDATES = 1000
"""No list that is asked of the engine is longer."""


_REMEMBERED = 8
"""The share of the cache's memory, as its divisor, for what was found before."""


class HybridRetrieval:
    """Candidates by meaning and by words in one batch, one order; only what the caller may read comes back."""

    def __init__(
        self,
        collections: Collections,
        documents: Documents,
        embedding: Embedding,
        vectors: Vectors,
        *,
        candidates: int = 100,
        spare: int = 10,
        cache_bytes: int = 0,
        judging: Judging | None = None,
    ) -> None:
        self._judging = judging
        self._candidates, self._spare = candidates, spare
        self._documents, self._embedding, self._vectors = documents, embedding, vectors
        self._scoping = Scoping(collections, documents)
        self._kept = KeptAnswers(cache_bytes)
        self._remembered = Remembered(documents, cache_bytes // _REMEMBERED)
        self._explaining = Explaining(self._scoping, documents, vectors, self.search, self._query_vectors)

    async def search(self, request: Search) -> Hits:
        """As the contract says; the same question under the same marks is answered from memory.

        While the engine is down, by what it said last, read anew.
        """
        steps = Steps()
        key = question(request, caller())
        try:
            return await self._answered(request, key, steps)
        except (EngineDown, Unavailable) as down:
            past = await self._remembered.answer(key)
            if past is None:
                raise
            _log.warning("searching by what was found before", detail=down.detail)
            return past.model_copy(update={"took_ms": steps.took_ms, "timings": steps.timings})

    async def _answered(self, request: Search, key: Question, steps: Steps) -> Hits:
        with steps.of("cache"):
            marks = await self._marks(request)
            known = self._kept.get(marks, key) if marks else None
        if known is not None:
            return known.model_copy(update={"took_ms": steps.took_ms, "timings": steps.timings})
        found = await self._searched(request, steps)
        if self._may_keep(request) and not found.degraded:
            if not request.filters:  # which another time may not be passed
                self._remembered.put(key, found)
            if marks:
                self._kept.put(marks, key, found)
        return found

    async def explain(self, request: ExplainSearch) -> Explained:
        """As the contract says."""
        return await self._explaining.explain(request)

    async def _marks(self, request: Search) -> Marks | None:
        """What the data is at present; None where nothing is kept, or it cannot be told."""
        if not self._may_keep(request):
            return None
        documents = (await self._documents.mark(Nothing())).mark
        vectors = (await self._vectors.mark(Nothing())).mark
        return Marks(documents, vectors) if documents and vectors else None

    def _may_keep(self, request: Search) -> bool:
        return self._kept.on and request.as_of is None and not request.explain

    async def _searched(self, request: Search, steps: Steps) -> Hits:
        with steps.of("scope"):
            where = Asked(request.collections, request.filters, request.as_of, request.standby)
            scope = await self._scoping.of(where)
        degraded = ["history"] if scope.forgets else []
        said = unquoted(request.query)
        if said.text != request.query:
            request = request.model_copy(update={"query": said.text})
        with steps.of("embed"):
            vectors = await self._embedded(request, scope, degraded)
        look = Look(_wide(request, said), scope, vectors, said.phrases)
        hits = await self._judged(look, steps, degraded) if caller().tokens else []
        mended, better = None, list[Hit]()
        try:
            mended = await self._mended(look, said, hits, steps, degraded)
            better = await self._judged(mended, steps, degraded) if mended is not None else []
        except (Throttled, EngineDown, Unavailable) as busy:
            if not hits:
                raise
            _log.info("not asked again without its slips", detail=busy.detail)
        return Hits(
            hits=tuple(better or hits)[: request.limit],
            took_ms=steps.took_ms,
            timings=steps.timings,
            corrected=mended.request.query if better and mended is not None else None,
            degraded=tuple(dict.fromkeys(degraded)),
        )

    async def _mended(
        self, look: Look, said: Unquoted, hits: Sequence[Hit], steps: Steps, degraded: list[str]
    ) -> Look | None:
        """What was probably meant: without quotes that mention where nothing was found, or without a slip."""
        request = look.request
        if not caller().tokens:
            return None
        if look.phrases:
            in_vain = not hits and request.mode != "keyword"
            return look._replace(phrases=()) if in_vain and mentions(said) else None
        if request.mode == "dense" or (hits and request.mode == "keyword"):
            return None
        query = await (self._without_likely_slips(look, hits) if hits else self._without_slips(look))
        if query is None:
            return None
        request = request.model_copy(update={"query": query})
        with steps.of("embed"):
            vectors = await self._embedded(request, look.scope, degraded)
        return look._replace(request=request, vectors=vectors)

    async def _without_likely_slips(self, look: Look, hits: Sequence[Hit]) -> str | None:
        """The query as it was probably meant; asks nobody unless a word is in none of the hits, but a near one."""
        query, scope = look.request.query, look.scope
        language = language_told(query) or scope.language
        words = suspects(query, hits, language)
        unknown = (await self._weighed(scope, " ".join(words), language)).unknown if words else ()
        return mended_from(query, hits, unknown, language) if unknown else None

    async def _without_slips(self, look: Look) -> str | None:
        """The query as it was probably meant; only where a word of it stands in nothing that the caller reads."""
        query, scope = look.request.query, look.scope
        weights = await self._weighed(scope, query, scope.language)
        if not weights.unknown:
            return None
        return await without_slips(self._vectors, self._documents, query, scope, weights)

    async def weigh(self, request: Weigh) -> Weights:
        """As the contract says. Over several indexes a term weighs what it weighs where it is most common."""
        scope = await self._scoping.of(Asked(request.collections, request.filters, request.as_of))
        return await self._weighed(scope, request.text, scope.language)

    async def _weighed(self, scope: Scope, text: str, language: str | None) -> Weights:
        readers = caller().tokens
        if not readers or not scope.places:
            return Weights(weights={}, unknown=())
        wanted = [
            WeighTerms(
                index=place.name,
                text=text,
                language=language,
                readers=readers,
                filter=place.filter,
            )
            for place in scope.places
        ]
        found = [w for w in await together([self._weights(terms) for terms in wanted]) if w and w.weights]
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

    async def _embedded(self, request: Search, scope: Scope, degraded: list[str]) -> dict[str, Matrix]:
        """The query's vector by model; in hybrid mode none when the embedding is out of reach."""
        if request.mode == "keyword" or not caller().tokens:
            return {}
        found: dict[str, Matrix] = {}
        for model in sorted({place.model for place in scope.places}):
            try:
                query = EmbedQueries(model=model, texts=(request.query,))
                found[model] = (await self._embedding.embed_queries(query)).vectors
            except Problem as problem:
                theirs = [place for place in scope.places if place.model == model]
                if not any([await reads_any(self._vectors, place) for place in theirs]):
                    continue  # what fails for others is not told
                lost = isinstance(problem, ModelBroken | ModelMissing)
                if request.mode == "dense" or not (problem.retryable or lost):
                    raise
                _log.warning("searching by keywords only", detail=problem.detail)
                degraded += [] if "dense" in degraded else ["dense"]
        return found

    async def _query_vectors(self, query: str, scope: Scope) -> dict[str, Matrix]:
        return await self._embedded(Search(query=query), scope, [])

    async def _judged(self, look: Look, steps: Steps, degraded: list[str]) -> list[Hit]:
        """The hits, put in order by the reranker where there is one: of more than are wanted, the best."""
        judging, request = self._judging, look.request
        if judging is None:
            return await self._hits(look, steps)
        most = max(request.limit, judging.candidates)
        wide = look._replace(request=request.model_copy(update={"limit": most}))
        found = await self._hits(wide, steps)
        with steps.of("rerank"):
            hits = await judging.judged(request.query, found, degraded)
        return hits[: request.limit]

    async def _hits(self, look: Look, steps: Steps) -> list[Hit]:
        """Hydrated hits; the pool of candidates grows while the second lock leaves too few of a full one.

        Where too few say a phrase, those are read that are likely to.
        What dropped out may have been replaced since the engine answered: a second look finds what came in its
        stead, so that no search sees neither version.
        """
        request = look.request
        ranking = request.ranking or look.scope.ranking
        pool = min(MOST_CANDIDATES, max(ranking.candidates or self._candidates, 2 * request.limit))
        first, refused = True, set[str]()
        while True:
            ranked, more = await ordered(self._vectors, look, pool, steps)
            with steps.of("hydrate"):
                hits, dropped = await hydrated(self._documents, look, ranked, self._spare, refused)
            lacks = len(hits) < request.limit and more
            short = lacks and pool < MOST_CANDIDATES
            if lacks and look.phrases and request.mode != "dense":
                further = await likely_saying(self._vectors, look, ranked, MOST_CANDIDATES, steps)
                with steps.of("hydrate"):
                    return (await hydrated(self._documents, look, further, self._spare, refused)).hits
            if not short and not (first and dropped):
                return hits
            first = False
            if short:
                pool = min(MOST_CANDIDATES, pool * 3)


def _wide(request: Search, said: Unquoted) -> Search:
    """Enough hits to tell a slip by, however few are wanted: the first of ten is the first of one."""
    if request.mode != "hybrid" or said.phrases or request.group_by or request.limit >= LOOKED_AT:
        return request
    return request.model_copy(update={"limit": LOOKED_AT})
