"""One preparation under way, followed by everyone who asks for the model meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.contract import Stream
from muniment.kernel.deadline import clear_deadline
from muniment.models.contract import Files, ModelUnavailable, Preparing

Work = Callable[[Callable[[Preparing], None]], Awaitable[Files]]

_HEARTBEAT_SECONDS = 10.0
"""The last event is said again when nothing new happens: a stream that is silent is given up."""


class Preparation:
    """Runs `work` in a task of its own: whoever asked first may go, the model is still wanted."""

    def __init__(self, name: str, work: Work) -> None:
        self._name = name
        self._last: Preparing | None = None
        self._next: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._run(work), name=f"prepare {name}")

    async def follow(self) -> Stream[Preparing]:
        """What happens, from now to the end."""
        if self._last is not None:
            yield self._last
        while not self.task.done():
            either: set[asyncio.Future[Any]] = {self.task, self._next}
            await asyncio.wait(either, timeout=_HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if self._last is not None and not self.task.done():
                yield self._last

    @property
    def last(self) -> Preparing | None:
        """How far it is."""
        return self._last

    def result(self) -> Files:
        """What came of it, once it is over; raises what it failed by."""
        if self.task.cancelled():
            raise ModelUnavailable(f"the preparation of {self._name} was stopped; ask again")
        return self.task.result()

    def _report(self, event: Preparing) -> None:
        self._last = event
        waiting, self._next = self._next, asyncio.get_running_loop().create_future()
        waiting.set_result(None)

    async def _run(self, work: Work) -> Files:
        clear_deadline()
        with calling_as(Caller.system("models")):
            return await work(self._report)
