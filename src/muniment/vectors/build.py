"""Builds the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from muniment.kernel.house import Ground
from muniment.kernel.settings import RoomSettings
from muniment.vectors.contract import Vectors
from muniment.vectors.engine.proxy import ChildEngine
from muniment.vectors.engine.supervisor import Supervisor
from muniment.vectors.service import EngineVectors


class VectorsSettings(RoomSettings):
    """How the engine is kept, and what BM25 takes for the length of a passage."""

    queue: int = Field(
        default=256, ge=1, description="How many queries, and as many writes, may wait for the engine."
    )
    start_seconds: float = Field(
        default=120, gt=0, description="How long the engine may take to open its indexes when it starts."
    )
    average_length: float = Field(
        default=80,
        gt=0,
        description="Terms in an average passage, for BM25; passages already indexed keep the old value.",
    )


@asynccontextmanager
async def build(settings: VectorsSettings, ground: Ground) -> AsyncIterator[Vectors]:
    """The engine's process starts in the background; first calls wait for it."""
    supervisor = Supervisor(ground.data / "vectors", queue=settings.queue, start_seconds=settings.start_seconds)
    async with ground.running("vectors engine", supervisor.run):
        yield EngineVectors(ChildEngine(supervisor), average_length=settings.average_length)
