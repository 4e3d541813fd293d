"""Indexed copies: built beside the shard that serves, then put in its place.

The first is built from nothing. What follows it begins as it is, and only its tail is indexed anew; unless it then
has too many segments, or the tail is long: then all of it is built again.

The shard that serves is the truth until `index.json` names its copy, and has every acknowledged write; so a crash,
at any point, costs the build and nothing else.
"""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from muniment.kernel.logs import get_logger
from muniment.kernel.problems import Problem, Throttled, Unavailable
from muniment.vectors.engine.copies.mirror import Mirror
from muniment.vectors.engine.copies.oplog import Position
from muniment.vectors.engine.edge import layout
from muniment.vectors.engine.processes.frames import Frame, receive, send
from muniment.vectors.engine.processes.routes import Processes, Route
from muniment.vectors.engine.processes.spawning import Spawned, finished, spawned
from muniment.vectors.engine.processes.supervisor import Supervisor
from muniment.vectors.engine.terms import Terms

_BUILDER = "muniment.vectors.engine.copies.builder"
_COPY_POINTS = 256
_FOLLOW_OPERATIONS = 64
_REPLAY_OPERATIONS = 16
_LEAST_SEGMENT, _LARGEST_SEGMENT, _SEGMENTS = 10_000, 100_000, 10
"""Points to a segment, and how many segments an index should have between these bounds.

A segment bounds the builder's memory, most of it keywords: 25 kB a point, so 0.25 GB up to 100,000 points of an
index and 2.5 GB from a million on. Each segment is a graph that a search goes through.
"""

_MOST_SEGMENTS, _MOST_SEGMENTS_OF_TAIL = 16, 2
"""More than these are built again, all of them: a search goes through every one, and one bounds the memory."""

_HOLD_SECONDS = 5.0
_DISK_LOOK_SECONDS = 0.5
_SHARE_OF_SIZE = 1.5
"""The copy, and the log beside it."""

_log = get_logger(__name__)


class IndexedCopies:
    """Watches the indexes and builds one copy at a time."""

    def __init__(
        self, processes: Processes, terms: Terms, *, look_seconds: float = 5.0, retry_seconds: float = 300.0
    ) -> None:
        self._processes = processes
        self._terms = terms
        self._look_seconds = look_seconds
        self._retry_seconds = retry_seconds
        self._not_before: dict[str, float] = {}
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}
        self._anew: set[str] = set()
        self._build: _Build | None = None

    @property
    def process_id(self) -> int | None:
        """Of the process that builds at the moment."""
        return None if self._build is None else self._build.process_id

    async def run(self) -> None:
        """Look and build until cancelled."""
        while True:
            try:
                await self._look()
            except Problem as problem:
                _log.info("indexes not looked at", reason=problem.detail)
            await asyncio.sleep(self._look_seconds)

    async def _look(self) -> None:
        status = await self._processes.ask(Frame({"operation": "status"}), writes=False)
        for index in status.head["indexes"]:
            waiting = self._not_before.get(index["name"], 0) > time.monotonic()
            still = self._still_seconds(index["name"], (index["points"], index["indexed"]))
            if self._terms.due(index["points"], index["indexed"], still) and not waiting:
                await self._try(index["name"], index["points"], index["indexed"])

    def _still_seconds(self, index: str, counts: tuple[int, int]) -> float:
        before, since = self._seen.get(index, (None, 0.0))
        if before != counts:
            since = time.monotonic()
            self._seen[index] = counts, since
        return time.monotonic() - since

    async def _try(self, index: str, points: int, indexed: int) -> None:
        """Build, or say why not and leave everything as it was.

        What could not be made from the shard that serves is built from nothing the next time.
        """
        remarks = self._processes.remarks[index] = {"building": "starting"}
        folder = self._processes.folder / index
        started = time.monotonic()
        try:
            tail = None if index in self._anew else points - indexed
            build = _Build(self._processes, index, folder, points, tail, self._terms, remarks)
            await self._carry_out(build)
            self._processes.remarks.pop(index)
            self._anew.discard(index)
            seconds = round(time.monotonic() - started, 1)
            _log.info("index built", index=index, points=points, extended=build.extends, seconds=seconds)
        except (Problem, OSError) as failure:
            reason = failure.detail if isinstance(failure, Problem) else str(failure)
            self._processes.remarks[index] = {"problem": f"the indexed copy was given up: {reason}"}
            if not build.lacked_room:
                self._anew.add(index)
            self._not_before[index] = time.monotonic() + self._retry_seconds
            _log.warning("indexed copy given up", index=index, reason=reason, again_in=self._retry_seconds)

    async def _carry_out(self, build: "_Build") -> None:
        self._build = build
        try:
            await build.make_while_there_is_room()
            await build.take_over()
        finally:
            self._build = None
            await finished(asyncio.create_task(build.clear()))


