"""The engine's child process: started, fed one call at a time, started again when it dies."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from prometheus_client import Counter, Histogram

from muniment.kernel.backoff import backoff_seconds
from muniment.kernel.logs import get_logger
from muniment.kernel.problems import Problem
from muniment.vectors.contract import EngineDown
from muniment.vectors.engine.frames import Frame, receive, send
from muniment.vectors.engine.queue import Call, CallQueue

_STOP_SECONDS = 10.0
_FIRST_RESTART_SECONDS = 0.1
_MOST_RESTART_SECONDS = 30.0

_log = get_logger(__name__)
_restarts = Counter("muniment_vectors_engine_deaths", "Times that the vectors engine's process died")
_seconds = Histogram(
    "muniment_vectors_engine_seconds",
    "Time in the vectors engine, the queue apart",
    ["operation"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30),
)


class _Child(NamedTuple):
    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Supervisor:
    """One child over one folder. Calls made before its first start wait for it; later ones fail while it is down.

    There is no heartbeat: a long call looks like a hang, and killing it would only make it longer.
    """

    def __init__(self, folder: Path, *, queue: int, start_seconds: float) -> None:
        self._folder = folder
        self._start_seconds = start_seconds
        self._queue = CallQueue(queue)
        self._down = False
        self._failures = 0
        self.process_id: int | None = None
        self.writes = 0
        """Rises when a write has been answered, or may have been done by a child that died over it."""

    async def ask(self, frame: Frame, *, writes: bool) -> Frame:
        """The child's answer.

        Raises EngineDown, Throttled, or the Problem that the child answers with.
        """
        if self._down:
            raise self._problem()
        call = Call(frame, writes)
        self._queue.put(call)
        try:
            reply = await call.answer
        finally:
            self._queue.drop(call)
        if "problem" in reply.head:
            raise Problem.load(json.dumps(reply.head["problem"]))
        return reply

    async def run(self) -> None:
        """Keep a child alive until cancelled."""
        try:
            while True:
                async with self._child() as child:
                    await self._use(child)
                self._failures += 1
                _restarts.inc()
                wait = backoff_seconds(self._failures, first=_FIRST_RESTART_SECONDS, most=_MOST_RESTART_SECONDS)
                _log.warning("engine died", code=child.process.returncode, restart_in_seconds=round(wait, 2))
                await asyncio.sleep(wait)
        finally:
            self._go_down()

    async def _use(self, child: _Child) -> None:
        ended = asyncio.create_task(child.process.wait())
        served = asyncio.create_task(self._serve(child))
        try:
            await asyncio.wait({ended, served}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            served.cancel()
            await asyncio.wait({ended, served})
            self._go_down()
        if not served.cancelled():
            served.result()

    async def _serve(self, child: _Child) -> None:
        """Feed the child until it dies."""
        try:
            async with asyncio.timeout(self._start_seconds):
                await receive(child.reader)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return
        self._down = False
        _log.info("engine started", process=child.process.pid)
        try:
            while True:
                await self._exchange(child, await self._queue.next())
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    async def _exchange(self, child: _Child, call: Call) -> None:
        try:
            with _seconds.labels(call.frame.head["operation"]).time():
                await send(child.writer, call.frame)
                call.succeed(await receive(child.reader))
            self._failures = 0
        finally:
            self.writes += call.writes
            # Unanswered: the child is dead or about to be stopped, and what became of the call unknown.
            call.fail(self._problem())

    def _go_down(self) -> None:
        self._down = True
        self.process_id = None
        self._queue.fail_all(self._problem())

    def _problem(self) -> EngineDown:
        return EngineDown(
            "the vectors engine is being restarted; nothing acknowledged is lost, try again",
            retry_after_seconds=1.0,
        )

    @asynccontextmanager
    async def _child(self) -> AsyncIterator[_Child]:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", "-m", "muniment.vectors.engine.child",
                    str(theirs.fileno()), str(self._folder), str(os.getpid()), str(self._start_seconds),
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,
                )  # fmt: skip
            self.process_id = process.pid
            try:
                yield _Child(process, reader, writer)
            finally:
                writer.close()
                await _finished(asyncio.create_task(_end(process)))
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait for a child that has seen the end of its socket."""
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _finished(task: asyncio.Task[None]) -> None:
    """Wait for `task` to end, even when cancelled meanwhile: a child must not be left behind unwatched."""
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
