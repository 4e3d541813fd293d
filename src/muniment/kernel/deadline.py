"""How long the present work may take: carried along with every call, and only ever shortened."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from muniment.kernel.problems import DeadlineExceeded

DEFAULT_SECONDS = 30.0
"""The bound of a call for which nobody set one."""

MOST_SECONDS = 600.0
"""No caller may ask for more."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def remaining_seconds() -> float:
    """What is left of the present deadline."""
    at = _deadline.get()
    return DEFAULT_SECONDS if at is None else at - time.monotonic()


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Bound all work inside, here and in every room called from here. An outer bound wins when it is nearer.

    Raises DeadlineExceeded. Never enter it inside an async generator: its bound would leak into the consumer.
    """
    at, outer = time.monotonic() + min(seconds, MOST_SECONDS), _deadline.get()
    token = _deadline.set(at if outer is None else min(at, outer))
    try:
        async with asyncio.timeout(remaining_seconds()):
            yield
    except TimeoutError as late:
        raise DeadlineExceeded(f"gave up after {seconds:.3g} s; try again, or ask for less") from late
    finally:
        _deadline.reset(token)


def clear_deadline() -> None:
    """For a task that outlives the call that started it: its own calls are bounded afresh."""
    _deadline.set(None)
