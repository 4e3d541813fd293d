"""Builds the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from muniment.kernel.house import Ground
from muniment.kernel.settings import RoomSettings
from muniment.vectors.contract import Vectors
from muniment.vectors.engine.building import IndexedCopies, Sizes
from muniment.vectors.engine.processes import Processes
from muniment.vectors.engine.proxy import ChildEngine
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
    index_from: int = Field(
        default=20_000,
        ge=1,
        description="From how many points on that are not in its graph an index is built anew, in the background.",
    )
    index_again_share: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="Which share of all points these must be as well, once there is a graph.",
    )
    quantize_from: int = Field(
        default=100_000,
        ge=1,
        description="From how many points on the graph is over 8-bit vectors; the originals decide at the end.",
    )


@asynccontextmanager
async def build(settings: VectorsSettings, ground: Ground) -> AsyncIterator[Vectors]:
    """The engine's process starts in the background; first calls wait for it."""
    processes = Processes(ground.data / "vectors", queue=settings.queue, start_seconds=settings.start_seconds)
    sizes = Sizes(settings.index_from, settings.index_again_share, settings.quantize_from)
    copies = IndexedCopies(processes, sizes)
    async with (
        ground.running("vectors engine", processes.run),
        ground.running("vectors indexed copies", copies.run),
    ):
        yield EngineVectors(ChildEngine(processes), average_length=settings.average_length)
