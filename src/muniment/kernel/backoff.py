"""Trying again: how long to wait, and a loop that outlives failures."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from muniment.kernel.guard import only_problems
from muniment.kernel.problems import Problem

_log = structlog.get_logger(__name__)


def backoff_seconds(attempt: int, *, first: float = 2.0, most: float = 300.0) -> float:
    """The wait after the failed `attempt` (from 1): doubles each time, half of it by chance.

    Chance keeps those who failed together from coming back together.
    """
    return min(most, first * 2.0 ** min(attempt - 1, 30)) * random.uniform(0.5, 1)  # noqa: S311 - no secret


async def repeat(
    turn: Callable[[], Awaitable[bool]], *, what: str, stirred: asyncio.Event, poll_seconds: float
) -> None:
    """Take turns until cancelled: at once while a turn says there may be more, else when stirred or it is time.

    A turn that fails is logged and tried again, later each time.
    """
    failures = 0
    while True:
        stirred.clear()
        try:
            async with only_problems(what):
                more = await turn()
        except Problem as problem:
            failures += 1
            _log.warning("stalled", what=what, problem=problem.document())
            await asyncio.sleep(backoff_seconds(failures, first=0.2, most=10))
            continue
        failures = 0
        if not more:
            with suppress(TimeoutError):
                async with asyncio.timeout(poll_seconds):
                    await stirred.wait()
