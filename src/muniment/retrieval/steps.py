"""Where the time of one search goes: a clock for each step, also as a span and a metric."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from prometheus_client import Histogram

from muniment.kernel.tracing import spanned

Step = Literal["scope", "embed", "engine", "fuse", "hydrate", "rerank", "cache"]

_seconds = Histogram(
    "muniment_retrieval_step_seconds",
    "Time of each step of a search",
    ["step"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
_seconds_of: dict[Step, Histogram] = {step: _seconds.labels(step) for step in get_args(Step)}


class Steps:
    """The steps of one search; one that is taken again adds to what it took before."""

    def __init__(self) -> None:
        self._seconds: dict[Step, float] = {}
        self._started = time.perf_counter()

    @contextmanager
    def of(self, step: Step) -> Iterator[None]:
        """The time of the body belongs to `step`."""
        started = time.perf_counter()
        try:
            with spanned(f"retrieval.{step}"):
                yield
        finally:
            taken = time.perf_counter() - started
            self._seconds[step] = self._seconds.get(step, 0.0) + taken
            _seconds_of[step].observe(taken)

    @property
    def took_ms(self) -> float:
        """Milliseconds since the search began."""
        return round((time.perf_counter() - self._started) * 1000, 3)

    @property
    def timings(self) -> dict[str, float]:
        """Milliseconds of each step that was taken, in the order in which they began."""
        return {step: round(seconds * 1000, 3) for step, seconds in self._seconds.items()}
