"""IDF over a sample: what is hidden has no part in it, and no write leaves an old one behind."""

from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest

from muniment.vectors import bm25
from muniment.vectors.contract import AnyOf, Payload
from muniment.vectors.engine import edge_memory, edge_search
from muniment.vectors.engine.edge import EdgeShards
from muniment.vectors.engine.engine import EnginePoint, Matching

SAMPLE = 50
MINE = (AnyOf(field="readers", values=("usr_a",)),)
WORDS = ["lease", "node", "quorum"]
ASKED = [bm25.term_id(word) for word in WORDS]


def put(shards: EdgeShards, index: str, points: list[tuple[UUID, str, str]]) -> None:
    made = [
        EnginePoint(
            point,
            Payload(readers=(reader,), document=f"doc_{point}", version="v"),
            bm25.of_passage((map(bm25.term_id, text.split()), 10)),
        )
        for point, text, reader in points
    ]
    shards.upsert(index, made, np.ones((len(made), 2), np.float32))


def weights(shards: EdgeShards, index: str) -> list[float]:
    return edge_search.weigh(shards.index(index), ASKED, MINE).tolist()


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EdgeShards:
    monkeypatch.setattr(edge_memory, "_SAMPLE_POINTS", SAMPLE)
    made = EdgeShards(tmp_path)
    made.ensure("main", 2)
    made.ensure("alone", 2)
    return made


def some(count: int, reader: str, chance: np.random.Generator) -> list[tuple[UUID, str, str]]:
    return [(uuid4(), " ".join(chance.choice(WORDS, 2)), reader) for _ in range(count)]


def test_a_sample_of_the_visible_is_the_same_beside_any_hidden_points(shards: EdgeShards) -> None:
    chance = np.random.default_rng(1)
    mine = some(4 * SAMPLE, "usr_a", chance)
    put(shards, "main", [*some(300, "usr_b", chance), *mine, *some(300, "usr_b", chance)])
    put(shards, "alone", mine)
    assert weights(shards, "main") == weights(shards, "alone")
    first = sorted(mine)[:SAMPLE]
    held = [sum(word in text.split() for _, text, _ in first) for word in WORDS]
    assert weights(shards, "main") == pytest.approx([bm25.idf(SAMPLE, n) for n in held])
    asked = [Matching(bm25.of_query(ASKED), 1000)]
    both = [edge_search.search(shards.index(name), asked, MINE) for name in ("main", "alone")]
    assert both[0] == both[1]
    shards.close()


def test_what_a_write_touched_counts_no_more(shards: EdgeShards) -> None:
    chance = np.random.default_rng(2)
    mine = some(4 * SAMPLE, "usr_a", chance)
    put(shards, "main", mine)
    weights(shards, "main")
    hidden = [AnyOf(field="document", values=tuple(f"doc_{point}" for point, _, _ in sorted(mine)[:20]))]
    shards.set_payload("main", tuple(hidden), {"readers": ("usr_b",)}, 1000, None)
    put(shards, "alone", sorted(mine)[20:])
    assert weights(shards, "main") == weights(shards, "alone")
    shards.delete("main", (AnyOf(field="document", values=(f"doc_{sorted(mine)[20][0]}",)),), 1000)
    shards.delete("alone", (AnyOf(field="document", values=(f"doc_{sorted(mine)[20][0]}",)),), 1000)
    assert weights(shards, "main") == weights(shards, "alone")
    shards.close()


def test_a_small_corpus_is_whole_at_once(shards: EdgeShards) -> None:
    put(shards, "main", [(uuid4(), "lease", "usr_a")])
    assert weights(shards, "main")[0] == pytest.approx(bm25.idf(1, 1))
    put(shards, "main", [(uuid4(), "node", "usr_a")])
    assert weights(shards, "main")[:2] == pytest.approx([bm25.idf(2, 1)] * 2)
    shards.close()


def test_a_term_outside_the_sample_weighs_most_and_a_hidden_one_is_unknown(shards: EdgeShards) -> None:
    chance = np.random.default_rng(3)
    rare, secret = bm25.term_id("rare"), bm25.term_id("secret")
    put(shards, "main", some(3 * SAMPLE, "usr_a", chance))
    put(shards, "main", [(UUID(int=2**128 - 1), "rare", "usr_a"), (uuid4(), "secret", "usr_b")])
    known, unknown = edge_search.weigh(shards.index("main"), [rare, secret], MINE).tolist()
    assert known == pytest.approx(bm25.idf(SAMPLE, 0))
    assert np.isnan(unknown)
    shards.close()
