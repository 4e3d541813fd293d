"""Streams whose producer runs in a task of its own, and goes on when its consumer asks for more.

So what was made is on its way before the next is thought of, and the deadline and the cancellation of one side
never reach into the other: a stream has a time to its first event and an idle time between events, and closing it
from any task ends the producer.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from contextvars import copy_context
from typing import Generic, NoReturn, TypeVar

from muniment.kernel.contract import Stream
from muniment.kernel.deadline import clear_deadline, remaining_seconds
from muniment.kernel.guard import only_problems
from muniment.kernel.problems import DeadlineExceeded, Problem

E = TypeVar("E")

IDLE_SECONDS = 120.0
"""How long a consumer waits for the next event."""


class _End:
    """The last thing in a queue; `problem` says why, if not because all was said."""

    def __init__(self, problem: Problem | None = None) -> None:
        self.problem = problem


class Pump(AsyncGenerator[E, None], Generic[E]):
    """A stream over what `produce` yields, for the caller who makes it.

    The producer starts with the first event asked for. One asks at a time; who leaves before the end closes it.
    """

    def __init__(self, what: str, produce: Callable[[], Stream[E]], idle_seconds: float = IDLE_SECONDS) -> None:
        self._what, self._produce, self._idle_seconds = what, produce, idle_seconds
        self._queue: asyncio.Queue[E | _End] = asyncio.Queue()
        self._producer: asyncio.Task[None] | None = None
        self._context = copy_context()
        self._asked, self._over = asyncio.Event(), False

    async def asend(self, _: None = None) -> E:
        """The next event; StopAsyncIteration after the last."""
        if self._over:
            raise StopAsyncIteration
        self._asked.set()
        wait = self._idle_seconds
        if self._producer is None:
            wait = min(wait, remaining_seconds())
            self._producer = asyncio.create_task(self._run(), name=self._what, context=self._context)
        try:
            async with asyncio.timeout(wait):
                event = await self._queue.get()
        except TimeoutError as late:
            await self.aclose()
            raise DeadlineExceeded(f"{self._what}: no event for {wait:.3g} s") from late
        except asyncio.CancelledError:
            # Who waits was given up; nobody is left to close the stream.
            self._over = True
            self._producer.cancel()
            raise
        if not isinstance(event, _End):
            return event
        self._over = True
        if event.problem is not None:
            raise event.problem
        raise StopAsyncIteration

    async def athrow(self, *failure: object) -> NoReturn:
        """End the stream and raise what was thrown in."""
        await self.aclose()
        thrown = failure[0]
        raise thrown if isinstance(thrown, BaseException) else RuntimeError(f"cannot throw {thrown!r}")

    async def aclose(self) -> None:
        """End the producer and wake whoever waits for it."""
        self._over = True
        try:
            if self._producer is not None:
                self._producer.cancel()
                await asyncio.wait({self._producer})
        finally:
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(_End())

    async def _run(self) -> None:
        clear_deadline()
        end = _End()
        try:
            async with only_problems(self._what), aclosing(self._produce()) as events:
                async for event in events:
                    if self._over:  # and what was asked of it has lost the cancellation
                        break
                    self._asked.clear()
                    self._queue.put_nowait(event)
                    await self._asked.wait()
        except Problem as problem:
            end = _End(problem)
        self._queue.put_nowait(end)
