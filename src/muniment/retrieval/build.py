"""Builds the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr

from muniment.collections.contract import Collections
from muniment.documents.contract import Documents
from muniment.embedding.contract import Embedding
from muniment.kernel.extras import late
from muniment.kernel.settings import RoomSettings, SettingsUnfit
from muniment.retrieval.contract import Retrieval
from muniment.retrieval.reranking.cross_encoder import CrossEncoder
from muniment.retrieval.reranking.judging import Judging
from muniment.retrieval.reranking.reranker import Style
from muniment.retrieval.service import HybridRetrieval
from muniment.vectors.contract import Vectors

if TYPE_CHECKING:
    from muniment.retrieval.reranking.over_http import HttpReranker

_MODEL_CANDIDATES, _SERVICE_CANDIDATES = 30, 100


class RetrievalSettings(RoomSettings):
    """How many candidates a search looks at, and how much of its answers is kept."""

    candidates: int = Field(
        default=100, ge=10, le=1000, description="How many chunks each query of a search asks of the engine."
    )
    spare: int = Field(
        default=10, ge=0, le=200, description="How many chunks are read beyond the limit, for those that drop out."
    )
    cache_mb: int = Field(
        default=32,
        ge=0,
        le=4096,
        description="Memory for answers that may be asked for again, in MB (0: none are kept); any write or "
        "change of rights empties it. An eighth more holds what was found, for when the index is down.",
    )
    reranker: Literal["builtin", "cross-encoder", "http"] = Field(
        default="builtin",
        description="Who judges the best hits last. builtin: the order by meaning and words; cross-encoder: "
        "a model of `models` that reads query and passage together; http: a rerank service, which is sent both.",
    )
    rerank_model: str | None = Field(
        default=None, max_length=256, description="The reranker's name, in `models` or at the service."
    )
    rerank_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/]",
        description="The rerank service, or its very address where that ends in `/rerank`.",
    )
    rerank_style: Style = Field(
        default="cohere", description="Whose protocol the service speaks: cohere, jina, vllm or tei."
    )
    rerank_key: SecretStr | None = Field(default=None, description="The service's key, where it wants one.")
    rerank_candidates: int | None = Field(
        default=None,
        ge=1,
        le=200,
        description="How many hits the reranker judges; null: 30 by a cross-encoder, 100 by a service.",
    )
    rerank_seconds: float = Field(
        default=2.0, gt=0, le=60, description="How long a search waits for it before it keeps the order it has."
    )


@asynccontextmanager
async def build(
    settings: RetrievalSettings,
    collections: Collections,
    documents: Documents,
    embedding: Embedding,
    vectors: Vectors,
) -> AsyncIterator[Retrieval]:
    """Nothing of its own to open: it asks its neighbours, and a rerank service where one is set."""
    async with _judging(settings, embedding) as judging:
        yield HybridRetrieval(
            collections,
            documents,
            embedding,
            vectors,
            candidates=settings.candidates,
            spare=settings.spare,
            cache_bytes=settings.cache_mb << 20,
            judging=judging,
        )


@asynccontextmanager
async def _judging(settings: RetrievalSettings, embedding: Embedding) -> AsyncIterator[Judging | None]:
    """The reranker that the settings choose, None for the built-in order.

    Raises SettingsUnfit where they do not say which.
    """
    candidates = settings.rerank_candidates
    if settings.reranker == "cross-encoder":
        if not settings.rerank_model:
            raise SettingsUnfit("retrieval.rerank_model must name the cross-encoder; `muniment models list`")
        encoder = CrossEncoder(embedding, settings.rerank_model, candidates or _MODEL_CANDIDATES)
        yield Judging(encoder, settings.rerank_seconds)
    elif settings.reranker == "http":
        if not settings.rerank_url:
            raise SettingsUnfit("retrieval.rerank_url must name the rerank service")
        service: HttpReranker = late("muniment.retrieval.reranking.over_http").HttpReranker(
            url=settings.rerank_url,
            style=settings.rerank_style,
            model=settings.rerank_model,
            key=settings.rerank_key,
            seconds=settings.rerank_seconds,
            candidates=candidates or _SERVICE_CANDIDATES,
        )
        try:
            yield Judging(service, settings.rerank_seconds)
        finally:
            await service.close()
    else:
        yield None
