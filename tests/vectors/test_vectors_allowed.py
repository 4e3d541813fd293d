"""Who may read, told by numbers, and not told where all may: the same points as a plain comparison of texts."""

import asyncio
import tempfile
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_edge import ScrollRequest

from muniment.vectors import bm25
from muniment.vectors.contract import AnyOf, Filter, Payload
from muniment.vectors.engine.edge import gather as edge_gather
from muniment.vectors.engine.edge import memory as edge_memory
from muniment.vectors.engine.edge import readers as edge_readers
from muniment.vectors.engine.edge import search as edge_search
from muniment.vectors.engine.edge import shards as edge
from muniment.vectors.engine.edge.replay import as_put, replay
from muniment.vectors.engine.edge.shards import EdgeShards
from muniment.vectors.engine.engine import EnginePoint, Gathering, Matching, Nearest

LEASE = bm25.of_query([bm25.term_id("lease")])
ONES = np.ones(2, np.float32)
NAMESPACE = UUID(int=7)
PAGE = 1000
TOKENS = [f"grp_{letter}_of_a_length_that_is_no_longer_kept_in_place" for letter in "abcdefghijklmnop"]
Readers = dict[str, frozenset[str]]

tokens = st.frozensets(st.sampled_from(TOKENS[:4]), max_size=3)
asked = st.frozensets(st.sampled_from(TOKENS), min_size=1, max_size=len(TOKENS))
names = st.lists(st.sampled_from([f"doc_{number}" for number in range(8)]), min_size=1, max_size=4, unique=True)
steps = st.lists(st.tuples(st.sampled_from(["put", "share", "delete"]), names, tokens, asked), max_size=8)


