"""A bounded pool of child processes that parse and chunk: a file may kill its child, and nothing else."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from muniment.documents.contract import FileBroken, ParserLimit
from muniment.documents.parsing.model import Chunked, Parsed, ParserSettings
from muniment.documents.parsing.task import REPLY, REQUEST, ChunkTask, ParseTask
from muniment.kernel.logs import get_logger
from muniment.kernel.model import Model
from muniment.kernel.problems import Problem, Unavailable

M = TypeVar("M", bound=Model)
START_SECONDS = 60
CHILD = "muniment.documents.parsing.child"
_log = get_logger(__name__)


class Parsers:
    """Parses and chunks in child processes, `settings.parser_processes` at a time; the rest wait their turn."""

    def __init__(self, settings: ParserSettings) -> None:
        # Last in, first out: a quiet house keeps one warm child instead of waking all in turn.
        self._free: asyncio.LifoQueue[_Child] = asyncio.LifoQueue()
        self._children = [_Child(settings) for _ in range(settings.parser_processes)]
        for child in self._children:
            self._free.put_nowait(child)

    async def parse(self, path: Path, *, name: str | None, media_type: str | None) -> Parsed:
        """The file's text and structure, its type told by its content first, then by name and media type.

        Raises FormatUnknown, NotText, FileBroken, FileEncrypted, FileEmpty, ParserLimit.
        """
        return await self._ask(ParseTask(path=path, name=name, media_type=media_type), Parsed)

    async def chunk(self, parsed: Parsed, *, title: str, tokenizer: Path, max_tokens: int) -> Chunked:
        """Chunks such that `embedded_text(title, chunk.section, …)` is within `max_tokens`, special ones included.

        Raises ParserLimit, FileBroken.
        """
        task = ChunkTask(parsed=parsed, title=title, tokenizer=tokenizer, max_tokens=max_tokens)
        return await self._ask(task, Chunked)

    async def _ask(self, task: ParseTask | ChunkTask, answer: type[M]) -> M:
        child = await self._free.get()
        try:
            reply = await child.ask(task.model_dump_json().encode())
        finally:
            self._free.put_nowait(child)
        return answer.model_validate_json(reply)

    async def close(self) -> None:
        """End the children; they have nothing to lose."""
        for child in self._children:
            child.stop()
        for _ in self._children:
            # Whoever still waits for an answer has it, and gives the child back, before it is ended.
            await (await self._free.get()).end()


@asynccontextmanager
async def parsers(settings: ParserSettings) -> AsyncIterator[Parsers]:
    """Parsers whose children start on first need and end with the context."""
    pool = Parsers(settings)
    try:
        yield pool
    finally:
        await pool.close()


class _Died(Exception):  # noqa: N818 - an event, not an error of the program
    """A child ended instead of answering."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class _Child:
    """One child process, started when it is asked, begun again after it died."""

    def __init__(self, settings: ParserSettings) -> None:
        self._settings = settings
        self._process: Process | None = None
        self._is_closed = False

    async def ask(self, task: bytes) -> bytes:
        """The child's answer to a task.

        Raises the child's problem, or what its death says about the file.
        """
        is_used = self._process is not None
        try:
            return await self._answer(task)
        except _Died as died:
            if not is_used:
                raise died.problem from died
        # A file is blamed only for the death of a child that read nothing before it.
        try:
            return await self._answer(task)
        except _Died as died:
            raise died.problem from died

    async def _answer(self, task: bytes) -> bytes:
        if self._is_closed:
            raise _stopping()
        process = self._process or await self._start()
        last = True
        try:
            async with asyncio.timeout(self._settings.parser_seconds):
                _, writer = _pipes(process)
                writer.write(REQUEST.pack(len(task)) + task)
                await writer.drain()
                reply, ok, last = await _receive(process)
        except TimeoutError as late:
            raise _too_slow(self._settings) from late
        except (asyncio.IncompleteReadError, ConnectionError) as dead:
            if self._is_closed:
                raise _stopping() from dead
            raise _Died(await self._cause(process)) from dead
        finally:
            if last:
                await self.end()
        if not ok:
            raise Problem.load(reply)
        return reply

    async def _start(self) -> Process:
        s = self._settings
        limits = (str(s.parser_memory_mb), str(s.parser_seconds), s.limits.model_dump_json())
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", CHILD, *limits,
            stdin=PIPE, stdout=PIPE, stderr=PIPE, env=_environment(),
        )  # fmt: skip
        is_ready = False
        try:
            async with asyncio.timeout(START_SECONDS):
                await _receive(process)
                is_ready = True
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as failed:
            _log.warning("parser does not start", code=process.returncode)
            raise Unavailable("the parser's process does not start", retry_after_seconds=30) from failed
        finally:
            if not is_ready:
                await self.end()
        return process

    async def _cause(self, process: Process) -> Problem:
        assert process.stderr is not None
        trace = (await process.stderr.read()).decode(errors="replace").splitlines()
        code = await process.wait()
        # Only where in our code it died: the message of an exception may quote the document.
        _log.warning("parser died", code=code, at=[line.strip() for line in trace if line.startswith("  File ")])
        if code == -signal.SIGXCPU:
            return _too_slow(self._settings)
        if code == -signal.SIGKILL:
            return ParserLimit(
                "parsing took more memory than there is; split the file into smaller ones", limit="memory"
            )
        return FileBroken(
            "the parser failed on this file: it is damaged or oddly made; save it anew and upload that"
        )

    def stop(self) -> None:
        """Let the process end, and no other begin."""
        self._is_closed = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def end(self) -> None:
        """Kill the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        # Pipes are read to their end, else their transports stay open.
        await process.communicate()


def _pipes(process: Process) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert process.stdout is not None
    assert process.stdin is not None
    return process.stdout, process.stdin


async def _receive(process: Process) -> tuple[bytes, bool, bool]:
    reader, _ = _pipes(process)
    length, ok, last = REPLY.unpack(await reader.readexactly(REPLY.size))
    return await reader.readexactly(length), ok, last


def _stopping() -> Unavailable:
    return Unavailable("parsing stops with this process, and goes on with the next one")


def _too_slow(settings: ParserSettings) -> ParserLimit:
    return ParserLimit(
        f"parsing took longer than {settings.parser_seconds:g} seconds; split the file into smaller ones",
        limit="time",
    )


def _environment() -> dict[str, str]:
    """Nothing of ours but what Python needs to find the package: no setting, no secret."""
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "SYSTEMROOT", "VIRTUAL_ENV") if name in os.environ}
    return {**kept, "PYTHONUTF8": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONDONTWRITEBYTECODE": "1"}
