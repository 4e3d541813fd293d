"""Models in memory: loaded when first needed, and the one not used for the longest makes room for the next."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

from prometheus_client import Gauge

from muniment.kernel.logs import get_logger

_log = get_logger(__name__)
_bytes = Gauge("muniment_embedding_models_bytes", "About what the loaded models take in memory.")


class Resident(Protocol):
    """A model in memory."""

    size_bytes: int

    async def close(self) -> None:
        """Let it go."""


R = TypeVar("R", bound=Resident)


class _Place(Generic[R]):
    def __init__(self, load: "asyncio.Task[R]") -> None:
        self.load, self.users, self.used = load, 0, 0.0

    @property
    def failed(self) -> bool:
        return self.load.done() and (self.load.cancelled() or self.load.exception() is not None)

    @property
    def model(self) -> R | None:
        return self.load.result() if self.load.done() and not self.failed else None


class Shelf(Generic[R]):
    """At most `budget_bytes` of models, except that one in use is never unloaded."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._places: dict[str, _Place[R]] = {}

    @asynccontextmanager
    async def using(self, name: str, load: Callable[[], Awaitable[R]]) -> AsyncIterator[R]:
        """The model for the length of the body, loaded once for all who ask."""
        place = self._places.get(name)
        if place is None or place.failed:
            place = self._places[name] = _Place(asyncio.create_task(_run(load), name=f"load {name}"))
        place.users += 1
        try:
            # A caller who gives up does not stop the others' loading.
            yield await asyncio.shield(place.load)
        finally:
            place.users -= 1
            place.used = time.monotonic()
            await self._make_room()

    async def _make_room(self) -> None:
        while True:
            held = {name: model for name, place in self._places.items() if (model := place.model)}
            total = sum(model.size_bytes for model in held.values())
            _bytes.set(total)
            idle = [name for name in held if not self._places[name].users]
            if total <= self._budget or not idle or len(held) == 1:
                return
            name = min(idle, key=lambda name: self._places[name].used)
            del self._places[name]
            _log.info("model unloaded", model=name, size_bytes=held[name].size_bytes)
            await held[name].close()

    async def close(self) -> None:
        """Unload everything."""
        places = list(self._places.values())
        for place in places:
            place.load.cancel()
        if places:
            await asyncio.wait([place.load for place in places])
        for place in places:
            if place.model is not None:
                await place.model.close()


async def _run(load: Callable[[], Awaitable[R]]) -> R:
    return await load()