@pytest.fixture(autouse=True, scope="module")
def large() -> object:
    """Points that are few would be named one by one, and looked at anew after every write."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edge_memory, "_FEW_POINTS", 0)
        patch.setattr(edge_memory, "_MOST_POINTS", 3)
        patch.setattr(edge_memory, "_COMPARED_POINTS", 0)
        yield


def made(folder: Path) -> EdgeShards:
    folder.mkdir(exist_ok=True)
    shards = EdgeShards(folder)
    shards.ensure("main", 2, lean=True)
    return shards


def put(shards: EdgeShards, readers: Readers) -> None:
    points = [
        EnginePoint(
            uuid5(NAMESPACE, name),
            Payload(readers=tuple(sorted(tokens)), document=name, version="v", collection=collection_of(name)),
            bm25.of_passage(([bm25.term_id("lease")], 10)),
        )
        for name, tokens in readers.items()
    ]
    shards.upsert("main", points, np.ones((len(points), 2), np.float32))


def collection_of(name: str) -> str:
    return f"col_{sum(name.encode()) % 2}"


def share(shards: EdgeShards, names: list[str], readers: frozenset[str]) -> None:
    shards.set_payload("main", documents(names), {"readers": tuple(sorted(readers))}, PAGE, None)


def documents(names: list[str]) -> Filter:
    return (AnyOf(field="document", values=tuple(names)),)


def seen(shards: EdgeShards, by: frozenset[str], *within: str) -> set[str]:
    """As each way of asking tells it, which is one."""
    index, condition = shards.index("main"), allowing(by, *within)
    lists = edge_search.search(index, [Nearest(ONES, PAGE), Matching(LEASE, PAGE)], condition)
    gathered = edge_gather.gather(index, Gathering(ONES, {"words": LEASE}, PAGE), condition)
    answers = {frozenset(hit.document for hit in hits) for hits in lists}
    answers.add(frozenset(home.document for home in gathered.homes))
    assert edge_search.count(index, condition) == len(gathered.ids)
    (answer,) = answers
    return set(answer)


def allowing(by: frozenset[str], *within: str) -> Filter:
    readers = (AnyOf(field="readers", values=tuple(sorted(by))),)
    return (*readers, AnyOf(field="collection", values=within)) if within else readers


@settings(deadline=None, max_examples=15)
@given(steps)
def test_what_is_found_is_what_a_comparison_of_texts_finds(
    taken: list[tuple[str, list[str], frozenset[str], frozenset[str]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shards = made(Path(folder))
        kept: Readers = {f"doc_{number}": frozenset({TOKENS[0]}) for number in range(2, 8)}
        put(shards, kept)
        for what, of, readers, by in taken:
            if what == "delete":
                shards.delete("main", documents(of), PAGE)
                kept = {name: said for name, said in kept.items() if name not in of}
            elif what == "put":
                put(shards, dict.fromkeys(of, readers))
                kept |= dict.fromkeys(of, readers)
            else:
                share(shards, of, readers)
                kept |= {name: readers for name in of if name in kept}
            for who in (by, frozenset({TOKENS[0]})):
                mine = {name for name, said in kept.items() if said & who}
                assert seen(shards, who) == mine
                assert seen(shards, who, "col_1") == {name for name in mine if collection_of(name) == "col_1"}
        shards.close()


def test_where_all_may_read_nobody_is_compared_until_somebody_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_memory, "_MOST_POINTS", 6)
    shards, mine = made(tmp_path), frozenset({TOKENS[0]})
    condition = allowing(mine)
    index = shards.index("main")
    put(shards, {f"doc_{number}": mine for number in range(40)})
    everything = {f"doc_{number}" for number in range(40)}
    last = sorted(everything | {"doc_new"}, key=lambda name: uuid5(NAMESPACE, name))[-2:]
    assert seen(shards, mine) == everything
    corpus = index.memory.corpus(index.shard, condition)
    assert corpus.allowed is None
    put(shards, {"doc_new": mine})
    assert seen(shards, mine) == everything | {"doc_new"}
    share(shards, last, frozenset({TOKENS[1]}))
    assert seen(shards, mine) == (everything | {"doc_new"}) - set(last)
    assert index.memory.corpus(index.shard, condition) is corpus
    assert corpus.allowed is not None
    share(shards, last, mine)
    assert seen(shards, mine) == everything | {"doc_new"}
    shards.close()


def test_an_index_of_before_compares_texts_until_it_is_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = frozenset({TOKENS[0]})
    with monkeypatch.context() as before:
        before.setattr(edge, "index_numbers", lambda _shard: None)
        before.setattr(edge, "numbered", lambda payload: payload)
        shards = made(tmp_path / "before")
        put(shards, {"doc_1": mine, "doc_2": frozenset({TOKENS[1]})})
        shards.close()
    opened = EdgeShards(tmp_path / "before")
    asyncio.run(opened.open(1))
    put(opened, {"doc_3": mine})
    old, anew = opened.index("main"), made(tmp_path / "anew")
    assert not edge_readers.has_numbers(old.shard)
    assert seen(opened, mine) == {"doc_1", "doc_3"}
    records = old.shard.scroll(ScrollRequest(limit=PAGE, with_payload=True, with_vector=True))[0]
    replay(anew.index("main").shard, [as_put(records, 2)])
    assert edge_readers.has_numbers(anew.index("main").shard)
    assert seen(anew, mine) == {"doc_1", "doc_3"}
    for shards in (opened, anew):
        shards.close()


def test_no_key_of_a_payload_is_that_of_the_numbers(tmp_path: Path) -> None:
    shards = made(tmp_path)
    point = EnginePoint(
        uuid5(NAMESPACE, "doc_1"),
        {"readers": (TOKENS[1],), "document": "doc_1", "version": "v", "collection": "c", "%readers": "mine"},
        LEASE,
    )
    shards.upsert("main", [point], np.ones((1, 2), np.float32))
    assert seen(shards, frozenset({TOKENS[0]})) == set()
    assert seen(shards, frozenset({TOKENS[1]})) == {"doc_1"}
    shards.close()


def test_a_condition_is_left_out_while_the_others_hide_all_that_it_hides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_memory, "_MOST_POINTS", 6)
    shards, mine, theirs = made(tmp_path), frozenset({TOKENS[0]}), frozenset({TOKENS[1]})
    index, condition = shards.index("main"), allowing(mine, "col_1")
    all_of = [f"doc_{number}" for number in range(60)]
    readable = {name: mine for name in all_of if collection_of(name) == "col_1"}
    put(shards, readable | {name: theirs for name in all_of if name not in readable})
    for within in ((), ("col_1",)):
        assert seen(shards, mine, *within) == set(readable)
    corpus = index.memory.corpus(index.shard, condition)
    assert corpus.allowed is not None
    assert len(corpus.allowed.must or ()) == 1
    last = max(readable, key=lambda name: uuid5(NAMESPACE, name))
    hidden = max(set(all_of) - set(readable), key=lambda name: uuid5(NAMESPACE, name))
    share(shards, [hidden], mine)
    assert seen(shards, mine, "col_1") == set(readable)
    assert len(corpus.allowed.must or ()) == 2
    share(shards, [last], theirs)
    assert seen(shards, mine, "col_1") == set(readable) - {last}
    shards.close()
