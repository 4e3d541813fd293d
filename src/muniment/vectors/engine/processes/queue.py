"""What waits for the engine: queries before writes, no more than so many of each, and none that was given up."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from muniment.kernel.problems import Problem, Throttled
from muniment.vectors.engine.processes.frames import Frame

_QUERIES_BEFORE_A_WRITE = 16
"""Under a flood of queries a write still gets its turn."""

_RETRY_AFTER_SECONDS = 0.5


@dataclass(eq=False)
class Call:
    """A frame and where its answer goes; made inside the event loop."""

    frame: Frame
    writes: bool
    answer: asyncio.Future[Frame] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def fail(self, problem: Problem) -> None:
        """Answer with a problem, unless nobody waits."""
        if not self.answer.done():
            self.answer.set_exception(problem)

    def succeed(self, reply: Frame) -> None:
        """Answer, unless nobody waits."""
        if not self.answer.done():
            self.answer.set_result(reply)


class CallQueue:
    """Calls in the order in which they should reach the engine."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queries: deque[Call] = deque()
        self._writes: deque[Call] = deque()
        self._queries_in_a_row = 0
        self._filled = asyncio.Event()

    def put(self, call: Call) -> None:
        """Line up.

        Raises Throttled when too many wait already.
        """
        line = self._line(call)
        if len(line) >= self._limit:
            raise Throttled(
                f"{self._limit} calls wait for the vectors engine already; try again",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        line.append(call)
        self._filled.set()

    def drop(self, call: Call) -> None:
        """Leave the line, if still in it."""
        line = self._line(call)
        if call in line:
            line.remove(call)

    async def next(self) -> Call:
        """The call whose turn it is, once there is one that somebody still waits for."""
        while True:
            while not (self._queries or self._writes):
                self._filled.clear()
                await self._filled.wait()
            call = self._pop()
            if not call.answer.done():
                return call

    def _pop(self) -> Call:
        write_is_due = bool(self._writes) and self._queries_in_a_row >= _QUERIES_BEFORE_A_WRITE
        if self._queries and not write_is_due:
            self._queries_in_a_row += 1
            return self._queries.popleft()
        self._queries_in_a_row = 0
        return self._writes.popleft()

    def fail_all(self, problem: Problem) -> None:
        """Send everyone away."""
        for call in (*self._queries, *self._writes):
            call.fail(problem)
        self._queries.clear()
        self._writes.clear()

    def _line(self, call: Call) -> deque[Call]:
        return self._writes if call.writes else self._queries
