"""The vectors room in memory, for tests of its neighbours: exact filters, plain scores, and ways to go wrong."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from muniment.collections.contract import HISTORY
from muniment.kernel.model import Matrix, Nothing
from muniment.kernel.problems import Problem
from muniment.text.terms import terms
from muniment.vectors import bm25, keywords
from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import (
    AllOf,
    AnyOf,
    Candidates,
    Condition,
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
    IndexMissing,
    IndexStatus,
    Mark,
    NoneOf,
    NotAfter,
    Payload,
    Point,
    PointIds,
    Range,
    ScoredPoint,
    SearchPoints,
    SetPayload,
    Signal,
    Tally,
    TallyPoints,
    TermWeights,
    Upsert,
    VectorsStatus,
    WeighTerms,
)

_AVERAGE_LENGTH = 80.0


class MemoryVectors:
    """Satisfies `Vectors`. `before` is awaited with an operation's name; `fails` makes operations raise."""

    def __init__(self) -> None:
        self.dimensions: dict[str, int] = {}
        self.points: dict[str, dict[UUID, tuple[Point, Matrix]]] = {}
        self.calls: Counter[str] = Counter()
        self.fails: dict[str, Problem] = {}
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}

    def payloads(self, *, history: bool = False, **equal: str) -> list[Payload]:
        """Payloads whose fields have these values, of all current indexes or of all history."""
        found = [
            point.payload
            for name, points in self.points.items()
            if name.endswith(HISTORY) == history
            for point, _ in points.values()
        ]
        return [p for p in found if all(p.get(name) == value for name, value in equal.items())]

    async def _asked(self, operation: str) -> None:
        self.calls[operation] += 1
        await asyncio.sleep(0)
        if operation in self.before:
            await self.before[operation]()
        if operation in self.fails:
            raise self.fails[operation]

    def _index(self, name: str) -> dict[UUID, tuple[Point, Matrix]]:
        if name not in self.points:
            raise IndexMissing(f"no index {name}", index=name)
        return self.points[name]

    async def ensure(self, request: EnsureIndex) -> Nothing:
        await self._asked("ensure")
        self.dimensions[request.index] = request.dimensions
        self.points.setdefault(request.index, {})
        return Nothing()

    async def upsert(self, request: Upsert) -> Nothing:
        await self._asked("upsert")
        index = self._index(request.index)
        assert request.vectors.shape == (len(request.points), self.dimensions[request.index])
        for point, vector in zip(request.points, request.vectors, strict=True):
            assert {"readers", "collection", "document", "version"} <= point.payload.keys()
            assert point.payload["readers"]
            index[point.id] = (point, vector)
        return Nothing()

    async def delete(self, request: DeletePoints) -> Nothing:
        await self._asked("delete")
        index = self._index(request.index)
        for id_ in [id_ for id_, (point, _) in index.items() if _fits(point.payload, request.filter)]:
            del index[id_]
        return Nothing()

    async def set_payload(self, request: SetPayload) -> Nothing:
        await self._asked("set_payload")
        index = self._index(request.index)
        for id_, (point, vector) in list(index.items()):
            if _fits(point.payload, request.filter):
                index[id_] = (point.model_copy(update={"payload": point.payload | request.payload}), vector)
        return Nothing()

    async def search(self, request: SearchPoints) -> Found:
        await self._asked("search")
        seen = [
            (point, vector)
            for point, vector in self._index(request.index).values()
            if _fits(point.payload, (AnyOf(field="readers", values=tuple(request.readers)), *request.filter))
        ]
        lists = []
        for query in request.queries:
            if isinstance(query, DenseQuery):
                scored = [(float(vector @ query.vector[0]), point) for point, vector in seen]
            else:
                words = set(terms(query.text, query.language))
                shared = [(len(words & set(terms(point.text, point.language))), point) for point, _ in seen]
                scored = [(float(score), point) for score, point in shared if score]
            scored.sort(key=lambda pair: (-pair[0], pair[1].id))
            lists.append(tuple(_scored(score, point) for score, point in scored[: query.limit]))
        return Found(lists=tuple(lists))

    async def candidates(self, request: GatherCandidates) -> Candidates:
        await self._asked("candidates")
        allowed = (AnyOf(field="readers", values=tuple(request.readers)), *request.filter)
        seen = {
            i: (point, vector)
            for i, (point, vector) in self._index(request.index).items()
            if _fits(point.payload, allowed)
        }
        scores: dict[Signal, dict[UUID, float]] = {}
        if request.vector is not None:
            scores["dense"] = {i: float(vector @ request.vector[0]) for i, (_, vector) in seen.items()}
        held = {i: keywords.of_passage(p.text, p.language, _AVERAGE_LENGTH) for i, (p, _) in seen.items()}
        asked = keywords.of_query(request.text, request.languages)
        for signal, family in zip(keywords.FAMILIES, asked, strict=True):
            scores[signal] = _bm25(family, held)
        best = [sorted(found, key=lambda i: (-found[i], i))[: request.pool] for found in scores.values()]
        ids = list(dict.fromkeys(i for some in best for i in some))
        rows = [[found.get(i, 0.0) for i in ids] for found in scores.values()]
        return Candidates(
            ids=PointIds(ids),
            documents=tuple(str(seen[i][0].payload["document"]) for i in ids),
            collections=tuple(str(seen[i][0].payload["collection"]) for i in ids),
            signals=tuple(scores),
            scores=np.array(rows, np.float32).reshape(len(scores), len(ids)),
            full=any(len(some) == request.pool for some in best),
        )

    async def mark(self, request: Nothing) -> Mark:  # noqa: ARG002 - the contract's shape
        await self._asked("mark")
        return Mark(mark=str(sum(self.calls[name] for name in ("ensure", "upsert", "delete", "set_payload"))))

    async def fetch(self, request: FetchVectors) -> Fetched:
        await self._asked("fetch")
        index = self._index(request.index)
        ids = [id_ for id_ in request.ids if id_ in index]
        empty = np.zeros((0, self.dimensions[request.index]), np.float32)
        return Fetched(ids=tuple(ids), vectors=np.stack([index[id_][1] for id_ in ids]) if ids else empty)

    async def weigh(self, request: WeighTerms) -> TermWeights:
        await self._asked("weigh")
        allowed = (AnyOf(field="readers", values=tuple(request.readers)), *request.filter)
        seen = [point for point, _ in self._index(request.index).values() if _fits(point.payload, allowed)]
        held = {term for point in seen for term in terms(point.text, point.language)}
        asked = dict.fromkeys(terms(request.text, request.language), 1.0)
        return TermWeights(weights=asked, unknown=tuple(term for term in asked if term not in held))

    async def count(self, request: CountPoints) -> Count:
        await self._asked("count")
        index = self._index(request.index)
        return Count(count=sum(_fits(point.payload, request.filter) for point, _ in index.values()))

    async def tally(self, request: TallyPoints) -> Tally:
        await self._asked("tally")
        counts: Counter[str] = Counter()
        for point, _ in self._index(request.index).values():
            if _fits(point.payload, request.filter):
                held = point.payload[request.field]
                counts.update(map(str, held if isinstance(held, tuple) else (held,)))
        return Tally(counts=dict(counts))

    async def status(self, request: Nothing) -> VectorsStatus:  # noqa: ARG002 - the contract's shape
        await self._asked("status")
        return VectorsStatus(
            engine="memory",
            indexes=tuple(
                IndexStatus(name=name, points=len(points), dimensions=self.dimensions[name])
                for name, points in self.points.items()
            ),
        )


