"""Builds the room."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr

from muniment.embedding.contract import Embedding
from muniment.generation.contract import Generation
from muniment.generation.local_llm import LocalModel
from muniment.generation.service import Configured, PassageWriter
from muniment.kernel.extras import late
from muniment.kernel.settings import RoomSettings
from muniment.models.contract import BUNDLED_LLM, Models

if TYPE_CHECKING:
    from muniment.generation.openai import OpenAiModel

_LOCAL_PROMPT_CHARACTERS = 4_000
"""A processor without help reads a prompt at a few hundred tokens a second."""


class GenerationSettings(RoomSettings):
    """Which language models may write answers; with none, answers are quotes."""

    url: str | None = Field(
        default=None,
        description="An OpenAI-compatible server, up to and with `/v1` (vLLM, Ollama, llama.cpp, OpenAI).",
    )
    model: str = Field(default="default", max_length=256, description="The model's name at that server.")
    api_key: SecretStr | None = Field(default=None, description="That server's key, where it wants one.")
    local: bool = Field(
        default=False, description="Offer the small bundled model in this process; needs the extra `local-llm`."
    )
    local_threads: int = Field(default=2, ge=1, le=256, description="Threads of the model in this process.")
    temperature: float = Field(default=0.0, ge=0, le=2, description="0: the same question, the same answer.")
    max_tokens: int = Field(default=512, ge=16, le=8192, description="The longest answer of a model, in tokens.")
    prompt_characters: int = Field(
        default=12_000, ge=500, le=1_000_000, description="How much of the sources a model is shown."
    )
    connect_seconds: float = Field(default=3.0, gt=0, le=60, description="How long to wait for a connection.")
    first_seconds: float = Field(
        default=20.0, gt=0, le=300, description="How long to wait for the first sentence."
    )
    idle_seconds: float = Field(default=10.0, gt=0, le=120, description="How long to wait for each further word.")
    rest_seconds: float = Field(
        default=15.0, ge=0, le=600, description="How long `auto` leaves a model alone after it failed."
    )


@asynccontextmanager
async def build(settings: GenerationSettings, embedding: Embedding, models: Models) -> AsyncIterator[Generation]:
    """Quotes, and the configured models; none is connected to or loaded before it is asked."""
    async with AsyncExitStack() as stack:
        configured = []
        if settings.url:
            outside = _outside(settings, settings.url)
            stack.push_async_callback(outside.close)
            configured.append(
                Configured(
                    outside,
                    "openai",
                    settings.rest_seconds,
                    settings.first_seconds,
                    settings.prompt_characters,
                )
            )
        if settings.local:
            inside = LocalModel(
                models,
                BUNDLED_LLM,
                threads=settings.local_threads,
                context_tokens=4096,
                most_tokens=settings.max_tokens,
                temperature=settings.temperature,
            )
            stack.push_async_callback(inside.close)
            configured.append(
                Configured(
                    inside,
                    "local",
                    settings.rest_seconds,
                    settings.first_seconds,
                    min(settings.prompt_characters, _LOCAL_PROMPT_CHARACTERS),
                )
            )
        yield PassageWriter(
            embedding,
            configured,
            auto=configured[0].model.name if settings.url else None,
        )


def _outside(settings: GenerationSettings, url: str) -> "OpenAiModel":
    model: OpenAiModel = late("muniment.generation.openai").OpenAiModel(
        url=url,
        model=settings.model,
        api_key=settings.api_key.get_secret_value() if settings.api_key else None,
        connect_seconds=settings.connect_seconds,
        first_seconds=settings.first_seconds,
        idle_seconds=settings.idle_seconds,
        most_tokens=settings.max_tokens,
        temperature=settings.temperature,
    )
    return model
