"""Builds the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from muniment.embedding.contract import Embedding
from muniment.embedding.lane import Size
from muniment.embedding.machine import threads_here
from muniment.embedding.service import OnnxEmbedding
from muniment.kernel.settings import RoomSettings
from muniment.models.contract import Models

_BATCHES_AHEAD = 64


class EmbeddingSettings(RoomSettings):
    """How much of the machine embedding takes."""

    threads: int = Field(
        default=0, ge=0, le=256, description="Threads of the model; 0: as many as this machine and process have."
    )
    # A passage alone takes the bundled model no longer than beside others: 116 µs of processor a token of 200,
    # beside one more 118, beside four 125; and in larger batches padding comes to it.
    batch_tokens: int = Field(
        default=256, ge=64, le=65536, description="Tokens of one batch of passages, padding included."
    )
    waiting_tokens: int = Field(
        default=262_144,
        ge=4096,
        description="Tokens of passages that may wait; further callers wait to be let in.",
    )
    recent_queries: int = Field(
        default=2048, ge=0, le=1_000_000, description="How many queries' vectors are kept to be used again."
    )
    memory_mb: int = Field(
        default=2048,
        ge=0,
        description="How much memory the loaded models may take together, in MB; above it, the one that was not "
        "used for the longest is unloaded, but never one in use.",
    )


@asynccontextmanager
async def build(settings: EmbeddingSettings, models: Models) -> AsyncIterator[Embedding]:
    """Embedding in this process; no model is loaded before it is asked for."""
    service = OnnxEmbedding(
        models,
        threads=settings.threads or threads_here(),
        passages=Size(settings.batch_tokens, settings.batch_tokens * _BATCHES_AHEAD, settings.waiting_tokens),
        recent_queries=settings.recent_queries,
        memory_bytes=settings.memory_mb << 20,
    )
    try:
        yield service
    finally:
        await service.close()
