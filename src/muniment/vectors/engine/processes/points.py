"""Points as arrays, for the socket and for the log."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from muniment.kernel.model import Matrix
from muniment.vectors.bm25 import Keywords
from muniment.vectors.engine.engine import EnginePoint
from muniment.vectors.engine.processes.frames import Array, pack_ids, pack_ragged, unpack_ids, unpack_ragged


def pack_points(points: Sequence[EnginePoint], vectors: Matrix) -> tuple[list[Any], tuple[Array, ...]]:
    """The payloads, which JSON carries, and all else."""
    indices, lengths = pack_ragged([p.keywords.indices for p in points], np.uint32)
    values, _ = pack_ragged([p.keywords.values for p in points], np.float32)
    return [p.payload for p in points], (pack_ids([p.id for p in points]), lengths, indices, values, vectors)


def unpack_points(payloads: Sequence[Any], arrays: Sequence[Array]) -> tuple[list[EnginePoint], Matrix]:
    """What `pack_points` packed."""
    ids, lengths, indices, values, vectors = arrays
    rows = zip(
        unpack_ids(ids), payloads, unpack_ragged(indices, lengths), unpack_ragged(values, lengths), strict=True
    )
    return [EnginePoint(i, payload, Keywords(terms, weights)) for i, payload, terms, weights in rows], vectors
