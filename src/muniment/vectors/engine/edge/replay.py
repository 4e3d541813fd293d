"""Operations as the log holds them, and how a shard takes them."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from qdrant_edge import EdgeShard, HasIdCondition, Point, Record, UpdateOperation
from qdrant_edge import Filter as EdgeFilter

from muniment.kernel.model import Matrix
from muniment.vectors.bm25 import Keywords
from muniment.vectors.engine.copies.oplog import LogReader
from muniment.vectors.engine.edge.point import named, sparse, uuid
from muniment.vectors.engine.edge.readers import numbered
from muniment.vectors.engine.engine import DENSE, KEYWORDS, EnginePoint
from muniment.vectors.engine.processes.frames import Frame, pack_ids, unpack_ids
from muniment.vectors.engine.processes.points import pack_points, unpack_points


def put(points: Sequence[EnginePoint], vectors: Matrix) -> Frame:
    """Points, their payloads as they are stored."""
    payloads, arrays = pack_points(points, vectors)
    return Frame({"operation": "put", "payloads": payloads}, arrays)


def removed(ids: Sequence[UUID]) -> Frame:
    """Points that went."""
    return Frame({"operation": "remove"}, (pack_ids(ids),))


def changed(ids: Sequence[UUID], payload: dict[str, Any]) -> Frame:
    """Keys that were replaced, as they are stored."""
    return Frame({"operation": "change", "payload": payload}, (pack_ids(ids),))


def as_put(records: Sequence[Record], dimensions: int) -> Frame:
    """Points as they are in a shard now; one of an earlier version has no numbers of its readers yet."""
    points = [
        EnginePoint(uuid(r.id), numbered(r.payload or {}), _keywords(named(r.vector, KEYWORDS))) for r in records
    ]
    vectors = np.array([named(r.vector, DENSE) for r in records], np.float32)
    return put(points, vectors.reshape(len(points), dimensions))


def update_of(points: Sequence[EnginePoint], vectors: Matrix) -> UpdateOperation:
    """Points, their payloads as they are stored, as the engine takes them."""
    return UpdateOperation.upsert_points(
        [
            Point(p.id, {DENSE: row, KEYWORDS: sparse(p.keywords)}, p.payload)
            for p, row in zip(points, vectors.tolist(), strict=True)
        ]
    )


def replay(shard: EdgeShard, operations: Iterable[Frame]) -> int:
    """Do them in order; how many points they touched."""
    touched = 0
    for operation in operations:
        shard.update(_update(operation))
        touched += len(operation.arrays[0])
    return touched


def ahead(log: LogReader, most: int) -> Iterable[Frame]:
    """Up to `most` operations that are there by now."""
    for _ in range(most):
        operation = log.next()
        if operation is None:
            return
        yield operation


def _update(operation: Frame) -> UpdateOperation:
    match operation.head["operation"]:
        case "put":
            return update_of(*unpack_points(operation.head["payloads"], operation.arrays))
        case "remove":
            return UpdateOperation.delete_points(list(unpack_ids(operation.arrays[0])))
        case _:
            # By filter: a point that the copy does not hold yet is no failure; it will come as it is by then.
            held = EdgeFilter(must=[HasIdCondition(set(unpack_ids(operation.arrays[0])))])
            return UpdateOperation.set_payload_by_filter(held, operation.head["payload"])


def _keywords(stored: Any) -> Keywords:
    return Keywords(np.array(stored.indices, np.uint32), np.array(stored.values, np.float32))
