"""Policies: wrappers from a contract to the same contract, applied where rooms are joined."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from muniment.kernel.backoff import backoff_seconds
from muniment.kernel.contract import Op, implement
from muniment.kernel.deadline import remaining_seconds
from muniment.kernel.problems import DeadlineExceeded, Problem

T = TypeVar("T")


def retrying(contract: type[T], service: T, *, attempts: int = 3, first_seconds: float = 0.05) -> T:
    """`service`, asked again after retryable problems, where the contract says that asking twice is as once.

    The waits double, with jitter, and never outlast the deadline; streams are not repeated.
    """

    def make(op: Op) -> Callable[[Any], Any]:
        call = getattr(service, op.name)

        async def again(request: Any) -> Any:
            for attempt in range(1, attempts):
                try:
                    return await call(request)
                except Problem as problem:
                    wait = problem.retry_after_seconds or backoff_seconds(attempt, first=first_seconds)
                    late = isinstance(problem, DeadlineExceeded) or wait >= remaining_seconds()
                    if late or not problem.retryable:
                        raise
                await asyncio.sleep(wait)
            return await call(request)

        once: Callable[[Any], Any] = call
        return again if op.idempotent and not op.stream else once

    return implement(contract, make)
