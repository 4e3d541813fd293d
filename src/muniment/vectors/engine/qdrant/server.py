"""A Qdrant server or cluster: the data model of Edge, a collection for each index, many processes at once."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_client import AsyncQdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from qdrant_client.models import (
    Filter,
    HasIdCondition,
    IdfCorpusParams,
    PointIdsList,
    PointStruct,
    QueryRequest,
    ScoredPoint,
    SearchParams,
    SparseVector,
    VectorParams,
)

from muniment.kernel.model import Matrix
from muniment.kernel.problems import NotAvailable
from muniment.vectors import contract
from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import BadVectors, EngineDown, IndexMissing, IndexStatus, Payload, VectorsStatus
from muniment.vectors.engine.engine import (
    DENSE,
    KEYWORDS,
    EnginePoint,
    EngineQuery,
    Gathered,
    Gathering,
    Home,
    Nearest,
    signals_of,
)
from muniment.vectors.engine.qdrant.collection import create
from muniment.vectors.engine.qdrant.filter import server_filter
from muniment.vectors.engine.stored import stored

_SLICE = 256
_OLDEST = (1, 19)
"""The first server that takes IDF over what a filter lets through."""

_RETRY_SECONDS = 1.0
_NOT_FOUND, _CONFLICT = 404, 409
_FORBIDDEN, _BUSY, _FAILED = frozenset({401, 403}), frozenset({408, 429}), 500


class QdrantEngine:
    """Every write waits until the server has applied it. IDF is taken over all that the filter lets through."""

    def __init__(self, client: AsyncQdrantClient, *, prefix: str, replicas: int = 1) -> None:
        self._client = client
        self._prefix = prefix
        self._replicas = replicas
        self._version: str | None = None
        self._dimensions: dict[str, int] = {}

    async def ensure(self, index: str, dimensions: int, *, lean: bool = False) -> None:
        """Make the collection unless it is there."""
        async with self._answering(index):
            if not await self._client.collection_exists(self._name(index)):
                await self._create(index, dimensions, lean=lean)
        await self._require(index, dimensions)

    async def upsert(self, index: str, points: Sequence[EnginePoint], vectors: Matrix) -> None:
        """Put points, slice by slice; a failure in the middle leaves those before it in place."""
        await self._require(index, vectors.shape[1])
        rows = vectors.tolist()
        for start in range(0, len(points), _SLICE):
            some = zip(points[start : start + _SLICE], rows[start : start + _SLICE], strict=True)
            made = [
                PointStruct(
                    id=str(p.id), vector={DENSE: row, KEYWORDS: _sparse(p.keywords)}, payload=stored(p.payload)
                )
                for p, row in some
            ]
            async with self._answering(index):
                await self._client.upsert(self._name(index), made, wait=True)

    async def delete(self, index: str, condition: contract.Filter) -> None:
        """Delete what the filter matches, slice by slice."""
        async for ids in self._pages(index, condition):
            async with self._answering(index):
                await self._client.delete(self._name(index), PointIdsList(points=ids), wait=True)

    async def set_payload(self, index: str, condition: contract.Filter, payload: Payload) -> None:
        """Replace keys on what the filter matches, slice by slice in the order of ids."""
        async for ids in self._pages(index, condition):
            async with self._answering(index):
                await self._client.set_payload(self._name(index), stored(payload), points=ids, wait=True)

    async def search(
        self, index: str, queries: Sequence[EngineQuery], condition: contract.Filter
    ) -> list[tuple[contract.ScoredPoint, ...]]:
        """All queries in one round trip."""
        allowed = server_filter(condition)
        for query in queries:
            if isinstance(query, Nearest):
                await self._require(index, len(query.vector))
        requests = [
            _near(query.vector, allowed, query.limit)
            if isinstance(query, Nearest)
            else _matching(query.keywords, allowed, query.limit, allowed)
            for query in queries
        ]
        found = await self._batch(index, requests, ["document", "version"])
        return [_ranked(points) for points in found]

    async def gather(self, index: str, asked: Gathering, condition: contract.Filter) -> Gathered:
        """Two round trips: the best by each signal, and what the others say of them."""
        allowed = server_filter(condition)
        if asked.vector is not None:
            await self._require(index, len(asked.vector))
        sides = {name: keywords for name, keywords in asked.families.items() if len(keywords.indices)}
        signals = [name for name in signals_of(asked) if name == "dense" or name in sides]

        def request(name: contract.Signal, within: Filter, limit: int) -> QueryRequest:
            if name == "dense":
                assert asked.vector is not None
                return _near(asked.vector, within, limit)
            return _matching(sides[name], within, limit, allowed)

        wanted = [request(name, allowed, asked.pool) for name in signals]
        lists = await self._batch(index, wanted, list(Home._fields))
        homes = {str(p.id): _home(p) for points in lists for p in points}
        known = {name: {str(p.id): p.score for p in points} for name, points in zip(signals, lists, strict=True)}
        missing = {name: ids for name in signals if (ids := [i for i in homes if i not in known[name]])}
        rest = await self._batch(
            index,
            [
                request(name, Filter(must=[HasIdCondition(has_id=list(ids))]), len(ids))
                for name, ids in missing.items()
            ],
            None,
        )
        for name, points in zip(missing, rest, strict=True):
            known[name] |= {str(p.id): p.score for p in points}
        columns = [[known.get(name, {}).get(i, 0.0) for i in homes] for name in signals_of(asked)]
        return Gathered(
            [UUID(i) for i in homes],
            list(homes.values()),
            signals_of(asked),
            np.array(columns, np.float32).reshape(len(columns), len(homes)),
            any(len(points) == asked.pool for points in lists),
        )

    def mark(self) -> None:
        """Others may write too."""

    async def fetch(self, index: str, ids: Sequence[UUID]) -> tuple[list[UUID], Matrix]:
        """The dense vectors of those that exist, slice by slice."""
        dimensions = await self._known(index)
        found: dict[UUID, Any] = {}
        for start in range(0, len(ids), _SLICE):
            some = [str(i) for i in ids[start : start + _SLICE]]
            async with self._answering(index):
                records = await self._client.retrieve(
                    self._name(index), some, with_payload=False, with_vectors=[DENSE]
                )
            found |= {UUID(str(r.id)): _named(r.vector, DENSE) for r in records}
        there = [i for i in ids if i in found]
        return there, np.array([found[i] for i in there], np.float32).reshape(len(there), dimensions)

    async def weigh(self, index: str, term_ids: Sequence[int], condition: contract.Filter) -> NDArray[np.float32]:
        """The IDF of each term: what its best holder scores, by what that holder stores."""
        allowed = server_filter(condition)
        requests = [
            _matching(Keywords(np.array([term], np.uint32), np.ones(1, np.float32)), allowed, 1, allowed)
            for term in term_ids
        ]
        weights = np.full(len(term_ids), np.nan, np.float32)
        best = await self._batch(index, requests, None, vectors=[KEYWORDS])
        for at, (term, points) in enumerate(zip(term_ids, best, strict=True)):
            for point in points:
                held = _named(point.vector, KEYWORDS)
                weights[at] = point.score / held.values[held.indices.index(term)]
        return weights

    async def count(self, index: str, condition: contract.Filter) -> int:
        """How many points the filter matches, exactly."""
        await self._known(index)
        async with self._answering(index):
            return (await self._client.count(self._name(index), server_filter(condition), exact=True)).count

    async def tally(self, index: str, field: str, condition: contract.Filter) -> dict[str, int]:
        """How many points hold each value of the field, exactly."""
        most = max(1, await self.count(index, condition))
        while True:
            async with self._answering(index):
                found = await self._client.facet(
                    self._name(index), field, server_filter(condition), limit=most, exact=True
                )
            if len(found.hits) < most:
                return {str(hit.value): hit.count for hit in found.hits}
            most *= 4  # a point may hold many values

    async def status(self) -> VectorsStatus:
        """The indexes and their sizes."""
        async with self._answering(""):
            collections = (await self._client.get_collections()).collections
        names = sorted(c.name.removeprefix(self._prefix) for c in collections if c.name.startswith(self._prefix))
        return VectorsStatus(
            engine=f"qdrant {self._version}",
            indexes=tuple(
                [
                    IndexStatus(name=name, points=await self.count(name, ()), dimensions=await self._known(name))
                    for name in names
                ]
            ),
        )

    def _name(self, index: str) -> str:
        return f"{self._prefix}{index}"

    async def _create(self, index: str, dimensions: int, *, lean: bool) -> None:
        try:
            await create(self._client, self._name(index), dimensions, lean=lean, replicas=self._replicas)
        except UnexpectedResponse as refused:
            if refused.status_code != _CONFLICT:  # another process was quicker
                raise

    async def _known(self, index: str) -> int:
        """The dimensions of an index.

        Raises IndexMissing.
        """
        if index not in self._dimensions:
            async with self._answering(index):
                if not await self._client.collection_exists(self._name(index)):
                    raise IndexMissing(f"there is no index {index!r}", index=index)
                vectors = (await self._client.get_collection(self._name(index))).config.params.vectors
            assert isinstance(vectors, dict)
            dense = vectors[DENSE]
            assert isinstance(dense, VectorParams)
            self._dimensions[index] = dense.size
        return self._dimensions[index]

    async def _require(self, index: str, dimensions: int) -> None:
        known = await self._known(index)
        if known != dimensions:
            raise BadVectors(f"index {index!r} has {known} dimensions, not {dimensions}", index=index, row=0)

    async def _batch(
        self,
        index: str,
        requests: Sequence[QueryRequest],
        fields: list[str] | None,
        vectors: list[str] | None = None,
    ) -> list[list[ScoredPoint]]:
        await self._known(index)
        if not requests:
            return []
        for request in requests:
            request.with_payload, request.with_vector = fields or False, vectors or False
        async with self._answering(index):
            replies = await self._client.query_batch_points(self._name(index), requests)
        return [reply.points for reply in replies]

    async def _pages(self, index: str, condition: contract.Filter) -> AsyncIterator[list[Any]]:
        """Ids of what matches, in their order; what is done to a page may take it out of the filter."""
        await self._known(index)
        start: Any = None
        while True:
            async with self._answering(index):
                records, start = await self._client.scroll(
                    self._name(index),
                    server_filter(condition),
                    limit=_SLICE,
                    offset=start,
                    with_payload=False,
                )
            if records:
                yield [record.id for record in records]
            if start is None:
                return

    @asynccontextmanager
    async def _answering(self, index: str) -> AsyncIterator[None]:
        """The server's failures as problems."""
        try:
            if self._version is None:
                self._version = await self._checked_version()
            yield
        except ResponseHandlingException as unreachable:
            raise _down(f"the Qdrant server cannot be reached: {unreachable}") from unreachable
        except UnexpectedResponse as refused:
            if refused.status_code == _NOT_FOUND and index:
                self._dimensions.pop(index, None)
                raise IndexMissing(f"there is no index {index!r}", index=index) from refused
            if refused.status_code in _FORBIDDEN:
                raise NotAvailable("the Qdrant server does not take our key: set vectors.api_key") from refused
            if refused.status_code in _BUSY or (refused.status_code or _FAILED) >= _FAILED:
                raise _down(f"the Qdrant server answered {refused.status_code}") from refused
            raise

    async def _checked_version(self) -> str:
        version = (await self._client.info()).version
        known = tuple(int(part) for part in version.split(".")[:2])
        if known < _OLDEST:
            raise NotAvailable(
                f"the Qdrant server is version {version}; {'.'.join(map(str, _OLDEST))} or newer is needed"
            )
        return version


