"""Who goes first: what a person waits for runs before passages, which pause and keep their batches short."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

LONGEST_BATCH_SECONDS = 0.04
"""Of passages, while queries come: what a query may find in its way."""
LONGEST_PAUSE_SECONDS = 0.25
"""However many queries come, passages have a batch this often."""
LINGER_SECONDS = 2.0
"""So long after the last query the next is expected."""
_UNKNOWN_TOKENS, _LEAST_TOKENS = 256, 32
_NEWEST = 0.3


class Courtesy:
    """Shared by all models of a process: they share its processor."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asking, self._last = 0, float("-inf")
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.paused = asyncio.Event()
        """Set while passages let others go first."""

    @contextmanager
    def asking(self) -> Iterator[None]:
        """A person waits for what is done in the body."""
        self._asking += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._asking -= 1
            self._last = self._clock()
            if not self._asking:
                self._quiet.set()

    @property
    def expected(self) -> bool:
        """Whether queries come at present."""
        return self._asking > 0 or self._clock() - self._last < LINGER_SECONDS

    async def pause(self) -> None:
        """Wait until nobody asks, but not for ever."""
        if self._asking:
            self.paused.set()
            # Not wait_for, which before Python 3.12 loses a cancellation that comes with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_PAUSE_SECONDS):
                    await self._quiet.wait()
            self.paused.clear()


class Pace:
    """How many tokens a batch of passages may have; learns how fast this machine reads with this model."""

    def __init__(self, most_tokens: int, courtesy: Courtesy) -> None:
        self._most, self._courtesy = most_tokens, courtesy
        self._per_second = 0.0

    async def pause(self) -> None:
        """Let those go first whom a person waits for."""
        await self._courtesy.pause()

    @property
    def tokens(self) -> int:
        """Of the next batch, padding included."""
        if not self._courtesy.expected:
            return self._most
        fits = int(self._per_second * LONGEST_BATCH_SECONDS) if self._per_second else _UNKNOWN_TOKENS
        return min(self._most, max(_LEAST_TOKENS, fits))

    def took(self, tokens: int, seconds: float) -> None:
        """A batch of that many tokens took that long."""
        rate = tokens / max(seconds, 1e-6)
        self._per_second = rate if not self._per_second else (1 - _NEWEST) * self._per_second + _NEWEST * rate
