import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path
from random import Random
from typing import NamedTuple
from uuid import UUID

import numpy as np
import pytest

from muniment.vectors.contract import AnyOf
from muniment.vectors.engine.copies import building
from muniment.vectors.engine.edge import layout
from muniment.vectors.engine.engine import Nearest
from vectors.copying import DIMENSIONS, TERMS, Room, built, files, lean, of, room, some, told_apart

EARLY = TERMS._replace(index_from=200, index_again_share=0.1)
READERS = (AnyOf(field="readers", values=("usr_a",)),)
NEAREST = 10


class House:
    """What an index should hold, beside the one that holds it."""

    def __init__(self, opened: Room) -> None:
        self.opened = opened
        self.documents: dict[str, set[UUID]] = {}
        self.vectors: dict[UUID, np.ndarray] = {}

    async def put(self, document: str, size: int = 100, ids: list[UUID] | None = None) -> None:
        """Points, or other vectors for those that are there."""
        points, rows = some(size, document, ids)
        if ids:
            rows = rows[::-1].copy()
        await self.opened.engine.upsert("main", points, rows)
        self.documents.setdefault(document, set()).update(p.id for p in points)
        self.vectors.update(zip([p.id for p in points], rows / np.linalg.norm(rows, axis=1)[:, None], strict=True))

    async def delete(self, document: str) -> None:
        await self.opened.engine.delete("main", of(document))
        for gone in self.documents.pop(document):
            del self.vectors[gone]

    async def rename(self, document: str, name: str) -> None:
        await self.opened.engine.set_payload("main", of(document), {"document": name})
        self.documents[name] = self.documents.pop(document)

    async def something(self, chance: Random, step: int) -> None:
        """A write as ingestion does it."""
        name = chance.choice(sorted(self.documents))
        match chance.randrange(6):
            case 0:
                await self.delete(name)
            case 1:
                await self.rename(name, f"doc_{step}_renamed")
            case 2:
                await self.put(name, ids=sorted(self.documents[name])[:20])
            case _:
                await self.put(f"doc_{step}", 30)

    async def holds(self) -> None:
        """Every point is where it should be, as it should be, and nothing else is."""
        assert await self.opened.documents() == {name: len(ids) for name, ids in self.documents.items()}
        ids, vectors = await self.opened.engine.fetch("main", list(self.vectors))
        assert set(ids) == set(self.vectors)
        np.testing.assert_allclose(vectors, [self.vectors[i] for i in ids], atol=1e-6)
        await self.finds(3)
        assert await told_apart(self.opened.engine, list(self.vectors)[:5] + list(self.vectors)[-5:])

    async def finds(self, questions: int) -> None:
        """The nearest are as near as a comparison with all of them says."""
        rows = np.array(list(self.vectors.values()))
        for asked in np.random.default_rng(len(rows)).normal(size=(questions, DIMENSIONS)).astype(np.float32):
            hits = (await self.opened.engine.search("main", [Nearest(asked, NEAREST)], READERS))[0]
            found = [self.vectors[hit.id] @ asked for hit in hits]
            np.testing.assert_allclose(found, sorted(rows @ asked, reverse=True)[:NEAREST], atol=1e-5)


class Indexed(NamedTuple):
    """Where an index lies, and what it holds."""

    folder: Path
    house: House


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Indexed:
    """An index of 400 points that has its graph, made once."""
    folder = tmp_path_factory.mktemp("indexed")

    async def fill() -> Indexed:
        async with room(folder, TERMS) as opened:
            await opened.engine.ensure("main", DIMENSIONS)
            house = House(opened)
            for number in range(4):
                await house.put(f"doc_{number}")
            await opened.until(built)
            return Indexed(tmp_path_factory.mktemp("lean"), house)

    made = asyncio.run(fill())
    shutil.copytree(folder, made.folder, copy_function=lean, dirs_exist_ok=True)
    return made


@pytest.fixture
def folder(tmp_path: Path, indexed: Indexed) -> Path:
    """One like it."""
    shutil.copytree(indexed.folder, tmp_path, copy_function=lean, dirs_exist_ok=True)
    return tmp_path


async def with_a_tail(indexed: Indexed, opened: Room) -> House:
    """Points come that its graph has not."""
    house = House(opened)
    house.documents = {name: set(ids) for name, ids in indexed.house.documents.items()}
    house.vectors = dict(indexed.house.vectors)
    await house.put("doc_tail", 300)
    return house


def shard(folder: Path) -> str:
    return layout.about(folder / "main").shard


async def until_shard(opened: Room, name: str) -> None:
    await opened.until(lambda _: files(opened.processes.folder) == {"index.json", name})


async def copying(opened: Room) -> int:
    """The process that has begun to index the tail."""
    await opened.until(lambda _: opened.copies.process_id is not None)
    assert opened.copies.process_id is not None
    return opened.copies.process_id


