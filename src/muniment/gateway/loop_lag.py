"""How late the event loop of this process comes to what is due: what blocks it, blocks everybody."""

import asyncio
import math
from collections import deque

from prometheus_client import Histogram

INTERVAL_SECONDS = 0.2
WINDOW_SECONDS = 60.0

_lag = Histogram(
    "muniment_event_loop_lag_seconds",
    "How late the event loop woke a timer.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)


class LoopLag:
    """Sets a timer again and again, and keeps the last minute's delays."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    async def watch(self) -> None:
        """Measure for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + INTERVAL_SECONDS
            await asyncio.sleep(INTERVAL_SECONDS)
            late = max(0.0, loop.time() - due)
            _lag.observe(late)
            self._seen.append((due, late))
            while self._seen[0][0] < due - WINDOW_SECONDS:
                self._seen.popleft()

    @property
    def worst_ms(self) -> int:
        """The worst of the last minute, rounded up."""
        return math.ceil(max((late for _, late in self._seen), default=0.0) * 1000)
