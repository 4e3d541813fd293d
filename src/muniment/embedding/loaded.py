"""One model at work: its encoder, and the two lanes that lead to it."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from muniment.embedding.batching import Ids, windows
from muniment.embedding.encoder import Encoder
from muniment.embedding.lane import Lane, Size
from muniment.kernel.model import Matrix
from muniment.kernel.problems import Throttled

QUERIES = Size(batch=1_024, ahead=4_096, waiting=65_536)


class Loaded:
    """Queries and passages each have a lane and a thread, so that no query waits for a batch of passages."""

    def __init__(self, encoder: Encoder, passages: Size) -> None:
        self.encoder = encoder
        self._reading = ThreadPoolExecutor(1, "tokenize")
        self._pools = [ThreadPoolExecutor(1, f"embed-{lane}") for lane in ("queries", "passages")]
        self._queries = Lane("queries", encoder.vectors, QUERIES, self._pools[0])
        self._passages = Lane("passages", encoder.vectors, passages, self._pools[1])
        self._working = [asyncio.create_task(lane.work()) for lane in (self._queries, self._passages)]

    async def words(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's token ids, without special tokens."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self.encoder.words, texts)

    async def passages(self, texts: Sequence[Ids]) -> Matrix:
        """A row for each text; waits for a place in the line."""
        return await self._passages.embed(texts)

    async def queries(self, words: Sequence[Ids]) -> Matrix:
        """A row for each query: its windows averaged, unit length.

        Raises Throttled when too many wait already.
        """
        if self._queries.full:
            raise Throttled("too many queries wait to be embedded; try again shortly", retry_after_seconds=1)
        spans = [windows(len(ids), self.encoder.window_tokens) for ids in words]
        parts = [
            self.encoder.marked(ids[start:end])
            for ids, cut in zip(words, spans, strict=True)
            for start, end in cut
        ]
        rows = await self._queries.embed(parts)
        firsts = np.cumsum([0, *(len(cut) for cut in spans[:-1])])
        sums = np.add.reduceat(rows, firsts, axis=0)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)

    async def close(self) -> None:
        """Stop the lanes; a batch that runs ends first."""
        for task in self._working:
            task.cancel()
        await asyncio.wait(self._working)
        for pool in (self._reading, *self._pools):
            await asyncio.to_thread(pool.shutdown)
