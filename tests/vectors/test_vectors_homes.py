"""Where points are from: read ahead while nobody asks, and true after every write."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4, uuid5

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_edge import EdgeShard

from muniment.vectors import bm25
from muniment.vectors.contract import AnyOf, Filter, Payload
from muniment.vectors.engine.edge import homes as edge_homes
from muniment.vectors.engine.edge import opened as edge_opened
from muniment.vectors.engine.edge import shards as edge
from muniment.vectors.engine.edge.shards import EdgeShards
from muniment.vectors.engine.engine import EnginePoint, Home

NAMESPACE = UUID(int=11)
NAMES = [f"doc_{number}" for number in range(12)]

names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)
places = st.sampled_from(["col_1", "col_2"])
steps = st.lists(st.tuples(st.sampled_from(["put", "as", "move", "delete", "learn"]), names, places), max_size=14)


class Unread:
    """A shard whose payloads nobody may ask for by id."""

    def __init__(self, shard: EdgeShard) -> None:
        self.scroll = shard.scroll


def unread(shard: EdgeShard) -> EdgeShard:
    return cast(EdgeShard, Unread(shard))


def of(*documents: str) -> Filter:
    return (AnyOf(field="document", values=documents),)


def opened(folder: Path) -> EdgeShards:
    folder.mkdir(exist_ok=True)
    shards = EdgeShards(folder)
    shards.ensure("main", 2, lean=True)
    return shards


def put(shards: EdgeShards, homes: dict[UUID, Home]) -> None:
    points = [
        EnginePoint(
            point,
            Payload(readers=("usr_a",), document=home.document, version="v", collection=home.collection),
            bm25.of_passage(([1], 10)),
        )
        for point, home in homes.items()
    ]
    shards.upsert("main", points, np.ones((len(points), 2), np.float32))


def told(shards: EdgeShards, ids: Sequence[UUID]) -> list[Home]:
    index = shards.index("main")
    return index.homes.of(index.shard, ids)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_homes_are_those_of_a_plain_table(taken: list[tuple[str, list[str], str]]) -> None:
    truth: dict[UUID, Home] = {}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(edge_homes, "_STEP_POINTS", 3)
        patch.setattr(edge_homes, "_MOST_LATE", 4)
        shards = opened(Path(folder) / "engine")
        for what, chosen, place in taken:
            ids = {uuid5(NAMESPACE, name): name for name in chosen}
            match what:
                case "put" | "as":  # the same point of another document, which no document of ours is
                    came = {id_: Home(name if what == "put" else f"{name}_as", place) for id_, name in ids.items()}
                    put(shards, came)
                    truth |= came
                case "move":
                    shards.set_payload("main", of(*chosen), {"collection": place}, 100, None)
                    truth |= {i: h._replace(collection=place) for i, h in truth.items() if h.document in chosen}
                case "delete":
                    shards.delete("main", of(*chosen), 100)
                    truth = {i: h for i, h in truth.items() if h.document not in chosen}
                case _:
                    shards.prepare(1.0)
            assert told(shards, list(truth)) == list(truth.values())
        shards.close()


def test_what_was_read_ahead_is_not_read_again(tmp_path: Path) -> None:
    homes = {uuid4(): Home(f"doc_{n // 10}", "col_1") for n in range(3 * edge_homes._STEP_POINTS)}
    shards = opened(tmp_path / "engine")
    put(shards, homes)
    shards.close()
    shards = EdgeShards(tmp_path / "engine")
    asyncio.run(shards.open(1))
    while shards.prepare(1.0):
        pass
    index = shards.index("main")
    chosen = list(homes)[::7]
    assert index.homes.of(unread(index.shard), chosen) == [homes[point] for point in chosen]
    late = {uuid4(): Home("doc_late", "col_2")}
    put(shards, late)
    assert index.homes.of(unread(index.shard), list(late)) == list(late.values())
    shards.close()


def test_what_they_were_read_from_is_let_go_of_and_all_else_brought_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go: list[Path] = []
    monkeypatch.setattr(edge_opened, "release", let_go.append)
    shards = opened(tmp_path / "engine")
    put(shards, {uuid4(): Home("doc_1", "col_1") for _ in range(3)})
    index = shards.index("main")
    while not index.pages.complete:
        index.pages.bring()
    index.read_more(unwritten=True)
    assert index.homes.complete
    assert let_go == [index.folder]
    assert not index.pages.complete
    shards.close()


def test_after_a_change_nothing_is_read_again(tmp_path: Path) -> None:
    homes = {uuid4(): Home(f"doc_{n // 10}", "col_1") for n in range(50)}
    shards = opened(tmp_path / "engine")
    put(shards, homes)
    while shards.prepare(1.0):
        pass
    shards.set_payload(
        "main", of("doc_1"), {"title": "Leases", "document": "doc_1", "collection": "col_1"}, 100, None
    )
    shards.set_payload("main", of("doc_2"), {"collection": "col_2"}, 100, None)
    homes |= {i: home._replace(collection="col_2") for i, home in homes.items() if home.document == "doc_2"}
    index = shards.index("main")
    assert index.homes.complete
    assert index.homes.of(unread(index.shard), list(homes)) == list(homes.values())
    shards.close()


def test_terms_and_pages_are_read_once_nothing_is_written_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = opened(tmp_path / "engine")
    index = shards.index("main")
    while shards.prepare(1.0):
        pass
    monkeypatch.setattr(edge, "_UNWRITTEN_SECONDS", 60.0)
    put(shards, {uuid4(): Home("doc_1", "col_1")})
    shards.flush("main")
    for _ in range(5):
        assert shards.prepare(1.0), "there is more to read, and later it is"
    assert index.memory.reads_ahead
    assert not index.pages.complete
    monkeypatch.setattr(edge, "_UNWRITTEN_SECONDS", 0.0)
    while shards.prepare(1.0):
        pass
    assert index.is_read
    shards.close()


def test_homes_are_not_read_between_the_questions_of_one_who_asks_without_a_pause(tmp_path: Path) -> None:
    shards = opened(tmp_path / "engine")
    put(shards, {uuid4(): Home("doc_1", "col_1")})
    index = shards.index("main")
    for still, read in ((0.0, False), (0.0, False), (1.0, True)):
        assert shards.prepare(still)
        assert index.homes.complete == read
    shards.close()
