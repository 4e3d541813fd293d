"""Queries go first, and passages keep their batches short while queries come."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from muniment.embedding.batching import Ids
from muniment.embedding.courtesy import LINGER_SECONDS, LONGEST_BATCH_SECONDS, Courtesy, Pace
from muniment.embedding.lane import Lane, Size
from muniment.kernel.model import Matrix


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_batches_are_as_long_as_a_query_may_wait_while_queries_come() -> None:
    clock = Clock()
    courtesy = Courtesy(clock)
    pace = Pace(1024, courtesy)
    assert pace.tokens == 1024
    with courtesy.asking():
        assert 32 <= pace.tokens < 1024, "nothing is known yet"
        for _ in range(30):
            pace.took(1000, 0.1)
        assert pace.tokens == round(10_000 * LONGEST_BATCH_SECONDS)
    assert pace.tokens < 1024, "the next query is expected"
    clock.now += LINGER_SECONDS + 0.1
    assert pace.tokens == 1024
    with courtesy.asking():
        for _ in range(50):
            pace.took(10, 1)
        assert pace.tokens == 32, "however slow, a batch is worth its while"
        for _ in range(50):
            pace.took(1000, 0)
        assert pace.tokens == 1024


async def test_passages_wait_while_somebody_asks_but_not_for_ever() -> None:
    courtesy, ran = Courtesy(), []

    def run(texts: Sequence[Ids]) -> Matrix:
        ran.append(len(texts))
        return np.ones((len(texts), 2), np.float32)

    with ThreadPoolExecutor(1) as pool:
        lane = Lane("test", run, Size(batch=4, ahead=60, waiting=60), pool, pace=Pace(4, courtesy))
        working = asyncio.create_task(lane.work())
        with courtesy.asking():
            waiting = asyncio.create_task(lane.embed([[1, 2, 3, 4]] * 3))
            await asyncio.wait_for(courtesy.paused.wait(), 20)
            assert ran == []
        await asyncio.wait_for(waiting, 20)
        assert ran == [1, 1, 1]
        with courtesy.asking():
            await asyncio.wait_for(lane.embed([[1, 2]]), 20)
        assert ran == [1, 1, 1, 1]
        working.cancel()
        await asyncio.wait({working})


async def test_a_stretch_is_cut_anew_for_each_batch() -> None:
    courtesy, ran = Courtesy(Clock()), []
    pace = Pace(40, courtesy)

    def run(texts: Sequence[Ids]) -> Matrix:
        ran.append(sum(map(len, texts)))
        return np.ones((len(texts), 2), np.float32)

    with ThreadPoolExecutor(1) as pool:
        lane = Lane("test", run, Size(batch=40, ahead=400, waiting=400), pool, pace=pace)
        working = asyncio.create_task(lane.work())
        await lane.embed([[1] * 10] * 8)
        assert ran == [40, 40]
        working.cancel()
        await asyncio.wait({working})
