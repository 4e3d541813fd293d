"""One open shard."""

from dataclasses import dataclass, field
from pathlib import Path

from qdrant_edge import EdgeShard

from muniment.vectors.contract import BadVectors
from muniment.vectors.engine.edge.homes import Homes
from muniment.vectors.engine.edge.memory import Memory
from muniment.vectors.engine.edge.resident import Pages, release


@dataclass(frozen=True)
class OpenIndex:
    """An index that is open in this process."""

    name: str
    shard: EdgeShard
    folder: Path
    dimensions: int
    pages: Pages
    memory: Memory = field(default_factory=Memory)
    homes: Homes = field(default_factory=Homes)

    @property
    def is_read(self) -> bool:
        """Whether all is read that only saves time."""
        return self.homes.complete and not self.memory.reads_ahead and self.pages.complete

    def read_more(self, *, unwritten: bool) -> None:
        """Read a little more of that: what writes would undo once it is `unwritten` for a while."""
        if not self.homes.complete:
            self.homes.learn(self.shard)
            if self.homes.complete:
                # What they were read from, up to 0.4 GB: few searches read payloads. All else is brought again.
                release(self.folder)
                self.pages.clear()
        elif unwritten and self.memory.reads_ahead:
            self.memory.read_ahead(self.shard)
        elif unwritten:
            self.pages.bring()

    def require(self, dimensions: int) -> None:
        """Raises BadVectors when vectors of so many dimensions do not belong here."""
        if self.dimensions != dimensions:
            raise BadVectors(
                f"index {self.name!r} has {self.dimensions} dimensions, not {dimensions}", index=self.name, row=0
            )
