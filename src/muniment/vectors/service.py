"""The room's use cases: what is sound is analysed and handed to the engine, under its readers."""

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from muniment.kernel.model import Matrix, Nothing
from muniment.kernel.problems import Invalid
from muniment.text.query import query_language, query_terms
from muniment.text.terms import terms
from muniment.vectors import bm25, keywords
from muniment.vectors.contract import (
    AnyOf,
    AnyQuery,
    BadVectors,
    Candidates,
    Count,
    CountPoints,
    DeletePoints,
    DenseQuery,
    EnsureIndex,
    Exists,
    Fetched,
    FetchVectors,
    Filter,
    Found,
    GatherCandidates,
    KeywordQuery,
    Mark,
    NotAfter,
    Payload,
    Point,
    PointIds,
    Range,
    SearchPoints,
    SetPayload,
    Tally,
    TallyPoints,
    TermWeights,
    Upsert,
    VectorsStatus,
    WeighTerms,
)
from muniment.vectors.engine.engine import (
    Engine,
    EnginePoint,
    EngineQuery,
    Gathering,
    Matching,
    Nearest,
    nothing,
)
from muniment.vectors.languages import LanguagesInUse
from muniment.vectors.readers import TokensInUse

_LARGEST_INTEGER = 2**63 - 1
_NAMES = ("collection", "document", "version")
_WEIGHED_AT_ONCE = 100
"""Terms in one call of the engine, which answers nobody else meanwhile: each takes it 0.3 ms."""


class EngineVectors:
    """Vectors over an engine: validation, keyword analysis, and readers in every query."""

    def __init__(self, engine: Engine, *, average_length: float) -> None:
        self._engine = engine
        self._average_length = average_length
        self._tokens = TokensInUse(engine)
        self._languages = LanguagesInUse(engine)

    async def ensure(self, request: EnsureIndex) -> Nothing:
        """Make the index unless it is there."""
        await self._engine.ensure(request.index, request.dimensions, lean=request.lean)
        return Nothing()

    async def upsert(self, request: Upsert) -> Nothing:
        """Durable when answered."""
        _require_sound(request.vectors, len(request.points))
        for point in request.points:
            _require_payload(point.payload, required=("readers", *_NAMES))
        points = await asyncio.to_thread(self._analysed, request.points)
        self._tokens.note(request.index, (point.payload for point in request.points))
        self._languages.note(request.index, (point.payload for point in request.points))
        await self._engine.upsert(request.index, points, request.vectors)
        return Nothing()

    async def delete(self, request: DeletePoints) -> Nothing:
        """Durable when answered."""
        await self._engine.delete(request.index, _checked(request.filter))
        return Nothing()

    async def set_payload(self, request: SetPayload) -> Nothing:
        """Durable, and in force for every search that starts after the answer."""
        _require_payload(request.payload, required=())
        self._tokens.note(request.index, (request.payload,))
        self._languages.note(request.index, (request.payload,))
        await self._engine.set_payload(request.index, _checked(request.filter), request.payload)
        return Nothing()

    async def search(self, request: SearchPoints) -> Found:
        """One round trip for all queries that can find anything."""
        readable = await self._readable(request)
        languages: tuple[str, ...] = ()
        if any(isinstance(query, KeywordQuery) for query in request.queries):
            said = {q.language for q in request.queries if isinstance(q, KeywordQuery) and q.language}
            languages = await self._languages.among(request.index, readable, sorted(said))
        queries = [_query(query, languages) for query in request.queries]
        asked = [query for query in queries if query is not None]
        lists = iter(await self._engine.search(request.index, asked, readable) if asked and readable else ())
        return Found(lists=tuple(() if query is None else next(lists, ()) for query in queries))

    async def candidates(self, request: GatherCandidates) -> Candidates:
        """What a ranking chooses from, with all that it judges by, in one round trip."""
        if request.vector is not None:
            _require_sound(request.vector, 1)
        readable = await self._readable(request)
        languages = await self._languages.among(request.index, readable, request.languages)
        families = dict(zip(keywords.FAMILIES, keywords.of_query(request.text, languages), strict=True))
        vector = None if request.vector is None else request.vector[0]
        asked = Gathering(vector, families, request.pool, request.near)
        found = await self._engine.gather(request.index, asked, readable) if readable else nothing(asked)
        documents, collections = zip(*found.homes, strict=True) if found.homes else ((), ())
        return Candidates(
            ids=PointIds(found.ids),
            documents=documents,
            collections=collections,
            signals=tuple(found.signals),
            scores=found.scores,
            full=found.full,
        )

    async def mark(self, request: Nothing) -> Mark:  # noqa: ARG002 - nothing is what it asks
        """Known here: every write goes through this room."""
        return Mark(mark=self._engine.mark())

    async def fetch(self, request: FetchVectors) -> Fetched:
        """The vectors as the engine keeps them: of length one."""
        ids, vectors = await self._engine.fetch(request.index, list(dict.fromkeys(request.ids)))
        return Fetched(ids=tuple(ids), vectors=vectors)

    async def weigh(self, request: WeighTerms) -> TermWeights:
        """The engine's own IDF, so that it is what keyword scores are made of."""
        readable = await self._readable(request)
        named = (request.language,) if request.language else ()
        languages = await self._languages.among(request.index, readable, named)
        distinct = list(dict.fromkeys(terms(request.text, query_language(request.text, languages))))
        weights = dict.fromkeys(distinct, math.nan)
        if readable:
            for some in (distinct[at : at + _WEIGHED_AT_ONCE] for at in range(0, len(distinct), _WEIGHED_AT_ONCE)):
                found = await self._engine.weigh(request.index, [bm25.term_id(term) for term in some], readable)
                weights |= dict(zip(some, found.tolist(), strict=True))
        unknown = tuple(term for term, weight in weights.items() if math.isnan(weight))
        if unknown:
            points = await self._engine.count(request.index, readable) if readable else 0
            if not points:
                return TermWeights(weights={}, unknown=())
            weights |= dict.fromkeys(unknown, bm25.idf(points, 0))
        return TermWeights(weights=weights, unknown=unknown)

    async def count(self, request: CountPoints) -> Count:
        """How many points the filter matches."""
        return Count(count=await self._engine.count(request.index, _checked(request.filter)))

    async def tally(self, request: TallyPoints) -> Tally:
        """Of every point, whoever reads it: the counts name nothing that is in it."""
        return Tally(counts=await self._engine.tally(request.index, request.field, _checked(request.filter)))

    async def status(self, request: Nothing) -> VectorsStatus:  # noqa: ARG002 - nothing is what it asks
        """The engine and its indexes."""
        return await self._engine.status()

    async def _readable(self, request: SearchPoints | GatherCandidates | WeighTerms) -> Filter:
        """What is asked, and who asks; empty, which no filter with readers is, where they see nothing at all."""
        condition = _checked(request.filter)
        tokens = await self._tokens.among(request.index, request.readers)
        # Sorted, so that the same question is the same bytes to the engine.
        return (AnyOf(field="readers", values=tuple(sorted(tokens))), *condition) if tokens else ()

    def _analysed(self, points: Sequence[Point]) -> list[EnginePoint]:
        return [
            EnginePoint(
                point.id,
                point.payload,
                keywords.of_passage(point.text, point.language, self._average_length),
            )
            for point in points
        ]


