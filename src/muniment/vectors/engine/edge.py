"""Qdrant Edge shards, one folder for each index. Every call holds the GIL, so only the child process has them."""

import asyncio
import fcntl
import json
import os
import shutil
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    Modifier,
    PayloadSchemaType,
    Point,
    ScrollRequest,
    UpdateOperation,
)

from muniment.kernel.model import Matrix
from muniment.kernel.problems import Unavailable
from muniment.vectors.contract import Filter, IndexMissing, IndexStatus, Payload
from muniment.vectors.engine.edge_filter import edge_filter, stored
from muniment.vectors.engine.edge_opened import OpenIndex, sparse, uuid
from muniment.vectors.engine.engine import (
    DENSE,
    KEYWORD_FIELDS,
    KEYWORDS,
    LEAN_FIELDS,
    NUMBER_FIELDS,
    TIME_FIELDS,
    EnginePoint,
)
from muniment.vectors.engine.resident import release

ENGINE = f"qdrant-edge {version('qdrant-edge-py')}"

_CHECKPOINT_POINTS = 2048
"""Points written until the segments are flushed: bounds the log and its replay; a flush takes about 0.1 s."""

_LOCK_POLL_SECONDS = 0.05
_LEAST_FREE_BYTES = 128_000_000
_FULL_SECONDS = 300.0
"""When to ask again after a full disk: soon enough for whoever made room, and an hour before a job is given up."""

_FIELDS = (
    dict.fromkeys(KEYWORD_FIELDS, PayloadSchemaType.Keyword)
    | dict.fromkeys(TIME_FIELDS, PayloadSchemaType.Datetime)
    | dict.fromkeys(NUMBER_FIELDS, PayloadSchemaType.Float)
)


class EdgeShards:
    """All indexes under one folder; one caller at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._indexes: dict[str, OpenIndex] = {}
        self._unflushed: dict[str, int] = {}

    async def open(self, lock_seconds: float) -> None:
        """Open every index, waiting for the locks of a process that is on its way out.

        Raises TimeoutError when another process keeps one.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for folder in sorted(self._folder.iterdir()):
            if folder.name.startswith("."):
                shutil.rmtree(folder)  # an index whose making was cut short
            else:
                await _wait_for_lock(folder / "shard" / "wal", lock_seconds)
                self._load(folder)

    def _load(self, folder: Path) -> None:
        about = json.loads((folder / "index.json").read_bytes())
        shard = EdgeShard.load(str(folder / "shard"))
        _index_fields(shard, lean=about.get("lean", False))
        self._indexes[folder.name] = OpenIndex(folder.name, shard, folder, about["dimensions"])

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
        (making / "shard").mkdir(parents=True)
        (making / "index.json").write_text(json.dumps({"dimensions": dimensions, "lean": lean}))
        shard = EdgeShard.create(
            str(making / "shard"),
            EdgeConfig(
                vectors={DENSE: EdgeVectorParams(size=dimensions, distance=Distance.Cosine)},
                sparse_vectors={KEYWORDS: EdgeSparseVectorParams(modifier=Modifier.Idf)},
            ),
        )
        _index_fields(shard, lean=lean)
        shard.flush()
        shard.close()
        _sync(making / "index.json")
        _sync(making)
        making.rename(final)
        _sync(self._folder)
        self._load(final)

    def upsert(self, name: str, points: Sequence[EnginePoint], vectors: Matrix) -> None:
        """Put points; durable after `sync`, as every write."""
        self.index(name).require(vectors.shape[1])
        self._require_space()
        self._write(
            name,
            UpdateOperation.upsert_points(
                [
                    Point(p.id, {DENSE: row, KEYWORDS: sparse(p.keywords)}, stored(p.payload))
                    for p, row in zip(points, vectors.tolist(), strict=True)
                ]
            ),
            len(points),
        )

    def delete(self, name: str, condition: Filter, limit: int) -> bool:
        """Delete up to `limit` matching points; whether there may be more."""
        ids, more = self._page(name, condition, limit, None)
        if ids:
            self._write(name, UpdateOperation.delete_points(list(ids)), len(ids))
        return more is not None

    def set_payload(
        self, name: str, condition: Filter, payload: Payload, limit: int, start: UUID | None
    ) -> UUID | None:
        """Replace keys on up to `limit` matching points from id `start`; where to go on, if there are more."""
        ids, more = self._page(name, condition, limit, start)
        if ids:
            self._write(name, UpdateOperation.set_payload(list(ids), stored(payload)), len(ids))
        return more

    def index(self, name: str) -> OpenIndex:
        """Raises IndexMissing."""
        if name not in self._indexes:
            raise IndexMissing(f"there is no index {name!r}", index=name)
        return self._indexes[name]

    def status(self) -> list[IndexStatus]:
        """All indexes and their sizes."""
        return [
            IndexStatus(name=name, points=index.shard.info().points_count, dimensions=index.dimensions)
            for name, index in sorted(self._indexes.items())
        ]

    def sync(self, name: str) -> None:
        """Bring the log to the disk.

        The engine leaves it in the page cache, where it outlives this process but not a power cut.
        """
        log = self.index(name).folder / "shard" / "wal"
        while not _flushed(log):
            pass
        _sync(log)

    def checkpoint(self) -> None:
        """Flush the indexes with much unflushed, after which their logs are cut and their pages let go of."""
        for name, points in self._unflushed.items():
            if points >= _CHECKPOINT_POINTS:
                self.index(name).shard.flush()
                release(self.index(name).folder)
                self._unflushed[name] = 0

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

    def _write(self, name: str, operation: UpdateOperation, points: int) -> None:
        self.index(name).shard.update(operation)
        self._unflushed[name] = self._unflushed.get(name, 0) + points


def _index_fields(shard: EdgeShard, *, lean: bool) -> None:
    known = shard.info().payload_schema
    for field, kind in _FIELDS.items():
        if field not in known and (not lean or field in LEAN_FIELDS):
            shard.update(UpdateOperation.create_field_index(field, kind))


def _flushed(log: Path) -> bool:
    """Whether every segment was flushed: a thread of the engine renames new ones between look and touch."""
    try:
        for segment in log.iterdir():
            _sync(segment)
    except FileNotFoundError:
        return False
    return True


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


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
