"""The engine as the room sees it: each operation becomes frames to the child, long ones a row of short ones."""

import secrets
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from muniment.kernel.model import Matrix
from muniment.vectors.contract import Filter, Payload, PointIds, ScoredPoint, VectorsStatus
from muniment.vectors.engine.engine import EnginePoint, EngineQuery, Gathered, Gathering, Home, Nearest
from muniment.vectors.engine.processes.frames import Array, Frame, pack_ids, unpack_ids
from muniment.vectors.engine.processes.points import pack_points

# Each slice is one turn of the queue, a few milliseconds long, so that queries get between. The last one syncs.
_UPSERT_POINTS = 64
_DELETE_POINTS = 256
_PAYLOAD_POINTS = 256
_FETCH_POINTS = 256
_WEIGH_TERMS = 32

_FILTER: TypeAdapter[Filter] = TypeAdapter(Filter)


class Asked(Protocol):
    """One child process, or all of them."""

    @property
    def writes(self) -> int:
        """Rises with every write."""
        ...

    async def ask(self, frame: Frame, *, writes: bool) -> Frame:
        """The answer."""
        ...


class ChildEngine:
    """Qdrant Edge behind supervised child processes."""

    def __init__(self, processes: Asked) -> None:
        self._processes = processes
        self._born = secrets.token_hex(8)

    async def ensure(self, index: str, dimensions: int, *, lean: bool = False) -> None:
        """Make the index unless it is there."""
        await self._write({"operation": "ensure", "index": index, "dimensions": dimensions, "lean": lean})

    async def upsert(self, index: str, points: Sequence[EnginePoint], vectors: Matrix) -> None:
        """Put points, slice by slice; a failure in the middle leaves those before it in place."""
        for start in range(0, len(points), _UPSERT_POINTS):
            some = points[start : start + _UPSERT_POINTS]
            payloads, arrays = pack_points(some, vectors[start : start + _UPSERT_POINTS])
            last = start + _UPSERT_POINTS >= len(points)
            await self._write({"operation": "upsert", "index": index, "payloads": payloads, "last": last}, *arrays)

    async def delete(self, index: str, condition: Filter) -> None:
        """Delete what the filter matches, slice by slice."""
        head = {"operation": "delete", "index": index, "filter": _json(condition), "limit": _DELETE_POINTS}
        while (await self._write(head)).head["more"]:
            pass

    async def set_payload(self, index: str, condition: Filter, payload: Payload) -> None:
        """Replace keys on what the filter matches, slice by slice in the order of ids."""
        head = {
            "operation": "set_payload",
            "index": index,
            "filter": _json(condition),
            "payload": payload,
            "limit": _PAYLOAD_POINTS,
            "start": None,
        }
        while True:
            start = (await self._write(head)).head["start"]
            if start is None:
                return
            head = head | {"start": start}

    async def search(
        self, index: str, queries: Sequence[EngineQuery], condition: Filter
    ) -> list[tuple[ScoredPoint, ...]]:
        """All queries in one frame."""
        arrays: list[Array] = []
        kinds = []
        for query in queries:
            if isinstance(query, Nearest):
                kinds.append(("dense", query.limit))
                arrays.append(query.vector)
            else:
                kinds.append(("keyword", query.limit))
                arrays.extend(query.keywords)
        reply = await self._query(
            {"operation": "search", "index": index, "filter": _json(condition), "queries": kinds}, *arrays
        )
        pairs = zip(reply.arrays[::2], reply.arrays[1::2], strict=True)
        return [
            tuple(
                ScoredPoint(id=i, score=score, document=document, version=version)
                for i, score, (document, version) in zip(unpack_ids(ids), scores.tolist(), of, strict=True)
            )
            for (ids, scores), of in zip(pairs, reply.head["of"], strict=True)
        ]

    async def gather(self, index: str, asked: Gathering, condition: Filter) -> Gathered:
        """One frame there, one back, in columns."""
        head = {
            "operation": "gather",
            "index": index,
            "filter": _json(condition),
            "pool": asked.pool,
            "near": asked.near,
            "dense": asked.vector is not None,
            "families": list(asked.families),
        }
        vectors = () if asked.vector is None else (asked.vector,)
        arrays = (array for keywords in asked.families.values() for array in keywords)
        reply = await self._query(head, *vectors, *arrays)
        ids, numbers, scores = reply.arrays
        homes = [Home(*home) for home in reply.head["homes"]]
        return Gathered(
            PointIds(ids.tobytes()),
            [homes[number] for number in numbers.tolist()],
            reply.head["signals"],
            scores,
            reply.head["full"],
        )

    def mark(self) -> str:
        """Of this process and its count of writes: nobody else writes to the children."""
        return f"{self._born}-{self._processes.writes}"

    async def fetch(self, index: str, ids: Sequence[UUID]) -> tuple[list[UUID], Matrix]:
        """The dense vectors of those that exist, slice by slice."""
        found: list[UUID] = []
        vectors: list[Matrix] = []
        for start in range(0, len(ids), _FETCH_POINTS):
            some = pack_ids(ids[start : start + _FETCH_POINTS])
            reply = await self._query({"operation": "fetch", "index": index}, some)
            found += unpack_ids(reply.arrays[0])
            vectors.append(reply.arrays[1])
        return found, np.concatenate(vectors)

    async def weigh(self, index: str, term_ids: Sequence[int], condition: Filter) -> NDArray[np.float32]:
        """The IDF of each term, NaN where nothing holds it, slice by slice."""
        head = {"operation": "weigh", "index": index, "filter": _json(condition)}
        weights = [np.empty(0, np.float32)]
        for start in range(0, len(term_ids), _WEIGH_TERMS):
            some = np.array(term_ids[start : start + _WEIGH_TERMS], np.uint32)
            weights.append((await self._query(head, some)).arrays[0])
        return np.concatenate(weights)

    async def count(self, index: str, condition: Filter) -> int:
        """How many points the filter matches."""
        head = {"operation": "count", "index": index, "filter": _json(condition)}
        return int((await self._query(head)).head["count"])

    async def tally(self, index: str, field: str, condition: Filter) -> dict[str, int]:
        """How many points hold each value of the field."""
        head = {"operation": "tally", "index": index, "field": field, "filter": _json(condition)}
        counts: dict[str, int] = (await self._query(head)).head["counts"]
        return counts

    async def status(self) -> VectorsStatus:
        """The indexes and their sizes."""
        return VectorsStatus.model_validate((await self._query({"operation": "status"})).head)

    async def _query(self, head: dict[str, Any], *arrays: Array) -> Frame:
        return await self._processes.ask(Frame(head, arrays), writes=False)

    async def _write(self, head: dict[str, Any], *arrays: Array) -> Frame:
        return await self._processes.ask(Frame(head, arrays), writes=True)


def _json(condition: Filter) -> Any:
    return _FILTER.dump_python(condition, mode="json")
