"""Readers that no point has cost nothing and change nothing."""

import numpy as np
import pytest

from muniment.vectors.contract import (
    AnyOf,
    DenseQuery,
    GatherCandidates,
    IndexMissing,
    KeywordQuery,
    SearchPoints,
    SetPayload,
    TallyPoints,
    Vectors,
    WeighTerms,
)
from vectors.asking import DIMENSIONS, index_of, keyword_scores, point, visible

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = frozenset(f"grp_{number}" for number in range(1000))
ONES = np.ones((1, DIMENSIONS), np.float32)


async def test_a_token_counts_from_the_moment_that_it_is_written(vectors: Vectors) -> None:
    kept = point()
    index = await index_of(vectors, [kept])
    assert await keyword_scores(vectors, index, "lease", set(MANY)) == {}
    await vectors.set_payload(
        SetPayload(
            index=index,
            filter=(AnyOf(field="document", values=("doc_1",)),),
            payload={"readers": ("usr_a", "grp_7")},
        )
    )
    assert set(await keyword_scores(vectors, index, "lease", set(MANY))) == {kept.id}
    added = point(readers=("grp_9",))
    await index_of(vectors, [added])
    assert set(await keyword_scores(vectors, index, "lease", set(MANY))) == {added.id}
    assert await visible(vectors, index) == set()


async def test_who_sees_nothing_gets_nothing_of_every_kind(vectors: Vectors) -> None:
    index = await index_of(vectors, [point()])
    nobody = frozenset({"nobody at all"})
    queries = (DenseQuery(vector=ONES, limit=5), KeywordQuery(text="lease", limit=5))
    found = await vectors.search(SearchPoints(index=index, queries=queries, readers=nobody))
    assert found.lists == ((), ())
    gathered = await vectors.candidates(
        GatherCandidates(index=index, text="lease", vector=ONES, pool=5, readers=nobody)
    )
    assert (gathered.ids, gathered.scores.shape, gathered.full) == ((), (3, 0), False)
    weighed = await vectors.weigh(WeighTerms(index=index, text="lease", readers=nobody))
    assert (weighed.weights, weighed.unknown) == ({}, ())
    with pytest.raises(IndexMissing):
        await vectors.search(SearchPoints(index="nowhere", queries=queries, readers=nobody))


async def test_a_tally_counts_more_values_than_there_are_points(vectors: Vectors) -> None:
    index = await index_of(vectors, [point(readers=tuple(f"grp_{n}" for n in range(50)))])
    counts = (await vectors.tally(TallyPoints(index=index, field="readers"))).counts
    assert counts == {f"grp_{n}": 1 for n in range(50)}
