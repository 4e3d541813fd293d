"""Points, and questions about them."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import numpy as np

from muniment.vectors.contract import (
    Condition,
    DeletePoints,
    DenseQuery,
    EnsureIndex,
    Filter,
    KeywordQuery,
    NoneOf,
    Payload,
    Point,
    SearchPoints,
    Upsert,
    Vectors,
)

DIMENSIONS = 8
WORDS = ["lease", "storage", "renew", "node", "billing", "ledger", "quorum", "backup", "cluster", "zebra"]
BASE: Payload = {"readers": ("usr_a",), "collection": "col_1", "document": "doc_1", "version": "ver_1"}
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)


def point(text: str = "a lease", **payload: object) -> Point:
    return Point(id=uuid4(), text=text, payload=BASE | payload)


def corpus(size: int, seed: int) -> tuple[list[Point], np.ndarray]:
    chance = random.Random(seed)
    points = [
        point(
            " ".join(chance.choices(WORDS, k=chance.randint(0, 20))),
            readers=tuple(chance.sample(["usr_a", "usr_b", "grp_c"], k=chance.randint(1, 2))),
            collection=chance.choice(["col_1", "col_2"]),
            tags=tuple(chance.sample(["x", "y", "z"], k=chance.randint(0, 3))),
        )
        for _ in range(size)
    ]
    return points, np.random.default_rng(seed).normal(size=(size, DIMENSIONS)).astype(np.float32)


EVERY_POINT = (NoneOf(field="nothing", values=("at all",)),)


async def emptied(vectors: Vectors, name: str = "shared") -> str:
    """One index serves many tests: making one takes a third of a second."""
    await vectors.ensure(EnsureIndex(index=name, dimensions=DIMENSIONS))
    await vectors.delete(DeletePoints(index=name, filter=EVERY_POINT))
    return name


async def index_of(
    vectors: Vectors, points: Sequence[Point], rows: np.ndarray | None = None, name: str = "shared"
) -> str:
    await emptied(vectors, name)
    rows = np.ones((len(points), DIMENSIONS), np.float32) if rows is None else rows
    await vectors.upsert(Upsert(index=name, points=tuple(points), vectors=rows))
    return name


async def keyword_scores(
    vectors: Vectors, index: str, text: str, readers: set[str], condition: Filter = ()
) -> dict[UUID, float]:
    found = await vectors.search(
        SearchPoints(
            index=index,
            queries=(KeywordQuery(text=text, limit=1000),),
            readers=frozenset(readers),
            filter=condition,
        )
    )
    return {hit.id: hit.score for hit in found.lists[0]}


async def visible(vectors: Vectors, index: str, *condition: Condition) -> set[UUID]:
    found = await vectors.search(
        SearchPoints(
            index=index,
            queries=(DenseQuery(vector=np.ones((1, DIMENSIONS), np.float32), limit=1000),),
            readers=frozenset({"usr_a"}),
            filter=condition,
        )
    )
    return {hit.id for hit in found.lists[0]}
