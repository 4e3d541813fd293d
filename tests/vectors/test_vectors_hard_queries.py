"""Queries and filters of the kind that people and programs really send."""

import asyncio

import numpy as np
import pytest

from muniment.kernel.model import Nothing
from muniment.vectors.contract import (
    AnyOf,
    BadVectors,
    Candidates,
    DeletePoints,
    DenseQuery,
    GatherCandidates,
    Range,
    SearchPoints,
    Vectors,
)
from vectors.asking import BASE, DIMENSIONS, corpus, index_of, point
from vectors.oracle import cosines

pytestmark = pytest.mark.asyncio(loop_scope="module")

A = frozenset({"usr_a"})
ONES = np.ones((1, DIMENSIONS), np.float32)


async def gathered(vectors: Vectors, index: str, text: str, **said: object) -> Candidates:
    asked = {"index": index, "text": text, "pool": 10, "readers": A, "vector": ONES} | said
    found = await vectors.candidates(GatherCandidates.model_validate(asked))
    assert found.scores.shape == (len(found.signals), len(found.ids))
    assert np.isfinite(found.scores).all()
    return found


def signal(found: Candidates, name: str) -> dict[object, float]:
    row = found.scores[found.signals.index(name)]  # type: ignore[arg-type]
    return dict(zip(found.ids, row.tolist(), strict=True))


@pytest.mark.parametrize("text", ["", " ", "a", "the of and", "?", "\u200d", "🙂"])
async def test_meaning_alone_finds_where_there_are_no_words(vectors: Vectors, text: str) -> None:
    kept = point("a lease of a node")
    index = await index_of(vectors, [kept])
    found = await gathered(vectors, index, text)
    assert found.ids == (kept.id,)
    assert signal(found, "dense")[kept.id] == pytest.approx(1, abs=1e-3)
    assert signal(found, "words")[kept.id] == 0
    nothing = await gathered(vectors, index, text, vector=None)
    assert nothing.signals == ("words", "grams")
    assert nothing.ids == ()


async def test_a_letter_a_script_and_an_identifier_are_words(vectors: Vectors) -> None:
    kept = {
        "x": point("the axis x"),
        "aufgabe": point("die Aufgabe des Netzes"),
        "租约": point("租约续期的条件"),
        "max_batch_size": point("set max_batch_size to 8"),
    }
    index = await index_of(vectors, list(kept.values()))
    for text, expected in kept.items():
        found = await gathered(vectors, index, text, vector=None)
        words = signal(found, "words")
        assert max(words, key=words.__getitem__) == expected.id, text


async def test_a_typo_is_found_by_its_grams(vectors: Vectors) -> None:
    kept, other = point("the kubelet evicts pods"), point("a wing in supersonic flow")
    index = await index_of(vectors, [kept, other])
    found = await gathered(vectors, index, "kubellet", vector=None)
    assert found.ids == (kept.id,)
    assert signal(found, "words")[kept.id] == 0
    assert signal(found, "grams")[kept.id] > 0


async def test_a_whole_document_is_a_query(vectors: Vectors) -> None:
    points, rows = corpus(100, seed=21)
    index = await index_of(vectors, points, rows)
    text = ("the lease of " + " ".join(f"word{n}" for n in range(2000)))[:8192]
    found = await gathered(vectors, index, text)
    assert found.full
    assert (await gathered(vectors, index, "lease " * 1300)).ids


async def test_a_filter_that_excludes_everything_leaves_nothing(vectors: Vectors) -> None:
    index = await index_of(vectors, [point("a lease")])
    nowhere = (AnyOf(field="collection", values=("col_none",)),)
    found = await gathered(vectors, index, "lease", filter=nowhere)
    assert (found.ids, found.full, found.signals) == ((), False, ("dense", "words", "grams"))


@pytest.mark.parametrize("vector", [np.full((1, DIMENSIONS), np.nan), np.zeros((1, DIMENSIONS)), np.ones((1, 3))])
async def test_a_broken_vector_is_refused(vectors: Vectors, vector: np.ndarray) -> None:
    index = await index_of(vectors, [point("a lease")])
    with pytest.raises(BadVectors):
        await gathered(vectors, index, "lease", vector=vector.astype(np.float32))


async def test_a_filter_that_leaves_few_finds_the_nearest_of_them(vectors: Vectors) -> None:
    """Of 2,000 points, 0.5 % and within dates: as an exact comparison has it."""
    points, rows = corpus(2000, seed=22)
    points = [
        p.model_copy(
            update={"payload": p.payload | {"metadata.number": n, "created_at": f"2026-01-{n % 28 + 1:02}"}}
        )
        for n, p in enumerate(points)
    ]
    index = await index_of(vectors, points, rows)
    condition = (Range(field="metadata.number", gte=500, lt=510),)
    query = np.random.default_rng(1).normal(size=(1, DIMENSIONS)).astype(np.float32)
    found = await vectors.search(
        SearchPoints(index=index, queries=(DenseQuery(vector=query, limit=10),), readers=A, filter=condition)
    )
    seen = [
        (p, v)
        for p, v in zip(points[500:510], rows[500:510], strict=True)
        if "usr_a" in p.payload["readers"]  # type: ignore[operator]
    ]
    assert {hit.id: hit.score for hit in found.lists[0]} == pytest.approx(cosines(query[0], seen), abs=1e-3)


async def test_the_mark_moves_with_every_write_and_only_then(vectors: Vectors) -> None:
    index = await index_of(vectors, [point()])
    before = (await vectors.mark(Nothing())).mark
    if before is None:
        pytest.skip("this engine has other writers, and says so")
    await gathered(vectors, index, "lease")
    assert (await vectors.mark(Nothing())).mark == before
    gone = DeletePoints(index=index, filter=(AnyOf(field="document", values=(str(BASE["document"]),)),))
    given_up = asyncio.create_task(vectors.delete(gone))
    await asyncio.sleep(0)
    given_up.cancel()
    await vectors.delete(gone)
    assert (await vectors.mark(Nothing())).mark != before
    assert (await gathered(vectors, index, "lease")).ids == ()
