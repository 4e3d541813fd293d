"""One cross-encoder at work: callers take turns, a batch each."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from prometheus_client import Histogram

from muniment.embedding.batching import batches
from muniment.embedding.scorer import Scorer
from muniment.models.contract import ModelBroken

_BATCH_TOKENS = 2048
_seconds = Histogram("muniment_embedding_rerank_batch_seconds", "Time of one batch in a reranker.")


class Ranker:
    """Batches of like length in a thread of its own; a caller who gives up stops at the next one."""

    def __init__(self, scorer: Scorer, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._scorer = scorer
        self._pool = ThreadPoolExecutor(1, "rerank")

    async def scores(self, query: str, passages: Sequence[str]) -> tuple[list[float], int]:
        """A number for each passage, in order, and the tokens read in all.

        Raises ModelBroken when a number is none.
        """
        loop = asyncio.get_running_loop()
        pairs = await loop.run_in_executor(self._pool, self._scorer.pairs, query, passages)
        lengths = [len(pair.ids) for pair in pairs]
        found = np.zeros(len(pairs), np.float32)
        for batch in batches(lengths, _BATCH_TOKENS):
            with _seconds.time():
                found[batch] = await loop.run_in_executor(
                    self._pool, self._scorer.scores, [pairs[index] for index in batch]
                )
        if not np.isfinite(found).all():
            raise ModelBroken("the reranker gives scores that are not numbers; add it anew or choose another")
        return found.tolist(), sum(lengths)

    async def close(self) -> None:
        """Stop; a batch that runs ends first."""
        await asyncio.to_thread(self._pool.shutdown)
