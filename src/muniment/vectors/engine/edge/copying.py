"""A shard's points and operations on their way into the log from which its indexed copy is built."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from qdrant_edge import ScrollRequest

from muniment.kernel.problems import Unavailable
from muniment.vectors.engine.copies.oplog import OperationLog, Position
from muniment.vectors.engine.edge.opened import OpenIndex
from muniment.vectors.engine.edge.point import uuid
from muniment.vectors.engine.edge.replay import as_put
from muniment.vectors.engine.edge.resident import release
from muniment.vectors.engine.processes.frames import Frame

_RELEASE_POINTS = 8192
"""After so many that were copied what they lie in is let go of: 6 kB of mapped files each."""


class Copying:
    """The log of one shard: every point once, as it is when its turn comes, and every operation in between."""

    def __init__(self, index: OpenIndex, log: Path) -> None:
        self._index = index
        self._log = OperationLog(log)
        self._from: UUID | None = None
        self._unreleased = 0
        self._broken: str | None = None

    def more(self, limit: int) -> bool:
        """Copy the next points in the order of their ids; whether there may be more.

        Raises Unavailable, as `end` does, when an operation is missing from the log.
        """
        self._require_whole()
        records, following = self._index.shard.scroll(
            ScrollRequest(offset=self._from, limit=limit, with_payload=True, with_vector=True)
        )
        if records:
            self._append(as_put(records, self._index.dimensions))
        self._unreleased += len(records)
        if self._unreleased >= _RELEASE_POINTS:
            release(self._index.folder)
            self._unreleased = 0
        self._require_whole()
        self._from = None if following is None else uuid(following)
        return following is not None

    @contextmanager
    def noting(self, operation: Callable[[], Frame]) -> Iterator[None]:
        """Note what is done inside. That it cannot be noted ends the copy, never the operation."""
        before, self._broken = self._broken, "an operation failed half-way"
        yield
        self._broken = before
        if self._broken is None:
            self._append(operation())

    def end(self) -> Position:
        """Where the log ends by now."""
        self._require_whole()
        return self._log.end

    def close(self) -> None:
        """Stop noting."""
        self._log.close()

    def _append(self, operation: Frame) -> None:
        try:
            self._log.append(operation)
        except OSError as failure:
            self._broken = f"its log cannot be written: {failure.strerror}"

    def _require_whole(self) -> None:
        if self._broken is not None:
            raise Unavailable(self._broken)
