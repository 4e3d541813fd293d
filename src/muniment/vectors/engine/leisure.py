"""What a process does while nobody asks it anything."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_STILL_SECONDS = 0.02
_LOOK_SECONDS = 1.0


class Leisure:
    """The time in which nobody asks anything."""

    def __init__(self, step: Callable[[], bool]) -> None:
        """A `step` keeps whoever asks meanwhile waiting; it says whether there are more."""
        self._step = step
        self._asked = 0.0

    def asked(self) -> None:
        """Somebody did, just now."""
        self._asked = time.monotonic()

    @asynccontextmanager
    async def used(self) -> AsyncIterator[None]:
        """Meanwhile, steps are taken; what one raises ends what this surrounds."""
        async with asyncio.TaskGroup() as group:
            working = group.create_task(self._work())
            yield
            working.cancel()

    async def _work(self) -> None:
        more = True
        while True:
            await asyncio.sleep(_STILL_SECONDS if more else _LOOK_SECONDS)
            if time.monotonic() - self._asked >= _STILL_SECONDS:
                more = self._step()
