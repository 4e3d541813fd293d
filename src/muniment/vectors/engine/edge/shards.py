"""Qdrant Edge shards, one folder for each index. Every call holds the GIL, so only the child process has them."""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import cast
from uuid import UUID

from qdrant_edge import EdgeShard, ScrollRequest, UpdateOperation

from muniment.kernel.model import Matrix
from muniment.kernel.problems import Unavailable
from muniment.vectors.contract import Filter, IndexMissing, IndexStatus, Payload
from muniment.vectors.engine.copies.oplog import LogReader, Position
from muniment.vectors.engine.edge import layout, resident
from muniment.vectors.engine.edge.config import growing, index_fields
from muniment.vectors.engine.edge.copying import Copying
from muniment.vectors.engine.edge.filter import edge_filter
from muniment.vectors.engine.edge.memory import Memory
from muniment.vectors.engine.edge.opened import OpenIndex
from muniment.vectors.engine.edge.point import uuid
from muniment.vectors.engine.edge.readers import has_numbers, index_numbers, numbered
from muniment.vectors.engine.edge.replay import ahead, changed, put, removed, replay, update_of
from muniment.vectors.engine.engine import EnginePoint
from muniment.vectors.engine.processes.frames import Frame
from muniment.vectors.engine.stored import stored

ENGINE = f"qdrant-edge {version('qdrant-edge-py')}"

_CHECKPOINT_POINTS = 2048
"""Points written until the segments are flushed: bounds the log and its replay; a flush takes about 0.1 s."""

_STILL_SECONDS = 0.05
"""Without a question, until what only saves time is read: one who asks without a pause leaves gaps of 10 ms."""

_UNWRITTEN_SECONDS = 5.0
"""Without a write, until terms are read ahead, and the pages that a flush let go of are brought back."""

_LOCK_POLL_SECONDS = 0.05
_LEAST_FREE_BYTES = 128_000_000
_FULL_SECONDS = 300.0
"""When to ask again after a full disk: soon enough for whoever made room, and an hour before a job is given up."""


