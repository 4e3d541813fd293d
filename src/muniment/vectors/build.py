"""Builds the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field, SecretStr

from muniment.kernel.extras import late
from muniment.kernel.house import Ground
from muniment.kernel.settings import RoomSettings
from muniment.vectors.contract import Vectors
from muniment.vectors.engine.copies.building import IndexedCopies
from muniment.vectors.engine.engine import Engine
from muniment.vectors.engine.processes.proxy import ChildEngine
from muniment.vectors.engine.processes.routes import Processes
from muniment.vectors.engine.terms import Terms
from muniment.vectors.service import EngineVectors

IN_MEMORY = ":memory:"
"""The client's stand-in for a server, for tests."""

_SERVER_SECONDS = 60


class VectorsSettings(RoomSettings):
    """Which engine there is and how it is kept, and what BM25 takes for the length of a passage."""

    url: str | None = Field(
        default=None,
        description="A Qdrant server (1.19 or newer), as in `http://qdrant:6333`, in the embedded engine's place; "
        "needs the extra `qdrant`. Points are not moved there; `muniment doctor --repair` makes them anew.",
    )
    api_key: SecretStr | None = Field(default=None, description="That server's key, where it wants one.")
    collection_prefix: str = Field(
        default="muniment-", description="What the names of its collections begin with.", max_length=100
    )
    replicas: int = Field(
        default=1, ge=1, description="Copies of every point in a cluster, where we make the index."
    )

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
        default=10_000,
        ge=1,
        description="From how many points on that its graph lacks an index is given another, in the background.",
    )
    index_again_share: float = Field(
        default=0.1,
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
    """The engine's process starts in the background; first calls wait for it. A server is asked when needed."""
    if settings.url is not None:
        async with _server(settings, settings.url) as engine:
            yield EngineVectors(engine, average_length=settings.average_length)
        return
    processes = Processes(ground.data / "vectors", queue=settings.queue, start_seconds=settings.start_seconds)
    terms = Terms(settings.index_from, settings.index_again_share, settings.quantize_from)
    copies = IndexedCopies(processes, terms)
    async with (
        ground.running("vectors engine", processes.run),
        ground.running("vectors indexed copies", copies.run),
    ):
        yield EngineVectors(ChildEngine(processes), average_length=settings.average_length)


@asynccontextmanager
async def _server(settings: VectorsSettings, url: str) -> AsyncIterator[Engine]:
    client_of = late("qdrant_client", extra="qdrant").AsyncQdrantClient
    driver = late("muniment.vectors.engine.qdrant.server")
    key = settings.api_key.get_secret_value() if settings.api_key else None
    where = {"location": url} if url == IN_MEMORY else {"url": url, "port": None, "api_key": key}
    client = client_of(**where, check_compatibility=False, timeout=_SERVER_SECONDS)
    try:
        engine: Engine = driver.QdrantEngine(client, prefix=settings.collection_prefix, replicas=settings.replicas)
        yield engine
    finally:
        await client.close()