def _bm25(asked: Keywords, held: dict[UUID, Keywords]) -> dict[UUID, float]:
    """Of those that hold a term: the engine's IDF, over what is given."""
    scores: Counter[UUID] = Counter()
    for term, weight in zip(asked.indices.tolist(), asked.values.tolist(), strict=True):
        holders = {i: float(k.values[k.indices == term][0]) for i, k in held.items() if term in k.indices}
        rarity = bm25.idf(len(held), len(holders))
        for i, stored in holders.items():
            scores[i] += weight * stored * rarity  # type: ignore[assignment]  # counters add floats as well
    return dict(scores)


def _scored(score: float, point: Point) -> ScoredPoint:
    document, version = str(point.payload["document"]), str(point.payload["version"])
    return ScoredPoint(id=point.id, score=score, document=document, version=version)


def _fits(payload: Payload, conditions: Filter) -> bool:
    return all(_holds(_values(payload.get(condition.field)), condition) for condition in conditions)


def _values(value: Any) -> set[Any]:
    if value is None:
        return set()
    return set(value) if isinstance(value, tuple | list) else {value}


def _holds(values: set[Any], condition: Condition) -> bool:
    match condition:
        case AnyOf():
            return not values.isdisjoint(condition.values)
        case AllOf():
            return values.issuperset(condition.values)
        case NoneOf():
            return values.isdisjoint(condition.values)
        case Exists():
            return bool(values) == condition.exists
        case Range():
            return any(_within(value, condition) for value in values)
        case NotAfter():
            return not any(_within(value, Range(field=condition.field, gt=condition.at)) for value in values)


def _within(value: Any, bounds: Range) -> bool:
    pairs: Iterable[tuple[Any, Callable[[Any, Any], bool]]] = (
        (bounds.gte, lambda a, b: a >= b),
        (bounds.gt, lambda a, b: a > b),
        (bounds.lte, lambda a, b: a <= b),
        (bounds.lt, lambda a, b: a < b),
    )
    return all(
        holds(datetime.fromisoformat(value) if isinstance(bound, datetime) else value, bound)
        for bound, holds in pairs
        if bound is not None
    )
