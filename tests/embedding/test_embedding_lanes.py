"""Who waits for whom: shown by events, with an encoder that stops where the test says."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from muniment.embedding.batching import Ids
from muniment.embedding.courtesy import Courtesy
from muniment.embedding.lane import Lane, Size
from muniment.embedding.loaded import QUERIES, Loaded
from muniment.kernel.model import Matrix
from muniment.kernel.problems import Throttled, Unavailable

LONG, SHORT = 30, 3


class Gated:
    """Gives each text its first id as its vector; stops at texts of `LONG` tokens until let on."""

    window_tokens = 100
    query_head: tuple[int, ...] = ()

    def __init__(self) -> None:
        self.ran: list[list[int]] = []
        self.entered, self.go = threading.Event(), threading.Event()

    def marked(self, words: Ids) -> Ids:
        return words

    def vectors(self, texts: Sequence[Ids]) -> Matrix:
        if max(map(len, texts)) == LONG:
            self.entered.set()
            assert self.go.wait(20)
        self.ran.append([ids[0] for ids in texts])
        if 666 in self.ran[-1]:
            raise ValueError("a defect")
        return np.array([[ids[0], 1] for ids in texts], np.float32)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, 20)


def text(first: int, length: int = SHORT) -> list[int]:
    return [first, *range(1, length)]


@pytest.fixture
def gated() -> Gated:
    return Gated()


@pytest.fixture
async def lane(gated: Gated) -> AsyncIterator[Lane]:
    with ThreadPoolExecutor(1) as pool:
        found = Lane("test", gated.vectors, Size(batch=12, ahead=60, waiting=60), pool)
        working = asyncio.create_task(found.work())
        yield found
        gated.go.set()
        working.cancel()
        await asyncio.wait({working})


async def test_a_query_does_not_wait_for_passages(gated: Gated) -> None:
    loaded = Loaded(gated, Size(batch=32, ahead=64, waiting=4096), Courtesy())  # type: ignore[arg-type]
    slow = asyncio.create_task(loaded.passages([text(n, LONG) for n in range(5)]))
    await gated.reached()
    rows = await asyncio.wait_for(loaded.queries([text(7)]), 20)
    assert not slow.done()
    assert gated.ran == [[7]]
    assert np.allclose(rows, np.array([[7, 1]]) / np.hypot(7, 1))
    gated.go.set()
    assert (await slow)[:, 0].tolist() == [0, 1, 2, 3, 4]
    await loaded.close()


async def test_too_many_queries_are_sent_away(gated: Gated) -> None:
    loaded = Loaded(gated, Size(batch=32, ahead=64, waiting=4096), Courtesy())  # type: ignore[arg-type]
    first = asyncio.create_task(loaded.queries([text(1, LONG)]))
    await gated.reached()
    crowd = asyncio.create_task(loaded.queries([text(2, 80)] * (QUERIES.waiting // 80 + 1)))
    await asyncio.sleep(0)
    with pytest.raises(Throttled) as refused:
        await loaded.queries([text(3)])
    assert refused.value.retry_after_seconds == 1
    gated.go.set()
    await asyncio.gather(first, crowd)
    assert (await loaded.queries([text(3)])).shape == (1, 2)
    await loaded.close()


async def test_callers_share_batches_of_like_length(gated: Gated, lane: Lane) -> None:
    stopped = asyncio.create_task(lane.embed([text(0, LONG)]))
    await gated.reached()
    waiting = [
        asyncio.create_task(lane.embed(texts))
        for texts in ([text(1, 6), text(2, 2)], [text(3, 2), text(4, 6)], [text(5, 2)])
    ]
    await asyncio.sleep(0)
    gated.go.set()
    await asyncio.gather(stopped, *waiting)
    assert [sorted(batch) for batch in gated.ran] == [[0], [2, 3, 5], [1, 4]]
    assert [row.result()[:, 0].tolist() for row in waiting] == [[1, 2], [3, 4], [5]]


async def test_a_cancelled_caller_leaves_the_line(gated: Gated, lane: Lane) -> None:
    stopped = asyncio.create_task(lane.embed([text(0, LONG)]))
    await gated.reached()
    leaver = asyncio.create_task(lane.embed([text(1, 30), text(2, 30), text(3, 30)]))
    await asyncio.sleep(0)
    assert lane.full
    stayer = asyncio.create_task(lane.embed([text(4)]))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.wait({leaver})
    assert not lane.full
    gated.go.set()
    await asyncio.gather(stopped, stayer)
    assert gated.ran == [[0], [4]]


async def test_a_full_line_makes_callers_wait_and_lets_them_in_again(gated: Gated, lane: Lane) -> None:
    gated.go.set()
    many = await asyncio.gather(*(lane.embed([text(n, 20) for n in range(m, m + 8)]) for m in range(40)))
    assert [rows[:, 0].tolist() for rows in many] == [list(range(m, m + 8)) for m in range(40)]


async def test_who_has_one_text_does_not_wait_for_who_has_many(gated: Gated, lane: Lane) -> None:
    stopped = asyncio.create_task(lane.embed([text(0, LONG)]))
    await gated.reached()
    many = [asyncio.create_task(lane.embed([text(n, 12) for n in range(m, m + 50)])) for m in (100, 200)]
    await asyncio.sleep(0)
    assert lane.full
    one = asyncio.create_task(lane.embed([text(1, 12)]))
    await asyncio.sleep(0)
    gated.go.set()
    await one
    assert [1] in gated.ran[1:6], "in the first stretch after it came"
    assert not any(task.done() for task in many)
    await asyncio.gather(stopped, *many)


async def test_a_failure_reaches_those_in_its_batch_only(gated: Gated, lane: Lane) -> None:
    stopped = asyncio.create_task(lane.embed([text(0, LONG)]))
    await gated.reached()
    broken = asyncio.create_task(lane.embed([text(666, 12), text(1, 12)]))
    fine = asyncio.create_task(lane.embed([text(2, 2)]))
    await asyncio.sleep(0)
    gated.go.set()
    await asyncio.wait({stopped, broken, fine})
    assert isinstance(broken.exception(), ValueError)
    assert fine.result().tolist() == [[2, 1]]
    assert [1] not in gated.ran


async def test_as_many_batches_run_at_once_as_there_are_threads() -> None:
    together = threading.Barrier(3, timeout=20)
    ran: list[int] = []

    def run(texts: Sequence[Ids]) -> Matrix:
        together.wait()
        ran.append(len(texts))
        return np.array([[ids[0], 1] for ids in texts], np.float32)

    with ThreadPoolExecutor(3) as pool:
        lane = Lane("test", run, Size(batch=1000, ahead=4000, waiting=4000), pool, runs=3)
        working = asyncio.create_task(lane.work())
        rows = await lane.embed([text(n, 10) for n in range(6)])
        assert ran == [2, 2, 2], "a little work is shared out, too"
        assert rows[:, 0].tolist() == list(range(6))
        working.cancel()
        await asyncio.wait({working})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows the niceness of a single thread")
async def test_threads_that_read_passages_stand_back() -> None:
    niceness: dict[int, int] = {}

    class Noting(Gated):
        def vectors(self, texts: Sequence[Ids]) -> Matrix:
            niceness[texts[0][0]] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
            return super().vectors(texts)

    loaded = Loaded(Noting(), Size(batch=32, ahead=64, waiting=4096), Courtesy(), runs=2)  # type: ignore[arg-type]
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    await loaded.passages([text(1), text(2)])
    await loaded.queries([text(3)])
    await loaded.close()
    assert niceness[3] == usual
    assert {niceness[1], niceness[2]} == {min(usual + 10, 19)}
    assert os.getpriority(os.PRIO_PROCESS, 0) == usual


async def test_who_still_waits_at_the_end_is_told(gated: Gated) -> None:
    loaded = Loaded(gated, Size(batch=32, ahead=64, waiting=4096), Courtesy())  # type: ignore[arg-type]
    waiting = asyncio.create_task(loaded.passages([text(n, LONG) for n in range(5)]))
    await gated.reached()
    closing = asyncio.create_task(loaded.close())
    with pytest.raises(Unavailable, match="stopped"):
        await waiting
    gated.go.set()
    await closing


async def test_a_short_text_is_read_at_once_a_long_one_in_a_thread() -> None:
    reading: dict[int, int] = {}

    class Noting(Gated):
        def words(self, texts: Sequence[str], prefix: str) -> list[Ids]:
            assert prefix == "query: "
            reading[len(texts[0])] = threading.get_ident()
            return [text(1) for _ in texts]

    loaded = Loaded(Noting(), Size(batch=32, ahead=64, waiting=4096), Courtesy())  # type: ignore[arg-type]
    assert await loaded.words(["a" * 100, "b"], "query: ") == [text(1), text(1)]
    assert await loaded.words(["a" * 10_000], "query: ") == [text(1)]
    await loaded.close()
    assert reading[100] == threading.get_ident() != reading[10_000]
