"""A room that builds indexed copies of small indexes, and what is put into it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np

from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import AnyOf, EngineDown, Filter, IndexStatus, Payload
from muniment.vectors.engine.copies.building import IndexedCopies
from muniment.vectors.engine.copies.mirror import _filled
from muniment.vectors.engine.engine import EnginePoint, Matching
from muniment.vectors.engine.processes.proxy import ChildEngine
from muniment.vectors.engine.processes.routes import Processes
from muniment.vectors.engine.terms import Terms

DIMENSIONS = 8
_BLOCK_BYTES = 65_536
TERMS = Terms(index_from=400, index_again_share=0.2, quantize_from=100_000, least_free_bytes=0, niceness=0)


class Room:
    """An engine, its processes, and what builds its copies."""

    def __init__(self, processes: Processes, copies: IndexedCopies) -> None:
        self.processes = processes
        self.copies = copies
        self.engine = ChildEngine(processes)

    def try_again(self) -> None:
        """What was given up, now."""
        self.copies._not_before.clear()

    async def status(self) -> IndexStatus:
        while True:
            try:
                return (await self.engine.status()).indexes[0]
            except EngineDown:
                await asyncio.sleep(0.02)

    async def until(self, holds: Callable[[IndexStatus], bool]) -> IndexStatus:
        while True:
            status = await self.status()
            if holds(status):
                return status
            await asyncio.sleep(0.02)

    async def documents(self) -> dict[str, int]:
        return await self.engine.tally("main", "document", ())


@asynccontextmanager
async def room(folder: Path, terms: Terms = TERMS) -> AsyncIterator[Room]:
    processes = Processes(folder, queue=64, start_seconds=60)
    copies = IndexedCopies(processes, terms, look_seconds=0.05, retry_seconds=300)
    running = {asyncio.create_task(processes.run()), asyncio.create_task(copies.run())}
    try:
        async with asyncio.timeout(120):
            yield Room(processes, copies)
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


def some(
    size: int, document: str = "doc_first", ids: list[UUID] | None = None
) -> tuple[list[EnginePoint], np.ndarray]:
    """Points, each with a keyword of its own beside one that all have."""
    ids = ids or [uuid4() for _ in range(size)]
    payload: Payload = {"readers": ("usr_a",), "collection": "col_1", "document": document, "version": "ver_1"}
    points = [
        EnginePoint(
            i,
            payload | {"share": 0.5},
            Keywords(np.array([1, i.int % 2**31 + 2], np.uint32), np.ones(2, np.float32)),
        )
        for i in ids
    ]
    seed = np.random.default_rng(int(ids[0].int % 2**32))
    return points, seed.normal(size=(len(points), DIMENSIONS)).astype(np.float32)


def of(document: str) -> Filter:
    return (AnyOf(field="document", values=(document,)),)


async def told_apart(engine: ChildEngine, ids: list[UUID]) -> bool:
    """Whether each is found by the keyword that it alone has."""
    readers = (AnyOf(field="readers", values=("usr_a",)),)
    for i in ids:
        asked = Matching(_keywords(_own(i)), 5)
        if [hit.id for hit in (await engine.search("main", [asked], readers))[0]] != [i]:
            return False
    return True


def built(status: IndexStatus) -> bool:
    return status.indexed > 0 and status.building is None


def files(folder: Path) -> set[str]:
    return {found.name for found in (folder / "main").iterdir()}


def lean(source: str, copy: str) -> None:
    """Copy a file; no room is taken by what the engine has made large and not written to."""
    with Path(source).open("rb") as reading, Path(copy).open("wb") as writing:
        size = os.fstat(reading.fileno()).st_size
        writing.truncate(size)
        for start, end in _filled(reading.fileno(), size):
            for at in range(start, end, _BLOCK_BYTES):
                data = os.pread(reading.fileno(), min(_BLOCK_BYTES, end - at), at)
                if data.strip(b"\0"):
                    os.pwrite(writing.fileno(), data, at)


def _own(i: UUID) -> int:
    return i.int % 2**31 + 2


def _keywords(*terms: int) -> Keywords:
    return Keywords(np.array(terms, np.uint32), np.ones(len(terms), np.float32))