class _Build:
    """One copy on its way."""

    def __init__(
        self,
        processes: Processes,
        index: str,
        folder: Path,
        points: int,
        tail: int | None,
        terms: Terms,
        remarks: dict[str, str],
    ) -> None:
        self._processes = processes
        self._index = index
        self._folder = folder
        self._points = points
        self._terms = terms
        self._remarks = remarks
        self._old = processes.serving(index)
        self._before = layout.about(folder)
        self._about = self._before.model_copy(
            update={"shard": layout.following(self._before), "quantized": points >= terms.quantize_from}
        )
        self._segment = min(max(points // _SEGMENTS, _LEAST_SEGMENT), _LARGEST_SEGMENT)
        self.extends = self._may_extend(tail)
        self._at = Position()
        self._successor: Supervisor | None = None
        self._past: Route | None = None
        self.process_id: int | None = None
        self.lacked_room = False

    def _may_extend(self, tail: int | None) -> bool:
        return (
            tail is not None
            and self._before.indexed > 0
            and self._before.quantized == self._about.quantized
            and tail <= _MOST_SEGMENTS_OF_TAIL * self._segment
            and layout.segments(self._folder / self._before.shard) <= _MOST_SEGMENTS
        )

    async def make_while_there_is_room(self) -> None:
        """Raises Unavailable when the disk fills; the shard that serves needs it more."""
        size = await asyncio.to_thread(layout.disk_bytes, self._folder / self._before.shard)
        self._require_free(int(size * _SHARE_OF_SIZE))
        making, filling = asyncio.create_task(self._make()), asyncio.create_task(self._full())
        try:
            await asyncio.wait({making, filling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (making, filling):
                task.cancel()
            await asyncio.wait({making, filling})
        for task in (filling, making):
            if not task.cancelled():
                task.result()

    async def _full(self) -> None:
        while True:
            self._require_free(0)
            await asyncio.sleep(_DISK_LOOK_SECONDS)

    def _require_free(self, needed: int) -> None:
        least = needed + self._terms.least_free_bytes
        free = _free_bytes(self._folder)
        if free < least:
            self.lacked_room = True
            raise Unavailable(f"the disk has {free // 1_000_000} MB free and it needs {least // 1_000_000} MB")

    async def _make(self) -> None:
        """The copy, closed, with all that happened until the log was last looked at."""
        if self.extends:
            await self._mirror()
        else:
            await self._begin()
        folder, log = self._folder / self._about.shard, self._folder / layout.log_of(self._about.shard)
        about, niceness = self._about.model_dump_json(), str(self._terms.niceness)
        how = (about, niceness, "extend") if self.extends else (about, niceness)
        async with spawned(_BUILDER, str(folder), str(log), *how, patience=0) as process:
            self.process_id = process.process.pid
            if not self.extends:
                await self._copy(process)
            await self._follow_all(process)
            self._remarks["building"] = f"indexing {self._points:,} points"
            indexed = (await self._order(process, "optimize"))["indexed"]
            self._about = self._about.model_copy(update={"indexed": indexed})
            self._remarks["building"] = "catching up"
            await self._follow_all(process)
            self._at = Position(*(await self._order(process, "finish"))["at"])

    async def _begin(self) -> None:
        """From now on the log has what is written."""
        self._points = (await self._ask(self._old, "begin_copy", shard=self._about.shard)).head["points"]

    async def _mirror(self) -> None:
        """The files of the shard that serves, as they are when the log begins."""
        self._remarks["building"] = "copying what is indexed"
        mirror = Mirror(self._folder / self._before.shard, self._folder / self._about.shard)
        await self._ask(self._old, "flush")
        await _in_thread(mirror.take, mirror.stop)
        await self._ask(self._old, "flush")  # so that little is left to flush while writes wait
        async with self._writes_held():
            await self._ask(self._old, "flush")
            await self._begin()
            await _in_thread(mirror.renew, mirror.stop)

    async def _copy(self, process: Spawned) -> None:
        """Every point by way of the log."""
        copied, more = 0, True
        while more:
            more = (await self._ask(self._old, "copy", limit=_COPY_POINTS)).head["more"]
            copied += _COPY_POINTS
            self._remarks["building"] = f"copied {min(copied, self._points):,} of {self._points:,} points"
            await self._order(process, "follow", most=_FOLLOW_OPERATIONS)
            if copied % self._segment < _COPY_POINTS:
                await self._order(process, "optimize")

    async def _follow_all(self, process: Spawned) -> None:
        before = None
        while before != self._at:
            before = self._at
            self._at = Position(*(await self._order(process, "follow", most=_FOLLOW_OPERATIONS))["at"])

    async def take_over(self) -> None:
        """Open the copy in a process of its own, bring it up to date, and lead everyone there."""
        successor = self._successor = self._processes.start(self._index, self._about.shard)
        before = None
        while before != self._at:
            before = self._at
            await self._replay(successor)
        async with self._writes_held() as patience:
            end = Position(*(await self._ask(self._old, "end_copy")).head["end"])
            while self._at < end:
                await self._replay(successor)
            await self._replay(successor, last=True)
            patience.reschedule(None)
            await finished(asyncio.create_task(self._switch(successor)))

    @asynccontextmanager
    async def _writes_held(self) -> AsyncIterator[asyncio.Timeout]:
        try:
            async with asyncio.timeout(_HOLD_SECONDS) as patience, self._processes.writes_held(self._index):
                yield patience
        except TimeoutError:
            raise Unavailable(f"writes would have waited for over {_HOLD_SECONDS:.0f} seconds") from None

    async def _switch(self, successor: Supervisor) -> None:
        try:
            await asyncio.to_thread(layout.keep, self._folder, self._about)
        except OSError:
            if not self._is_kept():
                raise
        self._past = self._processes.lead(self._index, successor)

    def _is_kept(self) -> bool:
        return layout.about(self._folder) == self._about

    async def clear(self) -> None:
        """Remove whichever shard does not count, and the log."""
        if self._past is not None:
            await self._processes.retire(self._index, self._past)
        else:
            if self._successor is not None:
                await self._processes.stop(self._successor)
            with suppress(Problem):  # a process that was started again notes nothing
                await self._ask(self._old, "abandon_copy")
        await asyncio.to_thread(lambda: layout.clear(layout.leftovers(self._folder)))

    async def _ask(self, supervisor: Supervisor, operation: str, **head: Any) -> Frame:
        frame = Frame({"operation": operation, "index": self._index, **head})
        while True:
            try:
                return await supervisor.ask(frame, writes=True)
            except Throttled as throttled:
                await asyncio.sleep(throttled.retry_after_seconds or _DISK_LOOK_SECONDS)

    async def _order(self, process: Spawned, operation: str, **head: Any) -> dict[str, Any]:
        try:
            await send(process.writer, Frame({"operation": operation, **head}))
            reply = await receive(process.reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Unavailable("the process that builds it died") from None
        if "problem" in reply.head:
            raise Problem.load(json.dumps(reply.head["problem"]))
        return reply.head

    async def _replay(self, successor: Supervisor, *, last: bool = False) -> None:
        asked = {"shard": self._about.shard, "start": self._at, "most": _REPLAY_OPERATIONS, "last": last}
        self._at = Position(*(await self._ask(successor, "replay", **asked)).head["at"])


async def _in_thread(work: Callable[[], None], stop: Callable[[], None]) -> None:
    """Do the work; once cancelled, no sooner return than it has stopped."""
    working = asyncio.create_task(asyncio.to_thread(work))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        stop()
        await asyncio.wait({working})
        raise


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
