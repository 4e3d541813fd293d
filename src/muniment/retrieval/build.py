"""Builds the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from muniment.collections.contract import Collections
from muniment.documents.contract import Documents
from muniment.embedding.contract import Embedding
from muniment.kernel.settings import RoomSettings
from muniment.retrieval.contract import Retrieval
from muniment.retrieval.service import HybridRetrieval
from muniment.vectors.contract import Vectors

_MEGABYTE = 1_000_000


class RetrievalSettings(RoomSettings):
    """How many candidates a search looks at, and how much of its answers is kept."""

    candidates: int = Field(
        default=100, ge=10, le=1000, description="How many chunks each query of a search asks of the engine."
    )
    spare: int = Field(
        default=10, ge=0, le=200, description="How many chunks are read beyond the limit, for those that drop out."
    )
    cache_megabytes: int = Field(
        default=32,
        ge=0,
        le=4096,
        description="Memory for answers that may be asked for again; any write or change of rights empties it.",
    )


@asynccontextmanager
async def build(
    settings: RetrievalSettings,
    collections: Collections,
    documents: Documents,
    embedding: Embedding,
    vectors: Vectors,
) -> AsyncIterator[Retrieval]:
    """Nothing of its own to open: it asks its neighbours."""
    yield HybridRetrieval(
        collections,
        documents,
        embedding,
        vectors,
        candidates=settings.candidates,
        spare=settings.spare,
        cache_bytes=settings.cache_megabytes * _MEGABYTE,
    )