class EdgeShards:
    """All indexes under one folder; one caller at a time."""

    def __init__(self, folder: Path, only: tuple[str, str] | None = None) -> None:
        """All that share a process, or `only` this index with this shard."""
        self._folder = folder
        self._only = only
        self._indexes: dict[str, OpenIndex] = {}
        self._unflushed: dict[str, int] = {}
        self._written_at = 0.0
        self._copying: dict[str, Copying] = {}

    async def open(self, lock_seconds: float) -> None:
        """Open every index, waiting for the locks of a process that is on its way out.

        Raises TimeoutError when another process keeps one.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._only is not None:
            name, shard = self._only
            await self._open(self._folder / name, shard, lock_seconds)
            return
        for cut_short in self._folder.glob(".*"):
            shutil.rmtree(cut_short)  # an index whose making was cut short
        for folder in layout.indexes(self._folder):
            about = layout.about(folder)
            if not about.indexed:
                await self._open(folder, about.shard, lock_seconds)

    async def _open(self, folder: Path, shard: str, lock_seconds: float) -> None:
        await _wait_for_lock(folder / shard / "wal", lock_seconds)
        self._load(folder, shard)

    def _load(self, folder: Path, shard: str) -> None:
        about = layout.about(folder)
        loaded = EdgeShard.load(str(folder / shard))
        index_fields(loaded, lean=about.lean)
        resident.release(folder / shard)  # to open it is to read it; what is searched comes back from the cache
        pages, memory = resident.Pages(folder / shard), Memory(numbers=has_numbers(loaded))
        opened = OpenIndex(folder.name, loaded, folder / shard, about.dimensions, pages, memory)
        self._indexes[folder.name] = opened

    def close(self) -> None:
        """Flush and close all."""
        for index in self._indexes.values():
            index.shard.flush()
            index.shard.close()
        self._indexes.clear()

    def ensure(self, name: str, dimensions: int, *, lean: bool = False) -> None:
        """Make the index unless it is there."""
        if name in self._indexes:
            self._indexes[name].require(dimensions)
            return
        self._require_space()
        making, final = self._folder / f".{name}", self._folder / name
        shutil.rmtree(making, ignore_errors=True)
        about = layout.About(dimensions=dimensions, lean=lean)
        (making / about.shard).mkdir(parents=True)
        shard = EdgeShard.create(str(making / about.shard), growing(dimensions))
        index_numbers(shard)
        shard.flush()
        shard.close()
        layout.keep(making, about)
        making.rename(final)
        layout.sync(self._folder)
        self._load(final, about.shard)

    def upsert(self, name: str, points: Sequence[EnginePoint], vectors: Matrix) -> None:
        """Put points; durable after `sync`, as every write."""
        self.index(name).require(vectors.shape[1])
        self._require_space()
        kept = [EnginePoint(p.id, cast(Payload, numbered(stored(p.payload))), p.keywords) for p in points]
        self._write(name, update_of(kept, vectors), [p.id for p in kept], lambda: put(kept, vectors))
        self.index(name).homes.put(kept)

    def delete(self, name: str, condition: Filter, limit: int) -> bool:
        """Delete up to `limit` matching points; whether there may be more."""
        ids, more = self._page(name, condition, limit, None)
        if ids:
            self._write(name, UpdateOperation.delete_points(list(ids)), ids, lambda: removed(ids))
        return more is not None

    def set_payload(
        self, name: str, condition: Filter, payload: Payload, limit: int, start: UUID | None
    ) -> UUID | None:
        """Replace keys on up to `limit` matching points from id `start`; where to go on, if there are more."""
        ids, more = self._page(name, condition, limit, start)
        if ids:
            kept = numbered(stored(payload))
            self._write(name, UpdateOperation.set_payload(list(ids), kept), ids, lambda: changed(ids, kept))
            self.index(name).homes.changed(ids, kept)
        return more

    def index(self, name: str) -> OpenIndex:
        """Raises IndexMissing."""
        if name not in self._indexes:
            raise IndexMissing(f"there is no index {name!r}", index=name)
        return self._indexes[name]

    def status(self) -> list[IndexStatus]:
        """All indexes and their sizes."""
        return [_status(index, layout.about(index.folder.parent)) for _, index in sorted(self._indexes.items())]

    def sync(self, name: str) -> None:
        """Bring the log to the disk.

        The engine leaves it in the page cache, where it outlives this process but not a power cut.
        """
        log = self.index(name).folder / "wal"
        while not _flushed(log):
            pass
        layout.sync(log)

    def checkpoint(self) -> None:
        """Flush the indexes with much unflushed, after which their logs are cut and their pages let go of."""
        for name, points in self._unflushed.items():
            if points >= _CHECKPOINT_POINTS:
                self.flush(name)

    def flush(self, name: str) -> None:
        """Bring the segments to the disk: of their files, nothing is then in memory alone."""
        index = self.index(name)
        index.shard.flush()
        resident.release(index.folder)
        index.pages.clear()
        resident.trim()
        self._unflushed[name] = 0

    def prepare(self, still_seconds: float) -> bool:
        """Read a little of what searches will ask for; whether there may be more to read.

        Weights come first: they settle between the questions of one who asks without a pause. The rest only saves
        time, and must not take any.
        """
        indexes = self._indexes.values()
        if any(index.memory.complete(index.shard) for index in indexes):
            return True
        unread = [index for index in indexes if not index.is_read]
        if unread and still_seconds >= _STILL_SECONDS:
            # One that waits for writes to end holds up no other.
            index = min(unread, key=lambda index: index.homes.complete)
            index.read_more(unwritten=time.monotonic() - self._written_at >= _UNWRITTEN_SECONDS)
        return bool(unread)

    def begin_copy(self, name: str, shard: str) -> int:
        """From now on note what happens to the index, for its next shard; how many points there are to copy."""
        index = self.index(name)
        self.end_copy(name)
        self._copying[name] = Copying(index, index.folder.parent / layout.log_of(shard))
        return index.shard.info().points_count

    def copying(self, name: str) -> Copying:
        """What was begun. Raises Unavailable when it was so in another life of this process."""
        if name not in self._copying:
            raise Unavailable("the engine's process was started again meanwhile")
        return self._copying[name]

    def end_copy(self, name: str) -> None:
        """Note no more."""
        begun = self._copying.pop(name, None)
        if begun is not None:
            begun.close()

    def replay(self, name: str, shard: str, start: Position, most: int) -> Position:
        """Take operations that were noted for this shard; where that leads. Durable after `sync`."""
        index = self.index(name)
        log = LogReader(index.folder.parent / layout.log_of(shard), start)
        try:
            touched = replay(index.shard, ahead(log, most))
        finally:
            log.close()
            index.memory.clear()
            index.homes.clear()
            index.pages.clear()
        self._unflushed[name] = self._unflushed.get(name, 0) + touched
        return log.at

    def release(self, name: str) -> None:
        """Close the index, which another process serves from now on."""
        self.end_copy(name)
        self._unflushed.pop(name, None)
        self._indexes.pop(name).shard.close()
        resident.trim()

    def _page(
        self, name: str, condition: Filter, limit: int, start: UUID | None
    ) -> tuple[list[UUID], UUID | None]:
        records, more = self.index(name).shard.scroll(
            ScrollRequest(offset=start, limit=limit, filter=edge_filter(condition), with_payload=False)
        )
        return [uuid(record.id) for record in records], None if more is None else uuid(more)

    def _require_space(self) -> None:
        """The engine maps files that it has not filled yet: on a full disk, writing there ends the process.

        Raises Unavailable. What removes points is always let through.
        """
        free = shutil.disk_usage(self._folder).free
        if free < _LEAST_FREE_BYTES:
            raise Unavailable(
                f"the disk is full: the index does not grow below {_LEAST_FREE_BYTES // 1_000_000} MB of free "
                "space; free some and try again",
                retry_after_seconds=_FULL_SECONDS,
            )

    def _write(
        self, name: str, operation: UpdateOperation, ids: Sequence[UUID], logged: Callable[[], Frame]
    ) -> None:
        index, copying = self.index(name), self._copying.get(name)
        try:
            with nullcontext() if copying is None else copying.noting(logged):
                index.shard.update(operation)
        finally:  # what fails may have been done in part
            index.memory.written(ids)
            self._written_at = time.monotonic()
        self._unflushed[name] = self._unflushed.get(name, 0) + len(ids)


def _status(index: OpenIndex, about: layout.About) -> IndexStatus:
    info = index.shard.info()
    # Of points that came or changed since, the keywords alone have an index.
    since = info.indexed_vectors_count - about.indexed
    indexed = max(0, info.points_count - since) if about.indexed else 0
    return IndexStatus(
        name=index.name,
        points=info.points_count,
        dimensions=index.dimensions,
        indexed=indexed,
        quantized=about.quantized,
    )


def _flushed(log: Path) -> bool:
    """Whether every segment was flushed: a thread of the engine renames new ones between look and touch."""
    try:
        for segment in log.iterdir():
            layout.sync(segment)
    except FileNotFoundError:
        return False
    return True


async def _wait_for_lock(log: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    opened = os.open(log, os.O_RDONLY)
    try:
        while True:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(f"another process keeps {log}; is a second Muniment running?") from None
                await asyncio.sleep(_LOCK_POLL_SECONDS)
            else:
                return
    finally:
        os.close(opened)
