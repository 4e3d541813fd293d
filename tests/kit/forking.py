"""Processes of the vectors engine, forked from one that has loaded its code, which takes each 0.4 s otherwise.

That `python -m` starts them as well, the houses show, and the tests whose parents are killed.
"""

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing.reduction import DupFd
from typing import Any

from kit.running import FORKS


class _Here:
    """A file descriptor of this process, in the one that it is sent to as it starts."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _detached, (DupFd(self.number),)


def _detached(sent: Any) -> int:
    number: int = sent.detach()
    return number


def _run(module: str, channel: int, errors: int, arguments: Sequence[str]) -> None:
    """What `python -P -m MODULE` does."""
    gc.freeze()
    os.setsid()
    os.dup2(errors, 2)
    asyncio.run(import_module(module).main([str(channel), str(os.getppid()), *arguments]))


class Forked:
    """What is asked of an asyncio.subprocess.Process."""

    def __init__(self, module: str, theirs: socket.socket, arguments: Sequence[str]) -> None:
        self._process = FORKS.Process(target=_run, args=(module, _Here(theirs.fileno()), _Here(2), arguments))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.kill = self._process.kill
        self.returncode: int | None = None
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._process.sentinel, self._end)

    async def wait(self) -> None:
        await self._ended.wait()

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self.returncode = self._process.exitcode
        self._ended.set()


async def forked(module: str, theirs: socket.socket, arguments: Sequence[str]) -> Any:
    """As `muniment.vectors.engine.processes.spawning._started`."""
    return Forked(module, theirs, arguments)
