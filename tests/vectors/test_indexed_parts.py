import errno
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_edge import EdgeShard, Query, QueryRequest, SearchParams

from muniment.kernel.problems import Unavailable
from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import AnyOf, Filter
from muniment.vectors.engine.copies import oplog
from muniment.vectors.engine.copies.oplog import LogReader, OperationLog, Position
from muniment.vectors.engine.edge import config as edge_config
from muniment.vectors.engine.edge import layout
from muniment.vectors.engine.edge import shards as edge
from muniment.vectors.engine.edge.config import dense_search, index_fields
from muniment.vectors.engine.edge.filter import edge_filter
from muniment.vectors.engine.edge.point import named
from muniment.vectors.engine.edge.replay import put, replay
from muniment.vectors.engine.engine import DENSE, EnginePoint
from muniment.vectors.engine.processes.frames import Frame

POINTS, DIMENSIONS, QUERIES, NEAREST = 10_000, 48, 40, 10
GROUPS, RARE = 50, 500
KEYWORD = Keywords(np.array([1], np.uint32), np.ones(1, np.float32))


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> EdgeShard:
    """Clusters, as passages have them; quantized, in a graph, with a tail that is in none."""
    folder = tmp_path_factory.mktemp("indexed") / "shard"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(edge_config, "_EXACT_BELOW_KB", 500)  # else all this would be compared
        made = EdgeShard.create(str(folder), edge_config.indexed(DIMENSIONS, quantized=True))
    index_fields(made, lean=True)
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(200, DIMENSIONS))
    rows = (centres[rng.integers(200, size=POINTS)] + 0.7 * rng.normal(size=(POINTS, DIMENSIONS))).astype(
        np.float32
    )
    points = [
        EnginePoint(UUID(int=n + 1), {"readers": (f"grp_{n % GROUPS}",), "document": f"doc_{n % RARE}"}, KEYWORD)
        for n in range(POINTS)
    ]
    tail = POINTS - POINTS // 20
    replay(made, [put(points[at : at + 500], rows[at : at + 500]) for at in range(0, tail, 500)])
    assert made.optimize()
    replay(made, [put(points[tail:], rows[tail:])])
    return made


@pytest.mark.parametrize(
    ("condition", "least"),
    [
        ((), 0.95),
        ((AnyOf(field="readers", values=tuple(f"grp_{n}" for n in range(20))),), 0.95),
        ((AnyOf(field="readers", values=("grp_3",)),), 0.99),
        ((AnyOf(field="document", values=("doc_7",)),), 0.99),
    ],
    ids=["everything", "four in ten", "two in a hundred", "one in a thousand"],
)
def test_a_graph_over_small_vectors_finds_what_an_exact_search_finds(
    shard: EdgeShard, condition: Filter, least: float
) -> None:
    rng = np.random.default_rng(8)
    near = shard.retrieve([UUID(int=n) for n in range(1, QUERIES + 1)], False, [DENSE])
    shares = []
    for point in near:
        row = np.array(named(point.vector, DENSE))
        asked = Query.Nearest((row + 0.12 * rng.normal(size=DIMENSIONS)).tolist(), using=DENSE)
        found, exact = (
            {
                point.id
                for point in shard.query(
                    QueryRequest(limit=NEAREST, query=asked, filter=edge_filter(condition), params=params)
                )
            }
            for params in (dense_search(NEAREST), SearchParams(exact=True))
        )
        assert len(exact) == NEAREST
        shares.append(len(found & exact) / NEAREST)
    assert float(np.mean(shares)) >= least


@given(
    sizes=st.lists(st.integers(0, 300), max_size=30),
    file_bytes=st.integers(1, 2000),
    pauses=st.sets(st.integers(0, 30)),
)
def test_a_log_is_read_as_it_was_written_and_its_files_go(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], file_bytes: int, pauses: set[int]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(oplog, "_FILE_BYTES", file_bytes)
        folder = tmp_path_factory.mktemp("log") / "log"
        log = OperationLog(folder)
        reader = LogReader(folder, Position())
        read = []
        for number, size in enumerate(sizes):
            log.append(Frame({"number": number}, (np.arange(size, dtype=np.uint32),)))
            if number in pauses:
                start = reader.at
                reader.close()
                reader = LogReader(folder, start)
            if number % 3 == 0:
                read += [operation] if (operation := reader.next()) else []
        while operation := reader.next():
            read.append(operation)
        log.close()
        reader.close()
    assert [(o.head["number"], len(o.arrays[0])) for o in read] == list(enumerate(sizes))
    assert reader.at == log.end
    assert len(list(folder.iterdir())) == 1


def test_an_operation_that_is_not_there_in_full_is_not_read(tmp_path: Path) -> None:
    log = OperationLog(tmp_path / "log")
    log.append(Frame({"number": 0}, (np.arange(9, dtype=np.uint32),)))
    log.close()
    written = (tmp_path / "log" / "000000").read_bytes()
    for cut in range(len(written)):
        (tmp_path / "log" / "000000").write_bytes(written[:cut])
        reader = LogReader(tmp_path / "log", Position())
        assert reader.next() is None
        reader.close()


def test_a_log_that_cannot_be_written_ends_the_copy_and_no_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = edge.EdgeShards(tmp_path)
    shards.ensure("main", 2)
    shards.begin_copy("main", "shard-2")
    shards.upsert("main", [EnginePoint(uuid4(), {}, KEYWORD)], np.ones((1, 2), np.float32))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(oplog, "_write", full)
        shards.upsert("main", [EnginePoint(uuid4(), {}, KEYWORD)], np.ones((1, 2), np.float32))
    shards.upsert("main", [EnginePoint(uuid4(), {}, KEYWORD)], np.ones((1, 2), np.float32))
    assert shards.status()[0].points == 3
    with pytest.raises(Unavailable, match="No space left on device"):
        shards.copying("main").more(10)
    with pytest.raises(Unavailable, match="No space left on device"):
        shards.copying("main").end()
    shards.end_copy("main")
    with pytest.raises(Unavailable, match="started again"):
        shards.copying("main")
    shards.close()


def test_index_json_is_exchanged_whole_and_names_what_is_left_over(tmp_path: Path) -> None:
    first = layout.About(dimensions=2)
    layout.keep(tmp_path, first)
    assert layout.following(first) == "shard-2"
    second = first.model_copy(update={"shard": "shard-2", "indexed": 4})
    assert layout.following(second) == "shard-3"
    for name in ("shard", "shard-2", "log-of-shard-2"):
        (tmp_path / name).mkdir()
    (tmp_path / "index.json.new").write_text("{")
    layout.keep(tmp_path, second)
    (tmp_path / "index.json.new").write_text("{")
    assert layout.about(tmp_path) == second
    assert {path.name for path in layout.leftovers(tmp_path)} == {"shard", "log-of-shard-2", "index.json.new"}
    layout.clear(layout.leftovers(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"shard-2", "index.json"}
