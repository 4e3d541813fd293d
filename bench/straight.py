"""A large index, made straight: segments as the builder makes them, without log and a process that serves."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from qdrant_edge import EdgeShard

from muniment.kernel.model import Matrix
from muniment.vectors.contract import Payload
from muniment.vectors.engine.edge import layout
from muniment.vectors.engine.edge.config import index_fields, indexed
from muniment.vectors.engine.edge.readers import index_numbers, numbered
from muniment.vectors.engine.edge.replay import update_of
from muniment.vectors.engine.edge.resident import release
from muniment.vectors.engine.engine import EnginePoint
from muniment.vectors.engine.stored import stored

SEGMENT = 100_000
FLUSHED = 16_384


def straight(index: Path, some: Iterable[tuple[list[EnginePoint], Matrix]], dimensions: int) -> float:
    """Put points into an index that is not there yet, int8 and all; points a second."""
    began, count, since, flushed = time.perf_counter(), 0, 0, 0
    name = layout.following(layout.About(dimensions=dimensions))
    folder = index / name
    folder.mkdir(parents=True)
    shard = EdgeShard.create(str(folder), indexed(dimensions, quantized=True))
    index_fields(shard, lean=False)
    index_numbers(shard)

    def segment() -> None:
        shard.flush()
        release(folder)
        shard.optimize()
        release(folder)

    for points, vectors in some:
        kept = [point._replace(payload=cast(Payload, numbered(stored(point.payload)))) for point in points]
        shard.update(update_of(kept, vectors))
        count, since, flushed = count + len(kept), since + len(kept), flushed + len(kept)
        if flushed >= FLUSHED:
            shard.flush()
            release(folder)
            flushed = 0
        if since >= SEGMENT:
            segment()
            since = 0
    segment()
    found = shard.info().indexed_vectors_count
    shard.close()
    layout.keep(index, layout.About(dimensions=dimensions, shard=name, indexed=found, quantized=True))
    return count / (time.perf_counter() - began)
