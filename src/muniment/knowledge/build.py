"""Builds the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from muniment.generation.contract import Generation
from muniment.kernel.settings import RoomSettings
from muniment.knowledge.contract import Knowledge
from muniment.knowledge.evidence import LEAST
from muniment.knowledge.service import CheckedKnowledge
from muniment.retrieval.contract import Retrieval


class KnowledgeSettings(RoomSettings):
    """How much an answer is made from, and how much evidence it needs."""

    hits: int = Field(default=12, ge=1, le=64, description="How many passages are searched for one answer.")
    passages: int = Field(default=6, ge=1, le=32, description="How many of them, with context, are written from.")
    least_evidence: float = Field(
        default=LEAST,
        description="Evidence (log odds) below which there is no answer; higher: fewer and surer answers.",
    )


@asynccontextmanager
async def build(
    settings: KnowledgeSettings, retrieval: Retrieval, generation: Generation
) -> AsyncIterator[Knowledge]:
    """Nothing of its own to open: it asks its neighbours."""
    yield CheckedKnowledge(
        retrieval, generation, hits=settings.hits, passages=settings.passages, least=settings.least_evidence
    )