def _query(query: AnyQuery, languages: Sequence[str]) -> EngineQuery | None:
    if isinstance(query, DenseQuery):
        _require_sound(query.vector, 1)
        return Nearest(query.vector[0], query.limit)
    words = bm25.of_query(map(bm25.term_id, query_terms(query.text, languages)))
    return Matching(words, query.limit) if len(words.indices) else None


def _checked(condition: Filter) -> Filter:
    for part in condition:
        if not part.field:
            raise Invalid("a condition needs a field")
        if isinstance(part, Range):
            _require_bounds(part)
        elif not isinstance(part, Exists | NotAfter) and not all(_storable(value) for value in part.values):
            raise Invalid(f"the filter on {part.field} holds a number that cannot be kept")
    return condition


def _require_bounds(part: Range) -> None:
    bounds = [bound for bound in (part.gte, part.gt, part.lte, part.lt) if bound is not None]
    if not bounds or len({isinstance(bound, datetime) for bound in bounds}) > 1:
        raise Invalid(f"the range of {part.field} needs bounds, all numbers or all times")


def _require_sound(vectors: Matrix, rows: int) -> None:
    if len(vectors) != rows:
        raise BadVectors(f"{len(vectors)} vectors for {rows} points", row=min(len(vectors), rows))
    sound = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
    if not sound.all():
        row = int(np.argmin(sound))
        raise BadVectors(f"the vector of row {row} is zero or holds what is no number", row=row)


def _require_payload(payload: Payload, required: Sequence[str]) -> None:
    missing = [key for key in required if key not in payload]
    if missing:
        raise Invalid(f"a point needs {', '.join(missing)} in its payload")
    for key, value in payload.items():
        if not key:
            raise Invalid("a payload key is empty")
        values = value if isinstance(value, tuple) else (value,)
        if key == "readers" and not (isinstance(value, tuple) and _all_text(values)):
            raise Invalid("readers must be a list of tokens")
        if key in _NAMES and not isinstance(value, str):
            raise Invalid(f"{key} must be text")
        if not all(_storable(v) for v in values):
            raise Invalid(f"{key} holds a number that cannot be kept")


def _all_text(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, str) for value in values)


def _storable(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) <= _LARGEST_INTEGER
