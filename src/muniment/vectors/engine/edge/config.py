"""How shards are laid out: as they grow, and as they are once indexed."""

import math
import os
from functools import lru_cache
from uuid import UUID

from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    Filter,
    HasIdCondition,
    HnswIndexConfig,
    IdfParams,
    KeywordIndexParams,
    Memory,
    Modifier,
    PayloadSchemaType,
    QuantizationSearchParams,
    ScalarQuantizationConfig,
    ScalarType,
    SearchParams,
    UpdateOperation,
)

from muniment.vectors.engine.engine import (
    DENSE,
    KEYWORD_FIELDS,
    KEYWORDS,
    LEAN_FIELDS,
    NUMBER_FIELDS,
    TIME_FIELDS,
)

NEIGHBOURS = 16
CONSIDERED_TO_LINK, CONSIDERED = 128, 128
"""Candidates that HNSW weighs when it links a point, and when it searches: in each of ten segments.

At 100,000 chunks that finds 0.990 of the nearest ten and 0.980 of the nearest hundred in 3 ms (with 256 0.998 and
0.989, in 4 to 5), and all of them where a filter leaves fewer than `_EXACT_BELOW_KB` to a segment.
"""

_EXACT_BELOW_KB = 10_000
"""Where a filter leaves fewer vectors than this (6,800 of 384 dimensions), they are compared one by one: exact."""

_QUANTILE = 0.99
_READ_ONE_BY_ONE = 200
"""So few points of a segment have their keywords read, 1 µs each; for more the lists of terms are gone through."""

_RESCORED = 100
"""With int8, so many of each segment are compared again by their originals."""

_MOST_SEARCH_THREADS = 8
"""Segments are searched side by side: two thirds of the time on two processors, and 4 % more of them."""

_ANY_KB = 1
_UNBOUNDED_KB = 1_000_000_000
_NO_MERGE = 1000
"""What bounds a segment is when `optimize` is called."""

_FIELDS = (
    dict.fromkeys(KEYWORD_FIELDS, PayloadSchemaType.Keyword)
    | dict.fromkeys(TIME_FIELDS, PayloadSchemaType.Datetime)
    | dict.fromkeys(NUMBER_FIELDS, PayloadSchemaType.Float)
)
_LINKED_FIELDS = frozenset({"readers", "collection"})
"""Fields whose values get links of their own in the graph: every search filters by them."""

EXACT_SEARCH = SearchParams(exact=True, quantization=QuantizationSearchParams(ignore=True))
"""For dense queries over few points."""

PLAIN_SEARCH = SearchParams(idf=IdfParams(corpus=Filter(must=[HasIdCondition({UUID(int=0)})])))
"""For keywords that bring their IDF: over a corpus of no point, the engine's own is the same for every term."""
OF_NOTHING_IDF = math.log(2)


@lru_cache(maxsize=64)
def dense_search(limit: int) -> SearchParams:
    """For dense queries over many points; where nothing is indexed or quantized it changes nothing."""
    rescored = QuantizationSearchParams(rescore=True, oversampling=max(1.0, _RESCORED / limit))
    return SearchParams(hnsw_ef=CONSIDERED, quantization=rescored)


def growing(dimensions: int) -> EdgeConfig:
    """A shard that takes writes and compares one by one."""
    return EdgeConfig(
        vectors={DENSE: EdgeVectorParams(size=dimensions, distance=Distance.Cosine)},
        sparse_vectors={KEYWORDS: _keywords()},
    )


def indexed(dimensions: int, *, quantized: bool) -> EdgeConfig:
    """A shard of segments that `optimize` makes: a graph (over int8 vectors), originals and keywords mapped.

    Neither is read where it is opened: all of them were then its process's memory for a moment.
    """
    return EdgeConfig(
        vectors={DENSE: EdgeVectorParams(size=dimensions, distance=Distance.Cosine, memory=Memory.Cold)},
        sparse_vectors={KEYWORDS: _keywords(Memory.Cold)},
        hnsw_config=HnswIndexConfig(
            m=NEIGHBOURS,
            ef_construct=CONSIDERED_TO_LINK,
            full_scan_threshold=_EXACT_BELOW_KB,
            max_indexing_threads=1,
            memory=Memory.Cached,
        ),
        quantization_config=(
            ScalarQuantizationConfig(ScalarType.Int8, quantile=_QUANTILE, memory=Memory.Pinned)
            if quantized
            else None
        ),
        optimizers=EdgeOptimizersConfig(
            default_segment_number=_NO_MERGE, max_segment_size=_UNBOUNDED_KB, indexing_threshold=_ANY_KB
        ),
        max_search_threads=min(os.cpu_count() or 1, _MOST_SEARCH_THREADS),
    )


def _keywords(memory: Memory | None = None) -> EdgeSparseVectorParams:
    return EdgeSparseVectorParams(full_scan_threshold=_READ_ONE_BY_ONE, modifier=Modifier.Idf, memory=memory)


def index_fields(shard: EdgeShard, *, lean: bool) -> None:
    """Give the shard the payload indexes that it does not have."""
    known = shard.info().payload_schema
    for field, kind in _FIELDS.items():
        if field not in known and (not lean or field in LEAN_FIELDS):
            linked = KeywordIndexParams(enable_hnsw=field in _LINKED_FIELDS)
            schema = linked if kind == PayloadSchemaType.Keyword else kind
            shard.update(UpdateOperation.create_field_index(field, schema))
