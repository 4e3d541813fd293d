"""One open shard."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
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

    def step_ahead(self, *, pages: bool) -> Callable[[], None] | None:
        """What to read next of what only saves time, `pages` last; None once all of it is read."""
        if self.memory.reads_ahead:
            return partial(self.memory.read_ahead, self.shard)
        if not self.homes.complete:
            return partial(self.homes.learn, self.shard)
        return self.ahead.bring if pages and not self.ahead.complete else None

    def require(self, dimensions: int) -> None:
        """Raises BadVectors when vectors of so many dimensions do not belong here."""
        if self.dimensions != dimensions:
            raise BadVectors(
                f"index {self.name!r} has {self.dimensions} dimensions, not {dimensions}", index=self.name, row=0
            )
