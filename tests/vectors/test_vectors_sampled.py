"""IDF over what is visible: what is hidden has no part in it, and no write leaves an old one behind."""

import asyncio
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4, uuid5

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_edge import EdgeShard

from muniment.vectors import bm25
from muniment.vectors.contract import AnyOf, Filter, Payload
from muniment.vectors.engine.edge import memory as edge_memory
from muniment.vectors.engine.edge import search as edge_search
from muniment.vectors.engine.edge import terms as edge_terms
from muniment.vectors.engine.edge.memory import Corpus
from muniment.vectors.engine.edge.shards import EdgeShards
from muniment.vectors.engine.engine import EnginePoint, Matching
from muniment.vectors.engine.processes.frames import Frame, receive, send
from muniment.vectors.engine.processes.spawning import serve

SAMPLE = 50
PAGE = 1000
WORDS = ["lease", "node", "quorum"]
ASKED = [bm25.term_id(word) for word in WORDS]
NAMESPACE = UUID(int=7)


class Kept(NamedTuple):
    """A point as it was put."""

    id: UUID
    text: str
    reader: str


def put(shards: EdgeShards, index: str, points: Sequence[Kept]) -> None:
    made = [
        EnginePoint(
            point.id,
            Payload(readers=(point.reader,), document=f"doc_{point.id}", version="v", collection="col_1"),
            bm25.of_passage((map(bm25.term_id, point.text.split()), 10)),
        )
        for point in points
    ]
    shards.upsert(index, made, np.ones((len(made), 2), np.float32))


def mine(*readers: str) -> Filter:
    return (AnyOf(field="readers", values=readers or ("usr_a",)),)


def documents(points: Sequence[Kept]) -> Filter:
    return (AnyOf(field="document", values=tuple(f"doc_{point.id}" for point in points)),)


def weights(shards: EdgeShards, index: str) -> list[float]:
    return edge_search.weigh(shards.index(index), ASKED, mine()).tolist()


def settled(shards: EdgeShards, index: str) -> list[float]:
    """What was asked is completed at leisure, and asked again."""
    weights(shards, index)
    while shards.prepare(1.0):
        pass
    return weights(shards, index)


def corpus(shards: EdgeShards, condition: Filter) -> Corpus:
    index = shards.index("main")
    return index.memory.corpus(index.shard, condition)


def held(points: Sequence[Kept]) -> list[int]:
    """How many of them hold each word, counted."""
    return [sum(word in point.text.split() for point in points) for word in WORDS]


def require_counted(shards: EdgeShards, kept: Sequence[Kept], *readers: str, points: int | None = None) -> None:
    """The corpus is of the first that these read, and of no other."""
    known = corpus(shards, mine(*readers))
    seen = sorted(point for point in kept if point.reader in readers)
    assert known.points == points or points is None
    assert known.points == len(seen) or not known.whole
    assert known.holders(np.array(ASKED, np.uint32)).tolist() == held(seen[: known.points])


def made(folder: Path) -> EdgeShards:
    shards = EdgeShards(folder)
    shards.ensure("main", 2, lean=True)
    return shards


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EdgeShards]:
    monkeypatch.setattr(edge_memory, "_MOST_POINTS", SAMPLE)
    shards = made(tmp_path)
    shards.ensure("alone", 2)
    yield shards
    shards.close()


def some(count: int, reader: str, chance: np.random.Generator) -> list[Kept]:
    return [Kept(uuid4(), " ".join(chance.choice(WORDS, 2)), reader) for _ in range(count)]


def test_a_sample_of_the_visible_is_the_same_beside_any_hidden_points(shards: EdgeShards) -> None:
    chance = np.random.default_rng(1)
    seen = some(4 * SAMPLE, "usr_a", chance)
    put(shards, "main", [*some(300, "usr_b", chance), *seen, *some(300, "usr_b", chance)])
    put(shards, "alone", seen)
    assert weights(shards, "main") == weights(shards, "alone")
    assert weights(shards, "main") == pytest.approx([bm25.idf(SAMPLE, n) for n in held(sorted(seen)[:SAMPLE])])
    asked = [Matching(bm25.of_query(ASKED), 1000)]
    both = [edge_search.search(shards.index(name), asked, mine()) for name in ("main", "alone")]
    assert both[0] == both[1]


def test_what_a_write_touched_counts_no_more(shards: EdgeShards) -> None:
    chance = np.random.default_rng(2)
    seen = sorted(some(4 * SAMPLE, "usr_a", chance))
    put(shards, "main", seen)
    weights(shards, "main")
    shards.set_payload("main", documents(seen[:20]), {"readers": ("usr_b",)}, PAGE, None)
    put(shards, "alone", seen[20:])
    assert settled(shards, "main") == settled(shards, "alone")
    for name in ("main", "alone"):
        shards.delete(name, documents(seen[20:21]), PAGE)
    assert settled(shards, "main") == settled(shards, "alone")


