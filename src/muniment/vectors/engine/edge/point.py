"""How points look in a shard."""

from typing import Any
from uuid import UUID

from qdrant_edge import SparseVector

from muniment.vectors.bm25 import Keywords


def sparse(keywords: Keywords) -> SparseVector:
    """Keywords as the engine takes them."""
    return SparseVector(indices=keywords.indices.tolist(), values=keywords.values.tolist())


def uuid(point_id: object) -> UUID:
    """The id of a point of ours: the engine knows numbers too."""
    assert isinstance(point_id, UUID)
    return point_id


def named(vectors: object, name: str) -> Any:
    """One of a point's vectors, which all have names here; the stub leaves open every kind there is."""
    assert isinstance(vectors, dict)
    return vectors[name]
