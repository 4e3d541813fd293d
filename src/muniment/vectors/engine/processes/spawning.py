"""Processes that this one starts and talks to in frames; they never outlive it."""

import asyncio
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from muniment.kernel.guard import only_problems
from muniment.kernel.logs import configure_logs
from muniment.kernel.problems import Problem
from muniment.vectors.engine.processes.frames import Frame, receive, send

_PR_SET_PDEATHSIG = 1
_REST_SECONDS = 0.005
"""Before each step at leisure: half of a processor is left to whoever else is at work."""

Answers = Mapping[str, Callable[[Frame], Frame]]
Leisure = Callable[[float], bool]
"""Takes a step, told for how many seconds nothing has been asked, and says whether there is more to do."""


class Spawned(NamedTuple):
    """A process and the socket to it."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@asynccontextmanager
async def spawned(module: str, *arguments: str, patience: float) -> AsyncIterator[Spawned]:
    """Run `python -m MODULE FD PARENT ARGUMENTS…`.

    At the end its socket is closed, and after `patience` seconds it is killed.
    """
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        with theirs:
            process = await _started(module, theirs, arguments)
        try:
            yield Spawned(process, reader, writer)
        finally:
            writer.close()
            await finished(asyncio.create_task(_end(process, patience)))
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _started(module: str, theirs: socket.socket, arguments: Sequence[str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", module, str(theirs.fileno()), str(os.getpid()), *arguments,
        pass_fds=[theirs.fileno()],
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


async def connected(channel: str, parent: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The socket to the parent, in a process that was spawned: it dies with the parent."""
    # The end of the socket says it too, but only between two calls, and a call can take minutes.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")
    # The parent ends this process by closing the socket, after the last answer.
    for unwanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(unwanted, signal.SIG_IGN)
    configure_logs("info", "auto")
    return await asyncio.open_connection(sock=socket.socket(fileno=int(channel)))


async def serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    answers: Answers,
    between: Callable[[], None],
    leisure: Leisure = lambda _: False,
) -> None:
    """Answer one frame after another until the parent closes the socket, or is gone; `between` runs after each.

    While nothing is asked `leisure` takes one step after another.
    """
    while True:
        try:
            asked = await _next(reader, leisure)
            await send(writer, await _answer(asked, answers))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        between()


async def _next(reader: asyncio.StreamReader, leisure: Leisure) -> Frame:
    asked = asyncio.create_task(receive(reader))
    began, more = time.monotonic(), True
    while more and not (await asyncio.wait({asked}, timeout=_REST_SECONDS))[0]:
        more = leisure(time.monotonic() - began)
    return await asked


async def _answer(asked: Frame, answers: Answers) -> Frame:
    operation = asked.head["operation"]
    try:
        async with only_problems(f"the vectors engine's {operation}"):
            return answers[operation](asked)
    except Problem as problem:
        return Frame({"problem": problem.document()})


async def _end(process: asyncio.subprocess.Process, patience: float) -> None:
    """Wait for a process that has seen the end of its socket."""
    try:
        async with asyncio.timeout(patience):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def finished(task: asyncio.Task[None]) -> None:
    """Wait for `task` to end, even when cancelled meanwhile: what it does must not be left half done."""
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