async def test_an_index_grows_by_segments_while_it_is_written_to_and_searched(
    folder: Path, indexed: Indexed
) -> None:
    chance = Random(4)
    async with room(folder, EARLY) as opened:
        house = await with_a_tail(indexed, opened)
        step = 0
        while shard(folder) in ("shard-2", "shard-3"):
            await house.something(chance, step)
            await house.finds(1)
            await asyncio.sleep(0.03)
            step += 1
        await house.holds()
        status = await opened.until(lambda status: status.building is None)
        assert status.problem is None
        await house.holds()
        assert layout.segments(folder / "main" / shard(folder)) > 2
        assert opened.copies._anew == set()
    async with room(folder, EARLY) as house.opened:
        await house.holds()


async def test_an_index_at_rest_has_no_tail(folder: Path, indexed: Indexed) -> None:
    resting = TERMS._replace(rest_seconds=0.3, rest_from=50, rest_share=0.05)
    async with room(folder, resting) as opened:
        house = await with_a_tail(indexed, opened)
        await until_shard(opened, "shard-3")
        status = await opened.until(built)
        assert (status.points, status.indexed) == (700, 700)
        await house.put("doc_more", 40)
        await house.put("doc_more", 20)
        await until_shard(opened, "shard-4")
        status = await opened.until(built)
        assert (status.points, status.indexed) == (760, 760)
        await house.holds()


@pytest.mark.parametrize("why", ["segments", "tail", "quantized"])
async def test_what_no_segment_can_mend_is_built_again(
    folder: Path, indexed: Indexed, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    if why == "segments":
        monkeypatch.setattr(building, "_MOST_SEGMENTS", 1)
    if why == "tail":
        monkeypatch.setattr(building, "_LEAST_SEGMENT", 100)
    async with room(folder, EARLY._replace(quantize_from=500 if why == "quantized" else 100_000)) as opened:
        house = await with_a_tail(indexed, opened)
        await opened.until(lambda status: "copied" in (status.building or ""))
        await until_shard(opened, "shard-3")
        assert (await opened.status()).quantized == (why == "quantized")
        await house.holds()


@pytest.mark.parametrize("victim", ["builder", "engine"])
async def test_a_copy_of_files_whose_process_dies_is_built_from_nothing_the_next_time(
    folder: Path, indexed: Indexed, victim: str
) -> None:
    async with room(folder, EARLY) as opened:
        house = await with_a_tail(indexed, opened)
        builder = await copying(opened)
        serving = opened.processes.serving("main").process_id
        assert serving is not None
        os.kill(builder if victim == "builder" else serving, signal.SIGKILL)
        status = await opened.until(lambda status: status.problem is not None)
        assert (status.points, shard(folder)) == (700, "shard-2")
        assert files(folder) == {"index.json", "shard-2"}
        await house.holds()
        opened.try_again()
        await opened.until(lambda status: "copied" in (status.building or ""))
        await until_shard(opened, "shard-3")
        await opened.until(built)
        await house.holds()


async def test_a_full_disk_ends_a_copy_of_files(
    folder: Path, indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_DISK_LOOK_SECONDS", 0.01)
    free = building._free_bytes(folder)
    async with room(folder, EARLY._replace(least_free_bytes=1000)) as opened:
        monkeypatch.setattr(building, "_free_bytes", lambda _: 999 if opened.copies.process_id else free)
        house = await with_a_tail(indexed, opened)
        await opened.until(lambda status: status.problem is not None)
        assert files(folder) == {"index.json", "shard-2"}
        await house.holds()


async def test_a_copy_that_would_hold_up_writes_is_given_up(
    folder: Path, indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with room(folder, EARLY) as opened:
        monkeypatch.setattr(building, "_HOLD_SECONDS", 5.0)
        house = await with_a_tail(indexed, opened)
        monkeypatch.setattr(building, "_HOLD_SECONDS", 0.0)
        status = await opened.until(lambda status: status.problem is not None)
        assert status.problem is not None
        assert "writes would have waited" in status.problem
        await house.put("doc_after")
        await house.holds()


async def test_a_server_that_is_killed_while_files_are_copied_leaves_the_shard_that_served(tmp_path: Path) -> None:
    script = Path(__file__).with_name("building_parent.py")
    parent = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(tmp_path), "again", stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    try:
        await parent.stdout.readline()
    finally:
        parent.kill()
        await parent.communicate()
    assert shard(tmp_path) == "shard-2"
    assert files(tmp_path) > {"index.json", "shard-2", "shard-3"}
    async with room(tmp_path, TERMS._replace(index_from=10_000)) as opened:
        assert await opened.documents() == {"doc_first": 600, "doc_tail": 500}
        assert files(tmp_path) == {"index.json", "shard-2"}
    async with room(tmp_path) as opened:
        await until_shard(opened, "shard-3")
        assert await opened.documents() == {"doc_first": 600, "doc_tail": 500}
