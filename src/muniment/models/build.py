"""Builds the room."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from muniment.kernel.settings import RoomSettings
from muniment.models.contract import Models
from muniment.models.hub import Hub
from muniment.models.processor import Form, best_form
from muniment.models.service import CachedModels
from muniment.models.store import Cache

_PROCESSOR = Path("/proc/cpuinfo")


class ModelsSettings(RoomSettings):
    """Where models are kept, and how their weights are."""

    cache: Path | None = Field(
        default=None,
        description="The folder of models, which several servers may share; "
        "null: `muniment/models` in $XDG_CACHE_HOME or ~/.cache.",
    )
    weights: Literal["auto", "int8", "int7", "fp32"] = Field(
        default="auto",
        description="How an embedding model's weights are kept: 8 bits, 7 bits (processors without 8-bit dot "
        "products), or floats. auto: the fastest that is exact on this machine. Another form is another "
        "revision, so set it where the machines of one house differ.",
    )
    hub: str | None = Field(
        default=None,
        description="Where `models add hub:org/name` fetches from, a server that speaks the Hugging Face hub's "
        "protocol; null: $HF_ENDPOINT, else the public hub. Nothing is asked of it otherwise.",
    )
    hub_token: SecretStr | None = Field(
        default=None, description="The hub's token, for models that want one; null: $HF_TOKEN."
    )


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/muniment/models`, or `~/.cache/muniment/models`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "muniment" / "models"


def chosen_form(settings: ModelsSettings) -> Form:
    """The form that the settings name, or the best for this machine."""
    if settings.weights != "auto":
        return settings.weights
    return best_form(_PROCESSOR.read_text() if _PROCESSOR.is_file() else "")


@asynccontextmanager
async def build(settings: ModelsSettings) -> AsyncIterator[Models]:
    """The models of this machine; none is prepared before it is asked for."""
    secret = os.environ.get("HF_TOKEN")
    hub = Hub(settings.hub, settings.hub_token or (SecretStr(secret) if secret else None))
    service = CachedModels(Cache(settings.cache or default_cache()), chosen_form(settings), hub=hub)
    try:
        yield service
    finally:
        await service.close()
