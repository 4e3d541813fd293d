"""Texts waiting for the model: whoever calls at the same time shares batches, and has a like share of them."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

from muniment.embedding.batching import Ids, batches
from muniment.embedding.courtesy import Pace
from muniment.kernel.model import Matrix
from muniment.kernel.problems import Unavailable

Run = Callable[[Sequence[Ids]], Matrix]

_seconds = Histogram("muniment_embedding_batch_seconds", "Time of one batch in the model.", ["lane"])
_tokens = Counter("muniment_embedding_tokens", "Tokens that the model read.", ["lane"])
_waiting = Gauge("muniment_embedding_waiting_tokens", "Tokens that wait for the model.", ["lane"])


class Size(NamedTuple):
    """In tokens: of one batch, of what is sorted by length together, and of what may wait."""

    batch: int
    ahead: int
    waiting: int


class _Call:
    """One caller's texts, those that wait for the model in `line`; `done` is set when all have their row."""

    def __init__(self, count: int) -> None:
        self.line: deque[_Text] = deque()
        self.rows: list[Matrix | None] = [None] * count
        self.left = count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class _Text(NamedTuple):
    call: _Call
    row: int
    ids: Ids


class Lane:
    """Callers take turns, a text each: who has few does not wait for who has many.

    Each stretch of `size.ahead` tokens is sorted by length. `run` is called in `executor`, `runs` batches at once,
    each as large as `pace` says, or as `size` does where there is none.
    """

    def __init__(
        self, name: str, run: Run, size: Size, executor: Executor, *, runs: int = 1, pace: Pace | None = None
    ) -> None:
        self._pace, self._runs = pace, runs
        self._name, self._run_batch, self._size, self._executor = name, run, size, executor
        self._turns: deque[_Call] = deque()
        self._stretch: list[_Text] = []
        self._share = size.batch
        self._held = 0
        self._calls: set[_Call] = set()
        self._arrived, self._left = asyncio.Event(), asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether a caller would have to wait for a place in the line."""
        return self._held >= self._size.waiting

    async def embed(self, texts: Sequence[Ids]) -> Matrix:
        """A row for each text, in order. Cancelled, its texts leave the line."""
        call = _Call(len(texts))
        self._calls.add(call)
        try:
            for row, ids in enumerate(texts):
                # Everyone has one text in the line, full or not: else who has many would be let in first.
                while self.full and call.line and not call.done.done():
                    self._left.clear()
                    await self._left.wait()
                self._hold(len(ids))
                if not call.line:
                    self._turns.append(call)
                call.line.append(_Text(call, row, ids))
                self._arrived.set()
            await call.done
        finally:
            self._calls.discard(call)
            if not call.done.done() or call.left:
                self._forget(call)
        return np.stack([row for row in call.rows if row is not None])

    async def work(self) -> None:
        """Run batches until cancelled; whoever still waits then is told so."""
        try:
            async with asyncio.TaskGroup() as running:
                for _ in range(self._runs):
                    running.create_task(self._batch_by_batch())
        finally:
            for call in self._calls:
                if not call.done.done():
                    call.done.set_exception(Unavailable("embedding is being stopped; try again shortly"))

    async def _batch_by_batch(self) -> None:
        while True:
            if self._pace is not None:
                await self._pace.pause()
            batch = self._next_batch()
            if batch:
                await self._run(batch)
            else:
                self._arrived.clear()
                await self._arrived.wait()

    def _next_batch(self) -> list[_Text]:
        """Of the stretch that is left, or of the next; nothing when nobody waits."""
        self._stretch = [text for text in self._stretch if not text.call.done.done()]
        if not self._stretch and self._turns:
            self._stretch = self._next_stretch()
            # A little work, too, is shared by all that can run at once.
            self._share = -(-sum(len(text.ids) for text in self._stretch) // self._runs)
        if not self._stretch:
            return []
        most = min(self._share, self._size.batch if self._pace is None else self._pace.tokens)
        chosen = set(batches([len(text.ids) for text in self._stretch], most)[0])
        batch = [self._stretch[index] for index in sorted(chosen)]
        self._stretch = [text for index, text in enumerate(self._stretch) if index not in chosen]
        return batch

    def _next_stretch(self) -> list[_Text]:
        stretch: list[_Text] = []
        tokens = 0
        while self._turns and (not stretch or tokens + len(self._turns[0].line[0].ids) <= self._size.ahead):
            call = self._turns.popleft()
            stretch.append(call.line.popleft())
            tokens += len(stretch[-1].ids)
            if call.line:
                self._turns.append(call)
        self._hold(-tokens)
        return stretch

    async def _run(self, texts: Sequence[_Text]) -> None:
        ids = [text.ids for text in texts]
        started = time.perf_counter()
        running = asyncio.get_running_loop().run_in_executor(self._executor, self._run_batch, ids)
        await asyncio.wait({running})
        seconds = time.perf_counter() - started
        _seconds.labels(self._name).observe(seconds)
        if self._pace is not None:
            self._pace.took(len(ids) * max(map(len, ids)), seconds)
        if failure := running.exception():
            for call in {text.call for text in texts if not text.call.done.done()}:
                call.done.set_exception(failure)
            return
        _tokens.labels(self._name).inc(sum(map(len, ids)))
        for text, vector in zip(texts, running.result(), strict=True):
            text.call.rows[text.row] = vector
            text.call.left -= 1
            if not text.call.left and not text.call.done.done():
                text.call.done.set_result(None)

    def _forget(self, call: _Call) -> None:
        call.done.cancel()
        self._hold(-sum(len(text.ids) for text in call.line))
        if call.line:
            call.line.clear()
            self._turns.remove(call)

    def _hold(self, tokens: int) -> None:
        self._held += tokens
        _waiting.labels(self._name).inc(tokens)
        if tokens < 0:
            self._left.set()
