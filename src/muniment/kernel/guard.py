"""The one place where an unexpected exception is caught."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from muniment.kernel.problems import Internal, Problem

_log = structlog.get_logger(__name__)


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
