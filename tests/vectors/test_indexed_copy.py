import asyncio
import os
import signal
import sys
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from muniment.vectors.contract import IndexStatus
from muniment.vectors.engine.copies import building
from muniment.vectors.engine.edge import layout
from muniment.vectors.engine.terms import Terms
from vectors.copying import DIMENSIONS, TERMS, Room, built, files, of, room, some, told_apart


async def filled(opened: Room, size: int = 600) -> list[UUID]:
    await opened.engine.ensure("main", DIMENSIONS)
    points, rows = some(size)
    await opened.engine.upsert("main", points, rows)
    return [p.id for p in points]


def lives(process: int) -> bool:
    """Whether it runs; one that ended may wait for an init that does not look after it."""
    if sys.platform != "linux":
        return False
    status = Path(f"/proc/{process}/stat")
    return status.is_file() and status.read_text().rpartition(")")[2].split()[0] not in "ZX"


async def test_what_happens_while_the_copy_is_built_is_all_in_it(tmp_path: Path) -> None:
    async with room(tmp_path) as opened:
        engine = opened.engine
        await filled(opened)
        kept = {"doc_first": 600}
        step = 0
        while not (await opened.status()).indexed:
            name = f"doc_{step}"
            await engine.upsert("main", *some(5, name))
            await engine.set_payload("main", of(name), {"document": f"{name}_b"})
            kept[f"{name}_b"] = 5
            if step % 3 == 1:
                await engine.delete("main", of(f"doc_{step - 1}_b"))
                del kept[f"doc_{step - 1}_b"]
            step += 1
            await asyncio.sleep(0.05)
        assert await opened.documents() == kept
        await opened.until(lambda status: built(status) and len(files(tmp_path)) == 2)
        assert await opened.documents() == kept
        points, rows = some(5, "doc_after")
        await engine.upsert("main", points, rows)
        assert await told_apart(engine, [p.id for p in points])
        ids, vectors = await engine.fetch("main", [p.id for p in points])
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        by_id = {p.id: row for p, row in zip(points, unit, strict=True)}
        np.testing.assert_allclose(vectors, [by_id[i] for i in ids], atol=1e-6)
    async with room(tmp_path) as opened:
        assert (await opened.status()).points == sum(kept.values()) + 5


async def test_what_comes_later_is_indexed_in_its_turn(tmp_path: Path) -> None:
    async with room(tmp_path) as opened:
        ids = await filled(opened)
        await opened.until(built)
        first = opened.processes.serving("main")
        marks = [opened.engine.mark()]
        points, rows = some(500, "doc_later")
        await opened.engine.upsert("main", points, rows)
        while files(tmp_path) != {"index.json", "shard-3"}:
            await asyncio.sleep(0.01)
            marks.append(opened.engine.mark())
        counts = [int(mark.rpartition("-")[2]) for mark in marks]
        assert counts == sorted(counts)
        status = await opened.until(built)
        assert (status.points, status.indexed > 800) == (1100, True)
        assert opened.processes.serving("main") is not first
        assert first.process_id is None
        assert await opened.documents() == {"doc_first": 600, "doc_later": 500}
        assert await told_apart(opened.engine, [*ids[:3], points[0].id])


@pytest.mark.parametrize("victim", ["builder", "engine"])
async def test_a_build_whose_process_dies_is_given_up_and_begun_again(tmp_path: Path, victim: str) -> None:
    async with room(tmp_path) as opened:
        ids = await filled(opened)
        await opened.until(lambda status: "copied" in (status.building or ""))
        killed = opened.copies.process_id if victim == "builder" else opened.processes.common.process_id
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        status = await opened.until(lambda status: status.problem is not None)
        assert status.problem is not None
        assert status.problem.startswith("the indexed copy was given up: ")
        assert status.points == 600
        assert files(tmp_path) == {"index.json", "shard"}
        assert await told_apart(opened.engine, ids[:3])
        opened.try_again()
        status = await opened.until(built)
        assert (status.points, status.indexed, status.problem) == (600, 600, None)
        assert await told_apart(opened.engine, ids[:3])


