"""The engine's child process: started, fed one call at a time, started again when it dies."""

import asyncio
import json
from pathlib import Path

from prometheus_client import Counter, Histogram

from muniment.kernel.backoff import backoff_seconds
from muniment.kernel.logs import get_logger
from muniment.kernel.problems import Problem
from muniment.vectors.contract import EngineDown
from muniment.vectors.engine.processes.frames import Frame, receive, send
from muniment.vectors.engine.processes.queue import Call, CallQueue
from muniment.vectors.engine.processes.spawning import Spawned, spawned

_CHILD = "muniment.vectors.engine.processes.child"
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


class Supervisor:
    """One child over one folder. Calls made before its first start wait for it; later ones fail while it is down.

    There is no heartbeat: a long call looks like a hang, and killing it would only make it longer.
    """

    def __init__(
        self, folder: Path, *, queue: int, start_seconds: float, only: tuple[str, str] | None = None
    ) -> None:
        """Over all indexes that share a process, or `only` this index with this shard."""
        self._arguments = (str(folder), str(start_seconds), *(only or ()))
        self._start_seconds = start_seconds
        self._queue = CallQueue(queue)
        self._down = False
        self._failures = 0
        self.process_id: int | None = None
        self.writes: int = 0
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
                async with spawned(_CHILD, *self._arguments, patience=_STOP_SECONDS) as child:
                    self.process_id = child.process.pid
                    await self._use(child)
                self._failures += 1
                _restarts.inc()
                wait = backoff_seconds(self._failures, first=_FIRST_RESTART_SECONDS, most=_MOST_RESTART_SECONDS)
                _log.warning("engine died", code=child.process.returncode, restart_in_seconds=round(wait, 2))
                await asyncio.sleep(wait)
        finally:
            self._go_down()

    async def _use(self, child: Spawned) -> None:
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

    async def _serve(self, child: Spawned) -> None:
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

    async def _exchange(self, child: Spawned, call: Call) -> None:
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
