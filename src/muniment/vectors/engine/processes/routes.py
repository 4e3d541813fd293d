"""Which process serves which index: most share one; an indexed one has its own, so that it can be exchanged."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from muniment.kernel.logs import get_logger
from muniment.kernel.problems import Problem
from muniment.vectors.engine.edge import layout
from muniment.vectors.engine.processes.frames import Frame
from muniment.vectors.engine.processes.supervisor import Supervisor

_log = get_logger(__name__)


class _Traffic:
    """How many calls are under way."""

    def __init__(self) -> None:
        self._calls = 0
        self.idle = asyncio.Event()
        self.idle.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """A call."""
        self._calls += 1
        self.idle.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self.idle.set()


class Route(NamedTuple):
    """The way to a process, and who is on it."""

    supervisor: Supervisor
    traffic: _Traffic

    async def ask(self, frame: Frame, *, writes: bool) -> Frame:
        """The answer of the process."""
        with self.traffic.one():
            return await self.supervisor.ask(frame, writes=writes)


class _Place:
    """How an index is reached: its route of the moment, and a gate for writes."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.route = Route(supervisor, _Traffic())
        self.writes = _Traffic()
        self.gate = asyncio.Event()
        self.gate.set()


class Processes:
    """All of the room's engine processes."""

    def __init__(self, folder: Path, *, queue: int, start_seconds: float) -> None:
        self.folder = folder
        self._queue = queue
        self._start_seconds = start_seconds
        self.common = Supervisor(folder, queue=queue, start_seconds=start_seconds)
        self._places: dict[str, _Place] = {}
        self._running: dict[Supervisor, asyncio.Task[None]] = {}
        self._past_writes = 0
        self.remarks: dict[str, dict[str, str]] = {}
        """What else there is to say of an index's state."""
        self._ready = asyncio.Event()

    @property
    def writes(self) -> int:
        """Rises with every write, as a supervisor's does."""
        return self._past_writes + sum(supervisor.writes for supervisor in (self.common, *self._running))

    async def ask(self, frame: Frame, *, writes: bool) -> Frame:
        """The answer of the process that serves the frame's index; a frame without one asks about all of them."""
        await self._ready.wait()
        if "index" not in frame.head:
            return await self._ask_all(frame)
        place = self._place(frame.head["index"])
        if not writes:
            return await place.route.ask(frame, writes=False)
        while not place.gate.is_set():
            await place.gate.wait()
        with place.writes.one():
            return await place.route.ask(frame, writes=True)

    async def run(self) -> None:
        """Keep every process alive until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for index, about in (await asyncio.to_thread(_cleared, self.folder)).items():
                    if about.indexed:
                        self._places[index] = _Place(self.start(index, about.shard))
                group.create_task(self.common.run())
                self._ready.set()
        finally:
            for supervisor in list(self._running):
                self._forget(supervisor)

    def start(self, index: str, shard: str) -> Supervisor:
        """A process for this shard alone; nobody is led to it yet."""
        only = (index, shard)
        supervisor = Supervisor(self.folder, queue=self._queue, start_seconds=self._start_seconds, only=only)
        self._running[supervisor] = self._group.create_task(supervisor.run())
        return supervisor

    async def stop(self, supervisor: Supervisor) -> None:
        """End a process that was started, once nobody is led to it."""
        running = self._running.get(supervisor)
        if running is not None:
            running.cancel()
            await asyncio.wait({running})
            self._forget(supervisor)

    def serving(self, index: str) -> Supervisor:
        """The process that the index is in."""
        return self._place(index).route.supervisor

    @asynccontextmanager
    async def writes_held(self, index: str) -> AsyncIterator[None]:
        """Let the index's writes wait, those apart that have begun: these have been answered when this begins."""
        place = self._place(index)
        place.gate.clear()
        try:
            await place.writes.idle.wait()
            yield
        finally:
            place.gate.set()

    def lead(self, index: str, successor: Supervisor) -> Route:
        """From now on the index is in another process; whoever is on the old route gets their answer there."""
        place = self._place(index)
        old, place.route = place.route, Route(successor, _Traffic())
        return old

    async def retire(self, index: str, old: Route) -> None:
        """Take the index from the process that had it, once nobody is on the way there."""
        await old.traffic.idle.wait()
        if old.supervisor is self.common:
            with suppress(Problem):  # started again, it knows the index no more
                await self.common.ask(Frame({"operation": "release", "index": index}), writes=True)
        else:
            await self.stop(old.supervisor)

    def _place(self, index: str) -> _Place:
        return self._places.setdefault(index, _Place(self.common))

    def _forget(self, supervisor: Supervisor) -> None:
        # What it wrote is counted on, for a count that falls would say again what it said before other writes.
        if self._running.pop(supervisor, None) is not None:
            self._past_writes += supervisor.writes

    async def _ask_all(self, frame: Frame) -> Frame:
        served = {name: place.route.supervisor for name, place in self._places.items()}
        with ExitStack() as under_way:
            for place in self._places.values():
                under_way.enter_context(place.route.traffic.one())
            replies = {
                supervisor: (await supervisor.ask(frame, writes=False)).head
                for supervisor in {self.common, *served.values()}
            }
        found = [
            status | self.remarks.get(status["name"], {})
            for supervisor, head in replies.items()
            for status in head["indexes"]
            if served.get(status["name"], self.common) is supervisor
        ]
        return Frame(replies[self.common] | {"indexes": sorted(found, key=lambda status: str(status["name"]))})


def _cleared(folder: Path) -> dict[str, layout.About]:
    """All indexes, nothing left in them of builds that were cut short."""
    found = {}
    for index in layout.indexes(folder):
        try:
            found[index.name] = layout.about(index)
        except ValidationError as error:  # whoever opens it will fail, and say so
            _log.warning("index not understood", index=index.name, reason=str(error))
        else:
            layout.clear(layout.leftovers(index))
    return found
