"""One embedding model at work: its encoder, and the two lanes that lead to it."""

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from muniment.embedding.batching import Ids, windows
from muniment.embedding.courtesy import Courtesy, Pace
from muniment.embedding.encoder import Encoder
from muniment.embedding.lane import Lane, Size
from muniment.kernel.model import Matrix
from muniment.kernel.problems import Throttled
from muniment.models.contract import ModelBroken

QUERIES = Size(batch=64, ahead=4_096, waiting=65_536)
"""Small batches are not padded to the longest of many; a token costs a small model no more in them."""

_AT_ONCE = 1_000
"""Characters that are taken apart sooner than a thread for it would begin: about 0.3 ms."""

_NICENESS = 10
"""Of threads that embed passages: whatever a person waits for goes first."""


class Loaded:
    """Queries have a lane, and passages, each with as many threads as `runs`; passages let queries go first."""

    def __init__(
        self, encoder: Encoder, passages: Size, courtesy: Courtesy, *, runs: int = 1, size_bytes: int = 0
    ) -> None:
        self.encoder, self.size_bytes = encoder, size_bytes
        self._courtesy = courtesy
        self._reading = ThreadPoolExecutor(1, "tokenize")
        self._pools = [
            ThreadPoolExecutor(runs, "embed-queries"),
            ThreadPoolExecutor(runs, "embed-passages", initializer=_stand_back),
        ]
        self._queries = Lane("queries", encoder.vectors, QUERIES, self._pools[0], runs=runs)
        pace = Pace(passages.batch, courtesy)
        self._passages = Lane("passages", encoder.vectors, passages, self._pools[1], runs=runs, pace=pace)
        self._working = [asyncio.create_task(lane.work()) for lane in (self._queries, self._passages)]

    async def words(self, texts: Sequence[str], prefix: str) -> list[list[int]]:
        """Each text's token ids behind the prefix's, without special tokens."""
        if sum(map(len, texts)) <= _AT_ONCE:
            return self.encoder.words(texts, prefix)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self.encoder.words, texts, prefix)

    async def passages(self, texts: Sequence[Ids]) -> Matrix:
        """A row for each text; waits for a place in the line.

        Raises ModelBroken when a row is none.
        """
        return _sound(await self._passages.embed(texts))

    async def queries(self, words: Sequence[Ids]) -> Matrix:
        """A row for each query: its windows averaged, unit length.

        Raises Throttled when too many wait already, and ModelBroken when a row is none.
        """
        if self._queries.full:
            raise Throttled("too many queries wait to be embedded; try again shortly", retry_after_seconds=1)
        cut = [self._windows(ids) for ids in words]
        with self._courtesy.asking():
            rows = _sound(await self._queries.embed([part for parts in cut for part in parts]))
        firsts = np.cumsum([0, *(len(parts) for parts in cut[:-1])])
        sums = np.add.reduceat(rows, firsts, axis=0)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)

    def _windows(self, words: Ids) -> list[list[int]]:
        """The query in parts that the model can read, the prefix before each."""
        head = self.encoder.query_head
        if list(words[: len(head)]) != list(head):
            head = []
        body = words[len(head) :]
        spans = windows(len(body), self.encoder.window_tokens - len(head))
        return [self.encoder.marked([*head, *body[start:end]]) for start, end in spans]

    async def close(self) -> None:
        """Stop the lanes; a batch that runs ends first."""
        for task in self._working:
            task.cancel()
        await asyncio.wait(self._working)
        for pool in (self._reading, *self._pools):
            await asyncio.to_thread(pool.shutdown)


def _stand_back() -> None:
    """Let every other thread go first; only Linux knows the niceness of a single thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(PermissionError):  # a sandbox may forbid it; then all are alike
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS)


def _sound(rows: Matrix) -> Matrix:
    """The rows, each a direction; a broken model gives NaN for some texts and vectors for others."""
    # A row of zeros has a norm of 0, one with NaN or infinity no finite one.
    lengths = np.linalg.norm(rows, axis=1)
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0.5)))  # noqa: PLR2004 - unit length, or none
    if bad.size:
        raise ModelBroken(
            f"the model gives no usable vector for text {bad[0]} (NaN or zero); add it anew, or choose another",
            index=int(bad[0]),
        )
    return rows
