import asyncio
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.kernel.problems import Throttled, Unavailable
from muniment.vectors import bm25
from muniment.vectors.contract import AnyOf, EngineDown, Range
from muniment.vectors.engine.edge import config as edge_config
from muniment.vectors.engine.edge import layout
from muniment.vectors.engine.edge import readers as edge_readers
from muniment.vectors.engine.edge import search as edge_search
from muniment.vectors.engine.edge import shards as edge
from muniment.vectors.engine.engine import LEAN_FIELDS, EnginePoint
from muniment.vectors.engine.processes.frames import Frame, pack_ragged, receive, send, unpack_ragged
from muniment.vectors.engine.processes.queue import Call, CallQueue


def named(name: str, *, writes: bool = False) -> Call:
    return Call(Frame({"operation": name}), writes)


async def order(queue: CallQueue, count: int) -> list[str]:
    return [(await queue.next()).frame.head["operation"] for _ in range(count)]


async def test_queries_go_before_writes_each_in_their_order() -> None:
    queue = CallQueue(10)
    for call in (named("w1", writes=True), named("q1"), named("w2", writes=True), named("q2")):
        queue.put(call)
    assert await order(queue, 4) == ["q1", "q2", "w1", "w2"]


async def test_a_flood_of_queries_does_not_starve_writes() -> None:
    queue = CallQueue(100)
    queue.put(named("w", writes=True))
    for _ in range(100):
        queue.put(named("q"))
    assert "w" in await order(queue, 20)


async def test_the_queue_is_bounded_and_forgets_those_who_left() -> None:
    queue = CallQueue(2)
    first, second = named("1"), named("2")
    queue.put(first)
    queue.put(second)
    with pytest.raises(Throttled) as full:
        queue.put(named("3"))
    assert full.value.retry_after_seconds
    queue.put(named("w", writes=True))
    queue.drop(first)
    queue.drop(first)
    queue.put(named("3"))
    second.answer.cancel()
    assert await order(queue, 2) == ["3", "w"]


async def test_waiting_for_a_call_ends_with_the_next_one_put() -> None:
    queue = CallQueue(2)
    waiting = asyncio.create_task(queue.next())
    await asyncio.sleep(0)
    call = named("late")
    queue.put(call)
    assert await waiting is call


async def test_everyone_is_sent_away_with_a_problem() -> None:
    queue = CallQueue(2)
    calls = [named("q"), named("w", writes=True)]
    for call in calls:
        queue.put(call)
    queue.fail_all(EngineDown("gone"))
    for call in calls:
        with pytest.raises(EngineDown):
            await call.answer


class Wire:
    """A writer whose bytes can be read again."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()

    def write(self, data: bytes) -> None:
        self.reader.feed_data(data)

    async def drain(self) -> None: ...


@given(
    rows=st.lists(st.lists(st.floats(width=32, allow_nan=False), max_size=5), max_size=5),
    text=st.text(max_size=10),
)
async def test_a_frame_arrives_as_it_was_sent(rows: list[list[float]], text: str) -> None:
    flat, lengths = pack_ragged([np.array(row, np.float32) for row in rows], np.float32)
    sent = Frame({"text": text}, (flat, lengths, np.zeros((0, 16), np.uint8)))
    wire = Wire()
    await send(wire, sent)  # type: ignore[arg-type]
    arrived = await receive(wire.reader)
    assert arrived.head == sent.head
    assert [row.tolist() for row in unpack_ragged(*arrived.arrays[:2])] == rows
    assert arrived.arrays[2].shape == (0, 16)


def test_a_term_has_the_same_id_in_every_process() -> None:
    script = "from muniment.vectors.bm25 import term_id; print(term_id('lease'))"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(other.stdout) == bm25.term_id("lease") == 3433134285


@given(st.lists(st.sampled_from("abcdef")), st.floats(1, 500))
def test_stored_weights_rise_with_the_count_and_stay_below_one(said: Sequence[str], average: float) -> None:
    stored = bm25.of_passage((map(bm25.term_id, said), average))
    weights = dict(zip(stored.indices.tolist(), stored.values.tolist(), strict=True))
    assert set(weights) == {bm25.term_id(term) for term in said}
    assert all(0 < weight < 1 for weight in weights.values())
    by_count = sorted(set(said), key=said.count)
    assert [weights[bm25.term_id(t)] for t in by_count] == sorted(weights.values())


def test_a_query_says_a_term_as_often_as_it_does() -> None:
    asked = bm25.of_query(map(bm25.term_id, ["a", "b", "a"]))
    weights = dict(zip(asked.indices.tolist(), asked.values.tolist(), strict=True))
    assert weights == {bm25.term_id("a"): 2.0, bm25.term_id("b"): 1.0}
    assert asked.indices.tolist() == sorted(asked.indices.tolist())


async def test_an_index_of_before_learns_the_fields_that_have_come_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = edge_config._FIELDS
    monkeypatch.setattr(edge_config, "_FIELDS", {k: v for k, v in fields.items() if not k.startswith("current")})
    before = edge.EdgeShards(tmp_path)
    before.ensure("main", 2)
    kept = EnginePoint(
        uuid4(), {"current_from": "2026-01-01T00:00:00+00:00"}, bm25.of_passage(([bm25.term_id("lease")], 10))
    )
    before.upsert("main", [kept], np.ones((1, 2), np.float32))
    before.close()

    monkeypatch.setattr(edge_config, "_FIELDS", fields)
    after = edge.EdgeShards(tmp_path)
    await after.open(1)
    known = after.index("main").shard.info().payload_schema
    year = datetime(2026, 1, 1, tzinfo=UTC)
    after.ensure("lean", 2, lean=True)
    after.close()
    await after.open(1)
    assert set(after.index("lean").shard.info().payload_schema) == LEAN_FIELDS | {edge_readers.NUMBERS}
    main = after.index("main")
    counts = [
        edge_search.count(main, (Range(field="current_from", lte=at),)) for at in (year, year - timedelta(days=1))
    ]
    after.close()
    assert {"current_from", "current_to"} <= set(known)
    assert counts == [1, 0]


async def test_an_index_does_not_grow_on_a_full_disk_but_shrinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = edge.EdgeShards(tmp_path)
    shards.ensure("main", 2)
    kept = EnginePoint(uuid4(), {"document": "d"}, bm25.of_passage(([bm25.term_id("lease")], 10)))
    shards.upsert("main", [kept], np.ones((1, 2), np.float32))
    monkeypatch.setattr(edge, "_LEAST_FREE_BYTES", 1 << 60)
    with pytest.raises(Unavailable, match="the disk is full"):
        shards.upsert("main", [kept], np.ones((1, 2), np.float32))
    with pytest.raises(Unavailable, match="the disk is full"):
        shards.ensure("other", 2)
    assert [(index.name, index.points) for index in shards.status()] == [("main", 1)]
    assert not shards.delete("main", (AnyOf(field="document", values=("d",)),), 10)
    assert shards.status()[0].points == 0
    shards.close()


def test_a_segment_that_is_renamed_while_the_log_is_flushed_is_flushed_under_its_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp-open-1").touch()
    seen: list[str] = []

    def touch(path: Path) -> None:
        if path.name == "tmp-open-1":
            path.rename(tmp_path / "open-1")
            raise FileNotFoundError(path)
        seen.append(path.name)

    monkeypatch.setattr(layout, "sync", touch)
    assert not edge._flushed(tmp_path)
    assert edge._flushed(tmp_path)
    assert seen == ["open-1"]
