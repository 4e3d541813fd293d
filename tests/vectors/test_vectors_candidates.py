"""Candidates: the union of the best by each signal, each with every signal, as a plain computation has it."""

import numpy as np
import pytest

from muniment.vectors.contract import GatherCandidates, NoneOf, Vectors
from vectors.asking import DIMENSIONS, corpus, index_of
from vectors.oracle import cosines, sees, signals

pytestmark = pytest.mark.asyncio(loop_scope="module")

READERS = frozenset({"usr_b", "nobody"})
HIDING = (NoneOf(field="tags", values=("z",)),)


@pytest.mark.parametrize("pool", [5, 40, 1000])
async def test_every_candidate_has_every_signal_as_the_oracle_has_it(vectors: Vectors, pool: int) -> None:
    points, rows = corpus(300, seed=11)
    index = await index_of(vectors, points, rows)
    vector = np.random.default_rng(5).normal(size=(1, DIMENSIONS)).astype(np.float32)
    text = "renew the leases of a quorum of storage nodes"

    found = await vectors.candidates(
        GatherCandidates(index=index, text=text, vector=vector, pool=pool, readers=READERS, filter=HIDING)
    )

    seen = [(p, v) for p, v in zip(points, rows, strict=True) if sees(p.payload, READERS, HIDING)]
    expected = {"dense": cosines(vector[0], seen)} | signals(text, [p for p, _ in seen])
    assert found.signals == ("dense", "words", "grams")
    for signal, scores in zip(found.signals, found.scores, strict=True):
        exact = {i: expected[signal].get(i, 0.0) for i in found.ids}
        assert dict(zip(found.ids, scores.tolist(), strict=True)) == pytest.approx(exact, abs=1e-4), signal
    assert found.full == (pool < len(seen))
    assert set(found.documents) == {"doc_1"}
    assert found.collections == tuple(
        next(p for p in points if p.id == i).payload["collection"] for i in found.ids
    )
    for signal in ("dense", "words", "grams"):
        best = sorted(expected[signal].values(), reverse=True)[:pool]
        held = sorted((expected[signal].get(i, 0.0) for i in found.ids), reverse=True)[: len(best)]
        assert held == pytest.approx(best, abs=1e-4)
