"""How an indexed shard lies: what is not read when it is opened, and what an extension leaves as it was."""

import re
import sys
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from qdrant_edge import EdgeShard, EdgeSparseVectorParams, Memory

from muniment.vectors.bm25 import Keywords
from muniment.vectors.engine.copies.builder import Build
from muniment.vectors.engine.copies.oplog import OperationLog
from muniment.vectors.engine.edge import config as edge_config
from muniment.vectors.engine.edge import copying as edge_copying
from muniment.vectors.engine.edge import layout
from muniment.vectors.engine.edge.copying import Copying
from muniment.vectors.engine.edge.opened import OpenIndex
from muniment.vectors.engine.edge.replay import put, replay
from muniment.vectors.engine.edge.resident import Pages
from muniment.vectors.engine.engine import EnginePoint
from muniment.vectors.engine.processes.frames import Frame

DIMENSIONS, POINTS, TERMS = 384, 400, 1000


def operation(first: int) -> Frame:
    rng = np.random.default_rng(first)
    points = [
        EnginePoint(
            UUID(int=first + n + 1),
            {"readers": ("grp_1",)},
            Keywords(np.arange(TERMS, dtype=np.uint32), rng.random(TERMS, np.float32) + 1),
        )
        for n in range(POINTS)
    ]
    return put(points, rng.normal(size=(POINTS, DIMENSIONS)).astype(np.float32))


def held_bytes(file: Path) -> int:
    told = Path("/proc/self/smaps").read_text()
    return 1024 * sum(int(kb) for kb in re.findall(rf" {re.escape(str(file))}\n(?:.*\n)*?Rss: +(\d+) kB", told))


def made(folder: Path) -> None:
    folder.mkdir()
    shard = EdgeShard.create(str(folder), edge_config.indexed(DIMENSIONS, quantized=False))
    edge_config.index_fields(shard, lean=True)
    replay(shard, [operation(0)])
    assert shard.optimize()
    shard.flush()
    shard.close()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is only told by the page under Linux")
def test_to_open_a_shard_is_not_to_read_its_vectors_and_keywords(tmp_path: Path) -> None:
    made(tmp_path / "shard")
    (lists,) = (tmp_path / "shard").rglob("inverted_index.dat")
    (vectors,) = (tmp_path / "shard").rglob("matrix.dat")
    shard = EdgeShard.load(str(tmp_path / "shard"))
    held = {file: held_bytes(file) for file in (lists, vectors)}
    shard.close()
    assert all(count < file.stat().st_size / 4 for file, count in held.items())


@pytest.mark.skipif(sys.platform != "linux", reason="memory is only told by the page under Linux")
def test_what_was_copied_is_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "shard")
    (vectors,) = (tmp_path / "shard").rglob("matrix.dat")
    shard = tmp_path / "shard"
    index = OpenIndex("main", EdgeShard.load(str(shard)), shard, DIMENSIONS, Pages(shard))
    copying = Copying(index, tmp_path / "log")
    monkeypatch.setattr(edge_copying, "_RELEASE_POINTS", POINTS)
    copying.more(POINTS - 1)
    before = held_bytes(vectors)
    copying.more(1)
    after = held_bytes(vectors)
    copying.close()
    index.shard.close()
    assert before > vectors.stat().st_size / 2
    assert after == 0


def test_an_extension_leaves_segments_that_were_laid_out_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, now = tmp_path / "shard", edge_config._keywords

    def before(memory: Memory | None = None) -> EdgeSparseVectorParams:
        return now(None if memory is None else Memory.Cached)

    with monkeypatch.context() as patched:
        patched.setattr(edge_config, "_keywords", before)
        made(folder)
    segments = {path.name for path in (folder / "segments").iterdir() if list(path.rglob("inverted_index.dat"))}
    log = OperationLog(tmp_path / "log")
    log.append(operation(POINTS))
    log.close()
    build = Build(folder, tmp_path / "log", layout.About(dimensions=DIMENSIONS, lean=True), extends=True)
    build.follow(Frame({"most": 10}))
    assert build.optimize(Frame({})).head["indexed"] == 4 * POINTS  # vectors and keywords
    build.finish(Frame({}))
    assert segments < {path.name for path in (folder / "segments").iterdir()}
