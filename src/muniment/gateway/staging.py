"""Files on their way into the blob store: large ones piece by piece, small ones several at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Self

from muniment.kernel.blobs import Blobs, Staged
from muniment.kernel.problems import Problem, TooLarge

_SMALL_BYTES = 1 << 18
_AT_ONCE = 8
_OURS = 500


class Staging:
    """Stages the files of one request, in order; left without `hand_over`, it forgets them.

    A small file is on its way while the next one arrives, since most of its time goes into reaching the disk.
    """

    def __init__(self, blobs: Blobs, limit_bytes: int) -> None:
        self._blobs, self._limit_bytes = blobs, limit_bytes
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._tasks: list[asyncio.Task[Staged]] = []
        self._handed_over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, failure: BaseException | None, _: object) -> None:
        # Small files come to their end: one that is cut off might be kept without our knowing its key.
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        refused = isinstance(failure, Problem) and failure.status < _OURS
        if refused or not self._handed_over:
            await asyncio.gather(*(self._blobs.delete(end.key) for end in ends if isinstance(end, Staged)))

    def hand_over(self) -> None:
        """From here on the files are another room's, unless it refuses them.

        A failure that is not a refusal leaves open whether they were taken; those that were not are swept.
        """
        self._handed_over = True

    async def take(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Stage a file; a small one may still be on its way when this returns.

        Raises TooLarge, naming the file and the limit.
        """
        start, whole = bytearray(), True
        async for piece in pieces:
            start += piece
            if len(start) > _SMALL_BYTES:
                whole = False
                break
        await self._room.acquire()
        task = asyncio.create_task(self._stage(name, _joined(bytes(start), pieces)))
        task.add_done_callback(lambda _: self._room.release())
        self._tasks.append(task)
        if not whole:
            await task

    async def settled(self) -> list[Staged]:
        """All of them, in order.

        Raises TooLarge, or Unavailable when the store cannot keep them.
        """
        return list(await asyncio.gather(*self._tasks))

    async def _stage(self, name: str, pieces: AsyncIterator[bytes]) -> Staged:
        try:
            return await self._blobs.stage(pieces, limit_bytes=self._limit_bytes)
        except TooLarge as over:
            if "field" in over.extra:
                raise
            detail = f"file: {name} is over the limit of {self._limit_bytes} bytes"
            raise TooLarge(detail, field="file", limit_bytes=self._limit_bytes) from over


async def _joined(start: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for piece in rest:
        yield piece
