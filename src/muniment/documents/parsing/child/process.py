"""One child process that parses, as its parent sees it: asked, timed, ended, begun again."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.child.task import REPLY, REQUEST, SECONDS, Said
from muniment.documents.parsing.source import too_much_output
from muniment.documents.shapes.problems import FileBroken, ParserLimit
from muniment.kernel.logs import get_logger
from muniment.kernel.problems import Problem, Unavailable

START_SECONDS = 60
CHILD = "muniment.documents.parsing.child"
_KEPT = ("PATH", "PYTHONPATH", "SYSTEMROOT", "TESSDATA_PREFIX", "VIRTUAL_ENV")
_TRACE_BYTES = 65_536
_MOST_CROWDED = 4.0
_OUT_OF_MEMORY = (b"memory allocation of", b"bad_alloc", b"MemoryError", b"Cannot allocate memory")
"""What native libraries say when they end the process because there is no memory left."""

_log = get_logger(__name__)


class _Died(Exception):  # noqa: N818 - an event, not an error of the program
    """A child ended instead of answering."""

    def __init__(self, problem: Problem, *, again: bool) -> None:
        super().__init__(problem.detail)
        self.problem, self.again = problem, again


class Child:
    """A child process, started when it is asked, begun again after it died or grew large."""

    def __init__(self, settings: ParserSettings) -> None:
        self._settings = settings
        self._process: Process | None = None
        self._errors: asyncio.Task[bytes] | None = None
        self._asked = asyncio.Lock()
        self._is_closed = False
        self.starts = 0
        """How often it began anew."""
        self.held_mb = 0
        """The most memory that the process has held."""
        self.since = 0.0
        """When it was last taken or given back."""

    @property
    def pid(self) -> int | None:
        """The process, if there is one."""
        return None if self._process is None else self._process.pid

    async def ask(self, task: bytes, seconds: float) -> bytes:
        """The child's answer to a task, which may take so long.

        Raises the child's problem, or what its death says about the file.
        """
        async with self._asked:
            is_used = self._process is not None
            try:
                return await self._answer(task, seconds)
            except _Died as died:
                # A file is blamed only for the death of a child that read nothing before it.
                if not (is_used and died.again):
                    raise died.problem from died
            try:
                return await self._answer(task, seconds)
            except _Died as died:
                raise died.problem from died

    def stop(self) -> None:
        """Let the process end, and no other begin."""
        self._is_closed = True
        self._kill()

    async def end(self) -> None:
        """End the process, if there is one, when it has answered."""
        async with self._asked:
            await self._end()

    async def _answer(self, task: bytes, seconds: float) -> bytes:
        if self._is_closed:
            raise stopping()
        process = self._process or await self._start()
        is_whole, bound = False, asyncio.timeout(seconds * _crowding())
        try:
            async with bound:
                assert process.stdin is not None
                process.stdin.writelines((REQUEST.pack(len(task)), task))
                await process.stdin.drain()
                said, reply = await self._said(process, bound, seconds)
            is_whole = self.held_mb <= self._settings.parser_memory_mb / 4
        except TimeoutError as late:
            raise self._too_slow(seconds) from late
        except (asyncio.IncompleteReadError, ConnectionError) as dead:
            if self._is_closed:
                raise stopping() from dead
            raise await self._cause(process, seconds) from dead
        finally:
            if not is_whole:
                await self._end()
        if said is Said.PROBLEM:
            raise Problem.load(reply)
        return reply

    async def _said(self, process: Process, bound: asyncio.Timeout, seconds: float) -> tuple[Said, bytes]:
        clock = asyncio.get_running_loop().time
        most = clock() + max(self._settings.parser_seconds_most, seconds)
        while True:
            said, reply = await self._frame(process)
            if said is not Said.MORE_TIME:
                return said, reply
            (asked,) = SECONDS.unpack(reply)
            bound.reschedule(min(most, max(bound.when() or 0, clock() + asked)))

    async def _frame(self, process: Process) -> tuple[Said, bytes]:
        assert process.stdout is not None
        length, said, held_mb = REPLY.unpack(await process.stdout.readexactly(REPLY.size))
        if length > self._settings.limits.output_bytes:
            raise too_much_output(self._settings.parser_output_mb)
        self.held_mb = max(held_mb, self.held_mb)
        return Said(said), await process.stdout.readexactly(length)

    async def _start(self) -> Process:
        s = self._settings
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", CHILD, str(s.parser_memory_mb), s.limits.model_dump_json(),
            stdin=PIPE, stdout=PIPE, stderr=PIPE, env=_environment(), start_new_session=True,
        )  # fmt: skip
        assert process.stderr is not None
        self._errors = asyncio.create_task(_tail(process.stderr))
        self.starts += 1
        self.held_mb, is_ready = 0, False
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._frame(process)
                is_ready = True
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as failed:
            _log.warning("parser does not start", code=process.returncode)
            raise Unavailable("the parser's process does not start", retry_after_seconds=30) from failed
        finally:
            if not is_ready:
                await self._end()
        return process

    async def _cause(self, process: Process, seconds: float) -> _Died:
        assert self._errors is not None
        trace = await asyncio.shield(self._errors)
        code = await process.wait()
        # Only where in our code it died: the message of an exception may quote the document.
        lines = [line.strip() for line in trace.decode(errors="replace").splitlines()]
        _log.warning("parser died", code=code, at=[line for line in lines if line.startswith('File "')])
        if code == -signal.SIGXCPU:
            return _Died(self._too_slow(seconds), again=False)
        if code == -signal.SIGKILL or any(word in trace for word in _OUT_OF_MEMORY):
            return _Died(
                ParserLimit(
                    "parsing took more memory than there is; split the file into smaller ones", limit="memory"
                ),
                again=True,
            )
        return _Died(
            FileBroken(
                "the parser failed on this file: it is damaged or oddly made; save it anew and upload that"
            ),
            again=True,
        )

    def _too_slow(self, seconds: float) -> ParserLimit:
        return ParserLimit(
            f"parsing took longer than {seconds:g} seconds; split the file into smaller ones, or save it in a "
            "simpler form",
            limit="time",
        )

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            # It leads a group of its own: what it started ends with it.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _end(self) -> None:
        self._kill()
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        assert self._errors is not None
        process.stdin.close()
        # Pipes are read to their end, else their transports stay open.
        while await process.stdout.read(_TRACE_BYTES):
            pass
        await self._errors
        await process.wait()


def _crowding() -> float:
    """By how much the clock outruns the work: what others compute meanwhile is not the file's fault.

    The child's own computing is bounded by RLIMIT_CPU, whatever the clock says.
    """
    return min(_MOST_CROWDED, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def stopping() -> Unavailable:
    """The problem of a task that comes when the pool ends."""
    return Unavailable("parsing stops with this process, and goes on with the next one")


async def _tail(stream: asyncio.StreamReader) -> bytes:
    """The end of what is said there; all is read, since a full pipe would stop the process."""
    tail = b""
    while piece := await stream.read(_TRACE_BYTES):
        tail = (tail + piece)[-_TRACE_BYTES:]
    return tail


def _environment() -> dict[str, str]:
    """What Python and Tesseract need to be found, and nothing else of ours: no setting, no secret."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # Threads for NumPy take a tenth of the start, and have nothing to do.
    one = {"OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {**kept, **one, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
