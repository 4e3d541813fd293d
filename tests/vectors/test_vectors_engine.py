import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
import pytest_asyncio

from muniment.kernel.local import local
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Throttled
from muniment.vectors.contract import (
    AnyOf,
    CountPoints,
    DeletePoints,
    EngineDown,
    EnsureIndex,
    FetchVectors,
    KeywordQuery,
    NoneOf,
    Payload,
    Point,
    SearchPoints,
    SetPayload,
    Upsert,
    Vectors,
)
from muniment.vectors.engine.processes.proxy import ChildEngine
from muniment.vectors.engine.processes.supervisor import Supervisor
from muniment.vectors.service import EngineVectors

pytestmark = pytest.mark.asyncio(loop_scope="module")

INDEX = EnsureIndex(index="main", dimensions=4)
BASE: Payload = {"readers": ("usr_a",), "collection": "col_1", "document": "doc_1", "version": "ver_1"}
COUNT = CountPoints(index="main")
SEARCH = SearchPoints(
    index="main", queries=(KeywordQuery(text="lease", limit=1000),), readers=frozenset({"usr_a"})
)


class Room:
    """A room whose child can be reached."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.vectors = local(Vectors, EngineVectors(ChildEngine(supervisor), average_length=10))

    def signal(self, number: signal.Signals) -> None:
        assert self.supervisor.process_id is not None
        os.kill(self.supervisor.process_id, number)

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.signal(signal.SIGSTOP)
        yield
        self.signal(signal.SIGCONT)

    async def recovered(self, call: Callable[[], Awaitable[object]]) -> None:
        """Until `call` succeeds again."""
        while True:
            try:
                await call()
            except EngineDown:
                await asyncio.sleep(0.02)
            else:
                return


@asynccontextmanager
async def room(folder: Path, *, queue: int = 64, start_seconds: float = 60) -> AsyncIterator[Room]:
    supervisor = Supervisor(folder, queue=queue, start_seconds=start_seconds)
    running = asyncio.create_task(supervisor.run())
    try:
        yield Room(supervisor)
    finally:
        running.cancel()
        await asyncio.wait({running})


def some(size: int, **payload: object) -> Upsert:
    points = tuple(Point(id=uuid4(), text="a lease", payload=BASE | payload) for _ in range(size))
    return Upsert(index="main", points=points, vectors=np.ones((size, 4), np.float32))


async def found(vectors: Vectors) -> set[UUID]:
    return {hit.id for hit in (await vectors.search(SEARCH)).lists[0]}


async def still_there(vectors: Vectors, ids: set[UUID]) -> set[UUID]:
    return set((await vectors.fetch(FetchVectors(index="main", ids=tuple(ids)))).ids)


async def turns() -> None:
    """Let every task run until it waits for the child."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    async with room(tmp_path_factory.mktemp("engine"), queue=3) as opened:
        await opened.vectors.ensure(INDEX)
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def opened(shared: Room) -> AsyncIterator[Room]:
    """One room for many tests: starting a child and making an index take half a second."""
    everything = NoneOf(field="nothing", values=("at all",))
    await shared.vectors.delete(DeletePoints(index="main", filter=(everything,)))
    yield shared


async def test_no_acknowledged_write_is_lost_by_kill_9(opened: Room) -> None:
    acknowledged: set[UUID] = set()
    vectors = opened.vectors
    await vectors.upsert(some(5, document="doc_gone"))
    await vectors.delete(DeletePoints(index="main", filter=(AnyOf(field="document", values=("doc_gone",)),)))
    await vectors.upsert(some(5, document="doc_closed", readers=("usr_closed",)))
    hide = SetPayload(
        index="main", filter=(AnyOf(field="document", values=("doc_closed",)),), payload={"readers": ()}
    )
    await vectors.set_payload(hide)
    reopened = AnyOf(field="readers", values=("usr_closed",))

    for _ in range(3):
        for _ in range(5):
            more = some(20)
            await vectors.upsert(more)
            acknowledged |= {p.id for p in more.points}
        before = await vectors.count(COUNT)
        cut_short = asyncio.create_task(vectors.upsert(some(2000)))
        while await vectors.count(COUNT) == before:
            pass
        opened.signal(signal.SIGKILL)
        with pytest.raises(EngineDown):
            await cut_short

        await opened.recovered(lambda: vectors.count(COUNT))
        assert await still_there(vectors, acknowledged) == acknowledged
        assert (await vectors.count(CountPoints(index="main", filter=(reopened,)))).count == 0
    gone = AnyOf(field="document", values=("doc_gone",))
    assert (await vectors.count(CountPoints(index="main", filter=(gone,)))).count == 0