def test_a_small_corpus_is_whole_at_once(shards: EdgeShards) -> None:
    put(shards, "main", [Kept(uuid4(), "lease", "usr_a")])
    assert weights(shards, "main")[0] == pytest.approx(bm25.idf(1, 1))
    put(shards, "main", [Kept(uuid4(), "node", "usr_a")])
    assert weights(shards, "main")[:2] == pytest.approx([bm25.idf(2, 1)] * 2)


def test_a_term_outside_the_sample_weighs_most_and_a_hidden_one_is_unknown(shards: EdgeShards) -> None:
    chance = np.random.default_rng(3)
    rare, secret = bm25.term_id("rare"), bm25.term_id("secret")
    put(shards, "main", some(3 * SAMPLE, "usr_a", chance))
    put(shards, "main", [Kept(UUID(int=2**128 - 1), "rare", "usr_a"), Kept(uuid4(), "secret", "usr_b")])
    known, unknown = edge_search.weigh(shards.index("main"), [rare, secret], mine()).tolist()
    assert known == pytest.approx(bm25.idf(SAMPLE, 0))
    assert np.isnan(unknown)


def test_of_more_points_than_it_takes_the_last_are_left_out(shards: EdgeShards) -> None:
    kept: list[Kept] = []
    for size in (30, 45, SAMPLE, SAMPLE, SAMPLE):
        more = some(15 if kept else 30, "usr_a", np.random.default_rng(len(kept)))
        put(shards, "main", more)
        kept += more
        require_counted(shards, kept, "usr_a", points=size)
    for hidden in sorted(kept)[:3], sorted(kept)[-3:]:
        shards.set_payload("main", documents(hidden), {"readers": ("usr_b",)}, PAGE, None)
        kept = [point for point in kept if point not in hidden]
        settled(shards, "main")
        require_counted(shards, kept, "usr_a", points=SAMPLE)


names = st.lists(st.integers(0, 39), min_size=1, max_size=12, unique=True)
texts = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)
readers = st.sampled_from(["usr_a", "usr_b", "usr_c"])
steps = st.lists(
    st.tuples(st.sampled_from(["put", "share", "delete", "rest"]), names, texts, readers), max_size=12
)
bounds = st.fixed_dictionaries(
    {
        "_MOST_POINTS": st.sampled_from([4, 10, 1000]),
        "_FEW_POINTS": st.sampled_from([0, 5]),
        "_COMPARED_POINTS": st.sampled_from([0, 1000]),
        "_MOST_WRITTEN": st.sampled_from([3, 1000]),
        "_AT_ONCE": st.sampled_from([2, 1000]),
        "_LISTED": st.just(2),
        "_STEP": st.integers(1, 3),
    }
)


@settings(deadline=None, max_examples=30)
@given(steps, bounds)
def test_holders_are_those_that_one_counts(
    taken: list[tuple[str, list[int], str, str]], bounded: dict[str, int]
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in bounded.items():
            patch.setattr(edge_memory, name, value)
        patch.setattr(edge_terms, "_MOST_ROWS_OF_A_RUN", 8)
        shards = made(Path(folder))
        kept = {
            n: Kept(uuid5(NAMESPACE, str(n)), WORDS[n % 3], f"usr_{'abc'[n // 3 % 3]}") for n in range(0, 40, 2)
        }
        put(shards, "main", list(kept.values()))
        require_counted(shards, list(kept.values()), "usr_a")
        for what, numbers, text, reader in taken:
            points = [Kept(uuid5(NAMESPACE, str(number)), text, reader) for number in numbers]
            if what == "put":
                put(shards, "main", points)
                kept |= dict(zip(numbers, points, strict=True))
            elif what == "share":
                shards.set_payload("main", documents(points), {"readers": (reader,)}, PAGE, None)
                kept |= {number: kept[number]._replace(reader=reader) for number in numbers if number in kept}
            elif what == "delete":
                shards.delete("main", documents(points), PAGE)
                kept = {number: point for number, point in kept.items() if number not in numbers}
            else:
                require_counted(shards, list(kept.values()), reader)
                while shards.prepare(1.0):
                    pass
            require_counted(shards, list(kept.values()), "usr_a")
            require_counted(shards, list(kept.values()), "usr_a", "usr_b")
        for who in (("usr_a",), ("usr_a", "usr_b")):
            require_counted(shards, list(kept.values()), *who)
            while shards.prepare(1.0):
                pass
            seen = sum(point.reader in who for point in kept.values())
            require_counted(shards, list(kept.values()), *who, points=min(seen, bounded["_MOST_POINTS"]))
        shards.close()


def test_a_large_corpus_is_completed_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_AT_ONCE": 20, "_LISTED": 10, "_STEP": 5}.items():
        monkeypatch.setattr(edge_memory, name, value)
    shards, kept = made(tmp_path), some(38, "usr_a", np.random.default_rng(4))
    put(shards, "main", kept)
    for points in (20, 25, 30, 35, 38):
        require_counted(shards, kept, "usr_a", points=points)
        main = shards.index("main")
        assert main.memory.complete(main.shard) == (points < 38)
    shards.close()


class Counted:
    """A shard that tells how many points were read from it."""

    def __init__(self, shard: EdgeShard) -> None:
        self._shard = shard
        self.read = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._shard, name)

    def retrieve(self, ids: list[UUID], payload: object, vectors: object) -> object:
        self.read += len(ids)
        return self._shard.retrieve(ids, payload, vectors)


