"""A model of another dimension than its index: a problem that says so, in every way to ask."""

import numpy as np
import pytest

from muniment.vectors.contract import BadVectors, DenseQuery, GatherCandidates, SearchPoints, Upsert, Vectors
from vectors.asking import DIMENSIONS, index_of, point

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_vectors_of_another_dimension_are_a_problem(vectors: Vectors) -> None:
    index = await index_of(vectors, [point()])
    other = np.ones((1, DIMENSIONS + 1), np.float32)
    readers = frozenset({"usr_a"})
    query = DenseQuery(vector=other, limit=3)
    with pytest.raises(BadVectors, match=f"{DIMENSIONS} dimensions, not {DIMENSIONS + 1}"):
        await vectors.search(SearchPoints(index=index, queries=(query,), readers=readers))
    with pytest.raises(BadVectors, match=f"{DIMENSIONS} dimensions, not {DIMENSIONS + 1}"):
        await vectors.candidates(GatherCandidates(index=index, text="a", vector=other, pool=3, readers=readers))
    with pytest.raises(BadVectors, match=f"{DIMENSIONS} dimensions, not {DIMENSIONS + 1}"):
        await vectors.upsert(Upsert(index=index, points=(point(),), vectors=other))
