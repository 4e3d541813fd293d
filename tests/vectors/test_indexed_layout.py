"""How an indexed shard lies: what is not read when it is opened, and what an extension leaves as it was."""

import re
import sys
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from qdrant_edge import EdgeShard, EdgeSparseVectorParams, Memory

from muniment.vectors.bm25 import Keywords
from muniment.vectors.engine import edge_config, layout
from muniment.vectors.engine.builder import Build
from muniment.vectors.engine.edge_replay import put, replay
from muniment.vectors.engine.engine import EnginePoint
from muniment.vectors.engine.frames import Frame
from muniment.vectors.engine.oplog import OperationLog

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
    told = Path("/proc/self/smaps").read_text()
    shard.close()
    for file in (lists, vectors):
        held = sum(int(kb) for kb in re.findall(rf" {re.escape(str(file))}\n(?:.*\n)*?Rss: +(\d+) kB", told))
        assert held * 1024 < file.stat().st_size / 4


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
