"""Builds the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from muniment.generation.contract import Generation
from muniment.kernel.settings import RoomSettings
from muniment.knowledge.contract import Knowledge
from muniment.knowledge.service import CitedKnowledge
from muniment.retrieval.contract import Retrieval


class KnowledgeSettings(RoomSettings):
    """How much is read for one answer."""

    passages: int = Field(default=12, ge=1, le=200, description="How many passages are looked for.")
    sources: int = Field(default=8, ge=1, le=64, description="How many parents of them an answer is written from.")


@asynccontextmanager
async def build(
    settings: KnowledgeSettings, retrieval: Retrieval, generation: Generation
) -> AsyncIterator[Knowledge]:
    """Nothing of its own to open: it asks its neighbours."""
    yield CitedKnowledge(retrieval, generation, passages=settings.passages, sources=settings.sources)