async def test_a_full_disk_ends_the_build_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_DISK_LOOK_SECONDS", 0.01)
    free = building._free_bytes(tmp_path)
    async with room(tmp_path, TERMS._replace(least_free_bytes=1000)) as opened:
        monkeypatch.setattr(building, "_free_bytes", lambda _: free)
        ids = await filled(opened)
        await opened.until(lambda status: "copied" in (status.building or ""))
        monkeypatch.setattr(building, "_free_bytes", lambda _: 999)
        status = await opened.until(lambda status: status.problem is not None)
        assert status.problem is not None
        assert "the disk has 0 MB free" in status.problem
        assert opened.copies.process_id is None
        assert files(tmp_path) == {"index.json", "shard"}
        assert await told_apart(opened.engine, ids[:3])
        monkeypatch.setattr(building, "_free_bytes", lambda _: free)
        opened.try_again()
        assert (await opened.until(built)).indexed > 400


async def test_a_server_that_is_killed_leaves_the_old_shard_and_no_builder(tmp_path: Path) -> None:
    script = Path(__file__).with_name("building_parent.py")
    parent = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    try:
        builder = int(await parent.stdout.readline())
    finally:
        parent.kill()
        await parent.communicate()
    assert layout.about(tmp_path / "main").shard == "shard"
    assert files(tmp_path) > {"index.json", "shard"}
    never = TERMS._replace(index_from=10_000)
    async with room(tmp_path, never) as opened:
        assert (await opened.status()).points == 600
        assert files(tmp_path) == {"index.json", "shard"}
        assert not lives(builder)
    async with room(tmp_path) as opened:
        assert (await opened.until(built)).indexed > 400


async def test_after_a_crash_between_the_swap_and_the_clearing_the_copy_serves(tmp_path: Path) -> None:
    async with room(tmp_path) as opened:
        ids = await filled(opened)
        await opened.until(built)
        await opened.engine.upsert("main", *some(1, "doc_late"))
    (tmp_path / "main" / "shard" / "segments").mkdir(parents=True)
    (tmp_path / "main" / "log-of-shard-2").mkdir()
    (tmp_path / "main" / "index.json.new").touch()
    async with room(tmp_path) as opened:
        assert await opened.documents() == {"doc_first": 600, "doc_late": 1}
        assert await told_apart(opened.engine, ids[:3])
        assert files(tmp_path) == {"index.json", "shard-2"}


async def test_a_room_that_is_closed_ends_the_builder(tmp_path: Path) -> None:
    async with room(tmp_path) as opened:
        await filled(opened)
        await opened.until(lambda status: "copied" in (status.building or ""))
        builder = opened.copies.process_id
    assert builder is not None
    assert not lives(builder)


def test_a_copy_is_due_when_much_is_compared_one_by_one() -> None:
    assert not TERMS.due(399, 0)
    assert TERMS.due(400, 0)
    assert not TERMS.due(2000, 1601)
    assert not TERMS.due(2600, 2100)
    assert TERMS.due(2600, 2000)


def test_fewer_are_indexed_once_nothing_has_changed_for_a_while() -> None:
    assert not Terms().due(9999, 0, still_seconds=1000)
    assert not Terms().due(52_000, 50_000, still_seconds=59)
    assert Terms().due(52_000, 50_000, still_seconds=60)
    assert not Terms().due(51_999, 50_000, still_seconds=60)
    assert not Terms().due(102_000, 100_000, still_seconds=60)


async def test_a_built_index_says_so(tmp_path: Path) -> None:
    async with room(tmp_path, TERMS._replace(index_from=600, quantize_from=600)) as opened:
        await filled(opened)
        assert await opened.until(built) == IndexStatus(
            name="main", points=600, dimensions=DIMENSIONS, indexed=600, quantized=True
        )