async def test_calls_in_flight_and_waiting_fail_when_the_child_dies_and_work_again_soon(opened: Room) -> None:
    opened.signal(signal.SIGSTOP)
    calls = [asyncio.create_task(opened.vectors.count(COUNT)) for _ in range(3)]
    await turns()
    opened.signal(signal.SIGKILL)
    for call in calls:
        with pytest.raises(EngineDown):
            await call
    with pytest.raises(EngineDown):
        await opened.vectors.count(COUNT)
    await opened.recovered(lambda: opened.vectors.count(COUNT))


async def test_a_cancelled_call_leaves_the_queue_and_disturbs_no_other(opened: Room) -> None:
    await opened.vectors.upsert(some(1))
    with opened.paused():
        in_flight = asyncio.create_task(opened.vectors.status(Nothing()))
        await turns()
        waiting = asyncio.create_task(opened.vectors.upsert(some(1)))
        other = asyncio.create_task(opened.vectors.count(COUNT))
        await asyncio.to_thread(lambda: None)  # the upsert analyses its text in a thread
        await turns()
        in_flight.cancel()
        waiting.cancel()
    assert (await other).count == 1
    await asyncio.wait({in_flight, waiting})
    assert in_flight.cancelled()
    assert waiting.cancelled()
    assert (await opened.vectors.count(COUNT)).count == 1


async def test_queries_get_between_the_slices_of_a_large_write(opened: Room) -> None:
    done: list[str] = []

    async def noted(name: str, call: Awaitable[object]) -> None:
        await call
        done.append(name)

    async with asyncio.TaskGroup() as group:
        large = some(1000)
        group.create_task(noted("write", opened.vectors.upsert(large)))
        while (await opened.vectors.count(COUNT)).count == 0:
            pass
        for _ in range(3):
            group.create_task(noted("query", opened.vectors.search(SEARCH)))
    assert done == ["query", "query", "query", "write"]


async def test_more_calls_than_may_wait_are_throttled(opened: Room) -> None:
    with opened.paused():
        calls = [asyncio.create_task(opened.vectors.count(COUNT)) for _ in range(4)]
        await turns()
        calls += [asyncio.create_task(opened.vectors.count(COUNT)) for _ in range(2)]
        await turns()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(outcome, Throttled) for outcome in outcomes) == 2
    assert (await opened.vectors.count(COUNT)).count == 0


async def test_what_was_kept_is_there_after_a_restart_of_the_room(tmp_path: Path) -> None:
    async with room(tmp_path) as opened:
        await opened.vectors.ensure(INDEX)
        kept = some(70)
        await opened.vectors.upsert(kept)
    with pytest.raises(EngineDown):
        await opened.vectors.count(COUNT)
    (tmp_path / ".half" / "shard").mkdir(parents=True)
    async with room(tmp_path) as opened:
        assert await found(opened.vectors) == {p.id for p in kept.points}
        status = await opened.vectors.status(Nothing())
        assert [(i.name, i.points, i.dimensions) for i in status.indexes] == [("main", 70, 4)]
    assert not (tmp_path / ".half").exists()


async def test_a_second_engine_waits_until_the_first_has_let_go(tmp_path: Path) -> None:
    async with room(tmp_path) as first:
        await first.vectors.ensure(INDEX)
        async with room(tmp_path, start_seconds=0.5) as hasty:
            with pytest.raises(EngineDown):
                await hasty.vectors.count(COUNT)
        second_room = room(tmp_path)
        second = await second_room.__aenter__()
        waiting = asyncio.create_task(second.vectors.count(COUNT))
        await first.vectors.upsert(some(3))
        assert not waiting.done()
    assert (await waiting).count == 3
    await second_room.__aexit__(None, None, None)


async def test_the_child_dies_with_its_parent_even_when_it_cannot_listen(tmp_path: Path) -> None:
    script = Path(__file__).with_name("orphaning_parent.py")
    parent = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    try:
        child = int(await parent.stdout.readline())
        if sys.platform == "linux":
            os.kill(child, signal.SIGSTOP)
    finally:
        parent.kill()
        await parent.communicate()
    async with room(tmp_path) as opened:
        assert [i.name for i in (await opened.vectors.status(Nothing())).indexes] == ["kept"]


async def test_an_engine_that_cannot_start_says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    async with room(tmp_path / "taken") as opened:
        with pytest.raises(EngineDown):
            await opened.vectors.count(COUNT)