def test_who_asks_first_does_not_wait_for_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_memory, "_STEP", 30)
    shards, chance = made(tmp_path), np.random.default_rng(5)
    kept = [*some(200, "usr_a", chance), *some(200, "usr_b", chance)]
    put(shards, "main", kept)
    while shards.prepare(1.0):
        pass
    written = some(20, "usr_a", chance)
    put(shards, "main", written)
    index = shards.index("main")
    counted = Counted(index.shard)
    index.memory.corpus(counted, mine())
    assert counted.read == 20
    require_counted(shards, [*kept, *written], "usr_a", points=220)
    shards.close()


def test_a_write_costs_as_much_as_was_written_and_filters_share_what_was_read(tmp_path: Path) -> None:
    shards, chance = made(tmp_path), np.random.default_rng(5)
    kept = [*some(400, "usr_a", chance), *some(400, "usr_b", chance)]
    put(shards, "main", kept)
    index = shards.index("main")
    counted = Counted(index.shard)
    for reads, readers in ((400, ("usr_a",)), (400, ("usr_a", "usr_b")), (0, ("usr_b",))):
        counted.read = 0
        index.memory.corpus(counted, mine(*readers))
        assert counted.read == reads
    put(shards, "main", [kept[0]._replace(text="lease"), *some(2, "usr_a", chance), *some(5, "usr_c", chance)])
    counted.read = 0
    index.memory.corpus(counted, mine("usr_a"))
    assert counted.read == 3
    shards.close()


def test_a_full_table_is_begun_anew_with_less_of_each_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_terms, "MOST_ROWS", 100)
    for name, value in {"_MOST_POINTS": 32, "_LEAST_POINTS": 8, "_ROOM": 32}.items():
        monkeypatch.setattr(edge_memory, name, value)
    shards, chance = made(tmp_path), np.random.default_rng(6)
    readers = [f"usr_{letter}" for letter in "abcdefgh"]
    kept = [point for reader in readers for point in some(40, reader, chance)]
    put(shards, "main", kept)
    sizes = []
    for reader in readers * 4:
        require_counted(shards, kept, reader)
        sizes.append(corpus(shards, mine(reader)).points)
    assert sizes[0] == 32
    assert sizes[-8:] == [8] * 8
    again = [point for point in kept if point.reader == "usr_a"]
    for _ in range(40):  # rows of old that nobody has any more fill it, too
        put(shards, "main", again)
        require_counted(shards, kept, "usr_a")
    assert corpus(shards, mine()).points == 32
    shards.close()


def test_readers_of_the_same_points_each_have_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_terms, "MOST_ROWS", 200)
    for name, value in {"_MOST_POINTS": 100, "_LEAST_POINTS": 8, "_ROOM": 32}.items():
        monkeypatch.setattr(edge_memory, name, value)
    shards = made(tmp_path)
    kept = some(60, "usr_all", np.random.default_rng(7))
    put(shards, "main", kept)
    for number in [*range(12), *range(12)]:
        require_counted(shards, kept, "usr_all", f"usr_{number}", points=60)
        put(shards, "main", kept[:1])
    shards.close()


def test_small_filters_beside_large_ones_leave_the_table_in_peace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_terms, "MOST_ROWS", 1024)
    bounds = {"_MOST_POINTS": 256, "_LEAST_POINTS": 16, "_ROOM": 96}
    bounds |= {"_AT_ONCE": 32, "_LISTED_AT_ONCE": 64, "_LISTED": 8, "_STEP": 8}
    for name, value in bounds.items():
        monkeypatch.setattr(edge_memory, name, value)
    shards, chance = made(tmp_path), np.random.default_rng(8)
    sizes = {f"usr_small_{number}": 15 for number in range(45)} | {"usr_one": 400, "usr_two": 400}
    kept = [point for reader, size in sizes.items() for point in some(size, reader, chance)]
    put(shards, "main", kept)
    main = shards.index("main")
    counted = Counted(main.shard)
    for _ in range(8):
        counted.read = 0
        for reader in sizes:
            main.memory.corpus(counted, mine(reader))
            while main.memory.complete(counted):
                pass
    assert counted.read == 0
    shards.close()


async def test_at_leisure_is_until_something_is_asked() -> None:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    served = await asyncio.open_connection(sock=theirs)
    steps, enough = [0], asyncio.Event()
    stills: list[float] = []

    def step(still_seconds: float) -> bool:
        stills.append(still_seconds)
        steps[0] += 1
        if steps[0] == 3:
            enough.set()
        return True

    answers = {"steps": lambda _: Frame({"steps": steps[0]})}
    serving = asyncio.create_task(serve(*served, answers, between=lambda: None, leisure=step))
    await enough.wait()
    await send(writer, Frame({"operation": "steps"}))
    assert (await receive(reader)).head["steps"] >= 3
    assert 0 < stills[0] < stills[1] < stills[2]
    for end in (writer, served[1]):
        end.close()
    await serving
