"""One open shard, and how points look in it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from qdrant_edge import EdgeShard, SparseVector

from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import BadVectors
from muniment.vectors.engine.edge_memory import Memory


@dataclass(frozen=True)
class OpenIndex:
    """An index that is open in this process."""

    name: str
    shard: EdgeShard
    folder: Path
    dimensions: int
    memory: Memory = field(default_factory=Memory)

    def require(self, dimensions: int) -> None:
        """Raises BadVectors when vectors of so many dimensions do not belong here."""
        if self.dimensions != dimensions:
            raise BadVectors(
                f"index {self.name!r} has {self.dimensions} dimensions, not {dimensions}", index=self.name, row=0
            )


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
