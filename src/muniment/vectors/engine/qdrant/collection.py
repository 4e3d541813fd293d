"""How an index is laid out as a collection of a Qdrant server."""

from qdrant_client import AsyncQdrantClient
from qdrant_client.models import (
    Distance,
    HnswConfigDiff,
    KeywordIndexParams,
    KeywordIndexType,
    Modifier,
    PayloadSchemaType,
    ScalarQuantization,
    ScalarQuantizationConfig,
    ScalarType,
    SparseVectorParams,
    StrictModeConfig,
    VectorParams,
)

from muniment.vectors.engine.engine import (
    DENSE,
    KEYWORD_FIELDS,
    KEYWORDS,
    LEAN_FIELDS,
    NUMBER_FIELDS,
    TIME_FIELDS,
)

_NEIGHBOURS = 16
_CONSIDERED = 128
_QUANTILE = 0.99
_TENANT = KeywordIndexParams(type=KeywordIndexType.KEYWORD, is_tenant=True)
"""A collection of ours is what searches stay within most often: its points lie together."""

_FIELDS: dict[str, PayloadSchemaType | KeywordIndexParams] = (
    dict.fromkeys(KEYWORD_FIELDS, PayloadSchemaType.KEYWORD)
    | dict.fromkeys(TIME_FIELDS, PayloadSchemaType.DATETIME)
    | dict.fromkeys(NUMBER_FIELDS, PayloadSchemaType.FLOAT)
    | {"collection": _TENANT}
)


async def create(client: AsyncQdrantClient, name: str, dimensions: int, *, lean: bool, replicas: int) -> None:
    """Make the collection and the indexes of its common fields; any field can be filtered by."""
    await client.create_collection(
        name,
        vectors_config={DENSE: VectorParams(size=dimensions, distance=Distance.COSINE, on_disk=lean)},
        sparse_vectors_config={KEYWORDS: SparseVectorParams(modifier=Modifier.IDF)},
        hnsw_config=HnswConfigDiff(m=_NEIGHBOURS, payload_m=_NEIGHBOURS, ef_construct=_CONSIDERED),
        quantization_config=ScalarQuantization(
            scalar=ScalarQuantizationConfig(type=ScalarType.INT8, quantile=_QUANTILE, always_ram=not lean)
        ),
        replication_factor=replicas,
        write_consistency_factor=replicas // 2 + 1,
        strict_mode_config=StrictModeConfig(
            enabled=True,
            unindexed_filtering_retrieve=True,
            unindexed_filtering_update=False,
        ),
    )
    for field, kind in _FIELDS.items():
        if not lean or field in LEAN_FIELDS:
            await client.create_payload_index(name, field, kind, wait=True)
