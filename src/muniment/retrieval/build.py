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


class RetrievalSettings(RoomSettings):
    """How many candidates a search looks at."""

    candidates: int = Field(
        default=100, ge=10, le=1000, description="How many chunks each query of a search asks of the engine."
    )
    spare: int = Field(
        default=10, ge=0, le=200, description="How many chunks are read beyond the limit, for those that drop out."
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
    )
