from uuid import uuid4

import numpy as np
import pytest

from muniment.kernel.problems import Invalid
from muniment.vectors.contract import (
    AnyOf,
    BadVectors,
    Condition,
    CountPoints,
    DenseQuery,
    EnsureIndex,
    Exists,
    IndexMissing,
    NotAfter,
    Payload,
    Point,
    Range,
    SearchPoints,
    Upsert,
    Vectors,
)
from vectors.asking import BASE, DIMENSIONS, JUNE, emptied, index_of, point

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("rows", "row"),
    [
        ([[1.0] * DIMENSIONS, [float("nan")] * DIMENSIONS], 1),
        ([[0.0] * DIMENSIONS, [1.0] * DIMENSIONS], 0),
        ([[1.0] * DIMENSIONS, [float("inf"), *[1.0] * 7]], 1),
        ([[1.0] * DIMENSIONS], 1),
        ([[1.0] * 3] * 2, 0),
    ],
)
async def test_bad_vectors_are_refused_and_nothing_is_kept(
    vectors: Vectors, rows: list[list[float]], row: int
) -> None:
    index = await emptied(vectors)
    with pytest.raises(BadVectors) as refused:
        await vectors.upsert(Upsert(index=index, points=(point(), point()), vectors=np.array(rows, np.float32)))
    assert refused.value.extra["row"] == row
    assert (await vectors.count(CountPoints(index=index))).count == 0


@pytest.mark.parametrize("vector", [[[1.0] * 3], [[0.0] * DIMENSIONS], [[1.0] * DIMENSIONS] * 2])
async def test_bad_query_vectors_are_refused(vectors: Vectors, vector: list[list[float]]) -> None:
    index = await index_of(vectors, [point()])
    query = DenseQuery(vector=np.array(vector, np.float32), limit=1)
    with pytest.raises(BadVectors):
        await vectors.search(SearchPoints(index=index, queries=(query,), readers=frozenset({"usr_a"})))


@pytest.mark.parametrize(
    "payload",
    [
        {"document": "d", "collection": "c", "version": "v"},
        {"collection": 5},
        {"readers": "usr_a"},
        {"readers": (1,)},
        {"metadata.size": float("nan")},
        {"metadata.size": 2**70},
        {"": "nameless"},
    ],
)
async def test_payloads_that_cannot_be_kept_are_refused(vectors: Vectors, payload: Payload) -> None:
    index = await index_of(vectors, [point()])
    bad = Point(id=uuid4(), text="", payload=payload if "version" in payload else BASE | payload)
    with pytest.raises(Invalid):
        await vectors.upsert(Upsert(index=index, points=(bad,), vectors=np.ones((1, DIMENSIONS), np.float32)))


@pytest.mark.parametrize(
    "condition",
    [
        Range(field="tags"),
        Range(field="tags", gte=1, lt=JUNE),
        AnyOf(field="tags", values=(2**70,)),
        Exists(field="", exists=True),
        NotAfter(field="", at=JUNE),
    ],
)
async def test_filters_that_make_no_sense_are_refused(vectors: Vectors, condition: Condition) -> None:
    index = await index_of(vectors, [point()])
    with pytest.raises(Invalid):
        await vectors.count(CountPoints(index=index, filter=(condition,)))


async def test_an_unknown_index_is_missing_and_one_of_other_dimensions_is_not_made(vectors: Vectors) -> None:
    with pytest.raises(IndexMissing):
        await vectors.count(CountPoints(index="nowhere"))
    index = await index_of(vectors, [point()])
    with pytest.raises(BadVectors):
        await vectors.ensure(EnsureIndex(index=index, dimensions=DIMENSIONS + 1))
