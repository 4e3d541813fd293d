"""Rooms that a bench keeps a hand on: the same services, seen without their guard, or their calls counted."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from muniment.embedding.build import EmbeddingSettings
from muniment.embedding.build import build as build_embedding
from muniment.embedding.contract import (
    Describe,
    Embedded,
    Embedding,
    EmbeddingModel,
    EmbedPassages,
    EmbedQueries,
    Rerank,
    Reranked,
)
from muniment.kernel.house import Builder, Ground
from muniment.kernel.model import Matrix
from muniment.models.contract import Models
from muniment.vectors.build import VectorsSettings
from muniment.vectors.contract import Vectors
from muniment.vectors.engine.copies.building import IndexedCopies
from muniment.vectors.engine.engine import EnginePoint
from muniment.vectors.engine.processes.proxy import ChildEngine
from muniment.vectors.engine.processes.routes import Processes
from muniment.vectors.engine.processes.supervisor import Supervisor
from muniment.vectors.engine.terms import Terms
from muniment.vectors.service import EngineVectors

LOOK_SECONDS = 0.2


@asynccontextmanager
async def indexing_engine(folder: Path, terms: Terms) -> AsyncIterator[ChildEngine]:
    """The engine alone, without a room, and what builds its indexes."""
    processes = Processes(folder, queue=256, start_seconds=600)
    copies = IndexedCopies(processes, terms, look_seconds=LOOK_SECONDS)
    running = {asyncio.create_task(processes.run()), asyncio.create_task(copies.run())}
    try:
        yield ChildEngine(processes)
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


class Watched:
    """The embedding room; knows which passages went through it, and for how long any were at work."""

    def __init__(self) -> None:
        self.service: Embedding | None = None
        self.passages: list[tuple[str, ...]] = []
        self.busy_seconds = 0.0
        self._at_work, self._since = 0, 0.0

    @property
    def builder(self) -> Builder:
        """Builds the room in the room's place."""

        @asynccontextmanager
        async def build(settings: EmbeddingSettings, models: Models) -> AsyncIterator[Embedding]:
            async with build_embedding(settings, models) as self.service:
                yield self

        return build

    def clear(self) -> None:
        """Forget what was seen so far."""
        self.passages.clear()
        self.busy_seconds = 0.0

    @property
    def room(self) -> Embedding:
        """The room itself."""
        assert self.service is not None
        return self.service

    async def describe(self, request: Describe) -> EmbeddingModel:
        """As the room."""
        return await self.room.describe(request)

    async def embed_queries(self, request: EmbedQueries) -> Embedded:
        """As the room."""
        return await self.room.embed_queries(request)

    async def rerank(self, request: Rerank) -> Reranked:
        """As the room."""
        return await self.room.rerank(request)

    async def embed_passages(self, request: EmbedPassages) -> Embedded:
        """As the room, timed: calls at the same time count once."""
        self.passages.append(request.texts)
        if not self._at_work:
            self._since = time.perf_counter()
        self._at_work += 1
        try:
            return await self.room.embed_passages(request)
        finally:
            self._at_work -= 1
            if not self._at_work:
                self.busy_seconds += time.perf_counter() - self._since


class BareEngine:
    """The vectors room; `engine` is what it stands on, and `points` all that was put into it."""

    def __init__(self) -> None:
        self.engine: ChildEngine | None = None
        self.points: list[EnginePoint] = []

    @property
    def builder(self) -> Builder:
        """Builds the room in the room's place."""

        @asynccontextmanager
        async def build(settings: VectorsSettings, ground: Ground) -> AsyncIterator[Vectors]:
            folder = ground.data / "vectors"
            supervisor = Supervisor(folder, queue=settings.queue, start_seconds=settings.start_seconds)
            self.engine = _Noting(supervisor, self.points)
            async with ground.running("vectors engine", supervisor.run):
                yield EngineVectors(self.engine, average_length=settings.average_length)

        return build

    @property
    def itself(self) -> ChildEngine:
        """The engine."""
        assert self.engine is not None
        return self.engine


class _Noting(ChildEngine):
    def __init__(self, supervisor: Supervisor, points: list[EnginePoint]) -> None:
        super().__init__(supervisor)
        self._points = points

    async def upsert(self, index: str, points: Sequence[EnginePoint], vectors: Matrix) -> None:
        self._points += points
        await super().upsert(index, points, vectors)
