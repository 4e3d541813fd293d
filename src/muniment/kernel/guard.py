"""When things end badly: the one place that catches the unexpected, and ends that are not cut off."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

from muniment.kernel.problems import Internal, Problem

_log = structlog.get_logger(__name__)
T = TypeVar("T")


@asynccontextmanager
async def only_problems(what: str) -> AsyncIterator[None]:
    """Lets Problems out of the body; anything else is logged as a defect of `what` and becomes Internal."""
    try:
        yield
    except Problem:
        raise
    except Exception as defect:
        _log.exception("defect", what=what)
        raise Internal(f"{what} failed by a defect of ours; the log holds the trace") from defect


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end, also when cancelled meanwhile; the cancellation is felt afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})  # a second cancellation does not reach the work either
        raise