def _near(vector: NDArray[np.float32], allowed: Filter, limit: int) -> QueryRequest:
    return QueryRequest(query=vector.tolist(), using=DENSE, filter=allowed, limit=limit)


def _matching(keywords: Keywords, allowed: Filter, limit: int, corpus: Filter) -> QueryRequest:
    return QueryRequest(
        query=_sparse(keywords),
        using=KEYWORDS,
        filter=allowed,
        limit=limit,
        params=SearchParams(idf=IdfCorpusParams(corpus=corpus)),
    )


def _home(point: ScoredPoint) -> Home:
    payload = point.payload or {}
    return Home(*(str(payload[name]) for name in Home._fields))


def _ranked(points: Iterable[ScoredPoint]) -> tuple[contract.ScoredPoint, ...]:
    found = [
        contract.ScoredPoint(
            id=UUID(str(p.id)), score=p.score, document=payload["document"], version=payload["version"]
        )
        for p in points
        if (payload := p.payload) is not None
    ]
    return tuple(sorted(found, key=lambda hit: (-hit.score, hit.id)))


def _sparse(keywords: Keywords) -> SparseVector:
    return SparseVector(indices=keywords.indices.tolist(), values=keywords.values.tolist())


def _named(vectors: object, name: str) -> Any:
    assert isinstance(vectors, dict)
    return vectors[name]


def _down(said: str) -> EngineDown:
    return EngineDown(said, retry_after_seconds=_RETRY_SECONDS)
