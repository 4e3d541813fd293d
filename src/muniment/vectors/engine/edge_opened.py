"""One open shard."""

from dataclasses import dataclass, field
from pathlib import Path

from qdrant_edge import EdgeShard

from muniment.vectors.contract import BadVectors
from muniment.vectors.engine.edge_homes import Homes
from muniment.vectors.engine.edge_memory import Memory
from muniment.vectors.engine.resident import Ahead


@dataclass(frozen=True)
class OpenIndex:
    """An index that is open in this process."""

    name: str
    shard: EdgeShard
    folder: Path
    dimensions: int
    ahead: Ahead
    memory: Memory = field(default_factory=Memory)
    homes: Homes = field(default_factory=Homes)

    def require(self, dimensions: int) -> None:
        """Raises BadVectors when vectors of so many dimensions do not belong here."""
        if self.dimensions != dimensions:
            raise BadVectors(
                f"index {self.name!r} has {self.dimensions} dimensions, not {dimensions}", index=self.name, row=0
            )
