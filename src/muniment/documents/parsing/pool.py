"""A bounded pool of child processes that parse and chunk: a file may kill its child, and nothing else."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from muniment.documents.chunking.recipe import RECIPE
from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.child.process import Child, stopping
from muniment.documents.parsing.child.task import AnyTask, ChunkTask, PageTask, ParseTask, RectanglesTask
from muniment.documents.parsing.model import Boxes, Chunked, Drawn, Parsed, Picture
from muniment.kernel.model import Model

M = TypeVar("M", bound=Model)
PATIENCE_SECONDS = 1.0
"""Who waits gets one more child when all there are have been at one file for so long."""

LARGE_BYTES = 1_000_000
"""An answer from here on is checked aside, that others are served meanwhile."""

IDLE_SECONDS = 30.0
SMALL_MB = 128
"""A child that held more is not kept for an idle hour."""


class Parsers:
    """Parses and chunks in child processes.

    `settings.parser_processes` work at a time. While all of them are held up by slow files, further ones start, up
    to `parser_processes_most`, the last of which takes no files, so that what is parsed is chunked meanwhile.
    """

    def __init__(self, settings: ParserSettings) -> None:
        self._settings = settings
        self._most = max(settings.parser_processes_most, settings.parser_processes)
        self._children: list[Child] = []
        # Last in, first out: a quiet house keeps one warm child instead of waking all in turn.
        self._idle: list[Child] = []
        self._files: deque[asyncio.Future[Child]] = deque()
        self._rest: deque[asyncio.Future[Child]] = deque()
        self._patience: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def parse(self, path: Path, *, name: str | None, media_type: str | None) -> Parsed:
        """The file's text and structure, its type told by its content first, then by name and media type.

        Raises FormatUnknown, NotText, FileBroken, FileEncrypted, FileEmpty, ParserLimit.
        """
        seconds = self._settings.seconds_for(await asyncio.to_thread(_size, path))
        task = ParseTask(path=path, name=name, media_type=media_type, seconds=seconds)
        return await self._ask(task, Parsed, self._files)

    async def chunk(
        self, parsed: Parsed, *, title: str, tokenizer: Path, max_tokens: int, recipe: str = RECIPE.name
    ) -> Chunked:
        """Chunks such that `embedded_text(title, chunk.section, …)` is within `max_tokens`, special ones included.

        Raises ParserLimit, FileBroken, NotAvailable for a recipe that is not known.
        """
        task = ChunkTask(
            parsed=parsed.model_copy(update={"lines": (), "attachments": ()}),
            title=title,
            tokenizer=tokenizer,
            max_tokens=max_tokens,
            recipe=recipe,
            seconds=self._settings.seconds_for(len(parsed.text)),
        )
        return await self._ask(task, Chunked, self._rest)

    async def rectangles(self, path: Path, drawn: Sequence[Drawn]) -> Boxes:
        """Where parts of lines of a PDF are drawn.

        Raises FileBroken, FileEncrypted.
        """
        task = RectanglesTask(path=path, drawn=tuple(drawn), seconds=self._settings.parser_seconds)
        return await self._ask(task, Boxes, self._rest)

    async def page(
        self, path: Path, *, name: str | None, media_type: str | None, number: int, width: int
    ) -> Picture:
        """A page of the file as PNG, about `width` pixels wide.

        Raises PageMissing, NotAvailable for formats without pages, and what parsing raises.
        """
        task = PageTask(
            path=path,
            name=name,
            media_type=media_type,
            number=number,
            width=width,
            seconds=self._settings.parser_seconds,
        )
        return await self._ask(task, Picture, self._rest)

    async def _ask(self, task: AnyTask, answer: type[M], queue: deque[asyncio.Future[Child]]) -> M:
        child = await self._take(queue)
        try:
            reply = await child.ask(task.model_dump_json().encode(), task.seconds)
        finally:
            self._give(child)
        if len(reply) < LARGE_BYTES:
            return answer.model_validate_json(reply)
        return await asyncio.to_thread(answer.model_validate_json, reply)

    async def _take(self, queue: deque[asyncio.Future[Child]]) -> Child:
        if self._is_closed:
            raise stopping()
        turn: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._serve()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._give(turn.result())
            raise

    def _give(self, child: Child) -> None:
        child.since = asyncio.get_running_loop().time()
        # One that has to start first is the last to be taken.
        self._idle.insert(len(self._idle) if child.pid else 0, child)
        self._serve()
        if self._sweep is None and not self._is_closed:
            self._sweep = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._let_go)

    def _serve(self) -> None:
        """Hand children to those who wait; look again when patience ends."""
        clock = asyncio.get_running_loop()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        for queue, most in ((self._rest, self._most), (self._files, self._most_for_files)):
            while queue and (queue[0].done() or self._hand(queue[0], most)):
                queue.popleft()
            if queue and len(self._children) < most:
                at = max(child.since for child in self._children) + PATIENCE_SECONDS
                self._patience = self._patience or clock.call_at(at, self._serve)

    def _hand(self, turn: asyncio.Future[Child], most: int) -> bool:
        child = self._free(most)
        if child is None:
            return False
        child.since = asyncio.get_running_loop().time()
        turn.set_result(child)
        return True

    @property
    def _most_for_files(self) -> int:
        return max(self._settings.parser_processes, self._most - 1)

    def _free(self, most: int) -> Child | None:
        if self._idle:
            return self._idle.pop()
        now = asyncio.get_running_loop().time()
        if len(self._children) >= self._settings.parser_processes and (
            len(self._children) >= most or now < max(child.since for child in self._children) + PATIENCE_SECONDS
        ):
            return None
        self._children.append(Child(self._settings))
        return self._children[-1]

    def _let_go(self) -> None:
        """End children that have long been idle; the one used last stays, if it is small."""
        loop = asyncio.get_running_loop()
        self._sweep = None
        before = loop.time() - IDLE_SECONDS + 0.01
        for child in [child for child in self._idle if child.since <= before]:
            if child is self._idle[-1] and child.held_mb <= SMALL_MB:
                continue
            self._idle.remove(child)
            self._children.remove(child)
            ending = loop.create_task(child.end())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        if len(self._idle) > 1 or any(child.held_mb > SMALL_MB for child in self._idle):
            self._sweep = loop.call_later(IDLE_SECONDS, self._let_go)

    async def close(self) -> None:
        """End the children; they have nothing to lose."""
        self._is_closed = True
        for timer in (self._patience, self._sweep):
            if timer is not None:
                timer.cancel()
        for turn in (*self._rest, *self._files):
            if not turn.done():
                turn.set_exception(stopping())
        for child in self._children:
            child.stop()
        # Whoever still waits for an answer has it before its child is ended.
        await asyncio.gather(*self._ending, *(child.end() for child in self._children))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@asynccontextmanager
async def parsers(settings: ParserSettings) -> AsyncIterator[Parsers]:
    """Parsers whose children start on first need and end with the context."""
    pool = Parsers(settings)
    try:
        yield pool
    finally:
        await pool.close()
