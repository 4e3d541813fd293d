"""Vectors' contract: points with a dense vector, keywords and a payload; searched under an access filter."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Protocol, overload
from uuid import UUID

from pydantic import Field, PlainSerializer, PlainValidator, TypeAdapter, WithJsonSchema

from muniment.kernel.contract import idempotent
from muniment.kernel.model import Floats, Model, Nothing, Time
from muniment.kernel.problems import Problem

Scalar = str | bool | int | float
Payload = dict[str, Scalar | tuple[Scalar, ...]]
"""What a point is filtered by. Times are RFC 3339 strings; a dotted key (`metadata.team`) is one flat key.

Every point has `readers` (entitlement tokens), `collection`, `document` and `version`."""


class AnyOf(Model):
    """The field holds at least one of the values."""

    kind: Literal["any"] = "any"
    field: str
    values: tuple[Scalar, ...] = Field(min_length=1)


class AllOf(Model):
    """The field holds every one of the values."""

    kind: Literal["all"] = "all"
    field: str
    values: tuple[Scalar, ...] = Field(min_length=1)


class NoneOf(Model):
    """The field holds none of the values (or is absent)."""

    kind: Literal["none"] = "none"
    field: str
    values: tuple[Scalar, ...] = Field(min_length=1)


class Range(Model):
    """The field lies within the bounds; numbers or times."""

    kind: Literal["range"] = "range"
    field: str
    gte: float | Time | None = None
    gt: float | Time | None = None
    lte: float | Time | None = None
    lt: float | Time | None = None


class NotAfter(Model):
    """The field lies at or before the time, or is absent."""

    kind: Literal["not_after"] = "not_after"
    field: str
    at: Time


class Exists(Model):
    """The field is there (or, with false, is not)."""

    kind: Literal["exists"] = "exists"
    field: str
    exists: bool


Condition = Annotated[AnyOf | AllOf | NoneOf | Range | NotAfter | Exists, Field(discriminator="kind")]
Filter = tuple[Condition, ...]
"""All conditions hold."""

Readers = Annotated[frozenset[str], Field(min_length=1)]
"""Entitlement tokens: a point is seen when its `readers` hold one. Never empty: no tokens means no query."""


class EnsureIndex(Model):
    """`lean`: memory before speed, for what is searched rarely; filters on most fields read every point."""

    index: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,127}$")
    dimensions: int = Field(ge=1, le=8192)
    lean: bool = False


class Point(Model):
    """One chunk. `text` (title and headings in front) is what keywords are taken from, in `language`."""

    id: UUID
    text: str
    language: str | None = None
    payload: Payload


class Upsert(Model):
    """Points and their dense vectors, row by row. The same id again replaces the point."""

    index: str
    points: tuple[Point, ...] = Field(min_length=1)
    vectors: Floats


class DeletePoints(Model):
    """Every point the filter matches; at least one condition."""

    index: str
    filter: Annotated[Filter, Field(min_length=1)]


class SetPayload(Model):
    """Replace these payload keys on every point the filter matches; other keys stand."""

    index: str
    filter: Annotated[Filter, Field(min_length=1)]
    payload: Payload


class DenseQuery(Model):
    """The nearest by cosine. `vector` has one row."""

    kind: Literal["dense"] = "dense"
    vector: Floats
    limit: int = Field(ge=1, le=1000)


class KeywordQuery(Model):
    """The best by BM25, with IDF over what the readers and the filter let through or a fixed sample of it."""

    kind: Literal["keyword"] = "keyword"
    text: str
    language: str | None = None
    limit: int = Field(ge=1, le=1000)


AnyQuery = Annotated[DenseQuery | KeywordQuery, Field(discriminator="kind")]


class SearchPoints(Model):
    """Several queries in one round trip, each under the same readers and filter."""

    index: str
    queries: tuple[AnyQuery, ...] = Field(min_length=1, max_length=8)
    readers: Readers
    filter: Filter = ()


class ScoredPoint(Model):
    """A point, its score for the query, and the document and version it belongs to."""

    id: UUID
    score: float
    document: str
    version: str


class Found(Model):
    """One list for each query, best first. A keyword query without a known term has an empty list."""

    lists: tuple[tuple[ScoredPoint, ...], ...]


Signal = Literal["dense", "words", "grams"]
"""What a candidate is judged by: cosine, and BM25 of words and of 4-grams of their characters."""


class GatherCandidates(Model):
    """A query from every side: its vector (none where the embedding is out of reach) and its text.

    `languages` are those in which the text's words are taken; none means English. `pool`: how many the best
    lists hold each. `near`: where the nearest has this cosine, an engine may look for no more by letters alone.
    """

    index: str
    text: str
    languages: tuple[str, ...] = ()
    vector: Floats | None = None
    pool: int = Field(ge=1, le=1000)
    near: float | None = Field(default=None, ge=-1, le=1)
    readers: Readers
    filter: Filter = ()


class PointIds(Sequence[UUID]):
    """Ids of points, of which few are ever looked at: each becomes a UUID when it is asked for."""

    __slots__ = ("_bytes",)

    def __init__(self, ids: Iterable[UUID] | bytes = b"") -> None:
        """From ids, or from their bytes, 16 each."""
        if isinstance(ids, bytes | PointIds):
            self._bytes = bytes(ids)
        else:
            self._bytes = b"".join(i.bytes for i in ids)

    def __bytes__(self) -> bytes:
        return self._bytes

    @property
    def hexes(self) -> list[str]:
        """`UUID.hex` of each."""
        digits = self._bytes.hex()
        return [digits[at : at + 32] for at in range(0, len(digits), 32)]

    def __len__(self) -> int:
        return len(self._bytes) // 16

    @overload
    def __getitem__(self, at: int) -> UUID: ...
    @overload
    def __getitem__(self, at: slice) -> "PointIds": ...
    def __getitem__(self, at: int | slice) -> "UUID | PointIds":
        if isinstance(at, slice):
            return PointIds(self[place] for place in range(len(self))[at])
        start = 16 * range(len(self))[at]
        return UUID(bytes=self._bytes[start : start + 16])

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, PointIds) else other)

    def __hash__(self) -> int:
        return hash(tuple(self))


_UUIDS: TypeAdapter[tuple[UUID, ...]] = TypeAdapter(tuple[UUID, ...])
Ids = Annotated[
    PointIds,
    PlainValidator(lambda ids: ids if isinstance(ids, PointIds) else PointIds(_UUIDS.validate_python(ids))),
    PlainSerializer(lambda ids: [str(i) for i in ids], when_used="json"),
    WithJsonSchema(_UUIDS.json_schema()),
]


class Candidates(Model):
    """The union of the best lists, in columns: `scores[s, i]` is the signal `signals[s]` of the point `ids[i]`.

    Every candidate has every signal that was asked, also those that did not bring it here; `dense` is there when
    a vector was given. IDF is taken over what the readers and the filter let through, or over a fixed sample of
    it where that is large. `full`: a list was as long as the pool, so that a larger pool may bring more.
    `documents` and `collections` hold where each candidate is from.
    """

    ids: Ids
    documents: tuple[str, ...]
    collections: tuple[str, ...] = ()
    signals: tuple[Signal, ...]
    scores: Floats
    full: bool


class Mark(Model):
    """Equal marks mean that nothing was written between them; null where this cannot be told."""

    mark: str | None


class FetchVectors(Model):
    index: str
    ids: tuple[UUID, ...] = Field(min_length=1)


class Fetched(Model):
    """The stored dense vectors of those points that exist: `vectors[i]` belongs to `ids[i]`."""

    ids: tuple[UUID, ...]
    vectors: Floats


class CountPoints(Model):
    index: str
    filter: Filter = ()


class Count(Model):
    count: int


class TallyPoints(Model):
    """Points by the values of one field, which must be one of text that has an index."""

    index: str
    field: Literal["collection", "document", "version", "readers"]
    filter: Filter = ()


class Tally(Model):
    """How many points hold each value, exactly."""

    counts: dict[str, int]


class WeighTerms(Model):
    """The IDF of each term of a text, over what the readers and the filter let through or a fixed sample of it."""

    index: str
    text: str
    language: str | None = None
    readers: Readers
    filter: Filter = ()


class TermWeights(Model):
    """IDF by term (as `muniment.text.terms` makes them); a term no visible point holds has the largest IDF.

    Of no term where no point is visible.
    """

    weights: dict[str, float]
    unknown: tuple[str, ...]


class IndexStatus(Model):
    """An index and its indexed copy, which is built beside it once it is large.

    `indexed`: points that the graph holds; the others are compared one by one. `building`: what is being done
    about that at the moment, in words. `problem`: why the last attempt was given up.
    """

    name: str
    points: int
    dimensions: int
    indexed: int = 0
    quantized: bool = False
    building: str | None = None
    problem: str | None = None


class VectorsStatus(Model):
    engine: str
    indexes: tuple[IndexStatus, ...]


class IndexMissing(Problem, status=404): ...


class BadVectors(Problem, status=422):
    """Vectors that cannot be kept: NaN, zero length, or the wrong shape; `row` names the first."""


class EngineDown(Problem, status=503, retryable=True):
    """The engine's process is being restarted; nothing acknowledged is lost."""


class Vectors(Protocol):
    """Dense and keyword search over points, each seen only by its readers."""

    @idempotent
    async def ensure(self, request: EnsureIndex) -> Nothing:
        """Make the index unless it is there."""
        ...

    @idempotent
    async def upsert(self, request: Upsert) -> Nothing:
        """Durable when answered."""
        ...

    @idempotent
    async def delete(self, request: DeletePoints) -> Nothing:
        """Durable when answered."""
        ...

    @idempotent
    async def set_payload(self, request: SetPayload) -> Nothing:
        """Durable, and in force for every search that starts after the answer."""
        ...

    @idempotent
    async def search(self, request: SearchPoints) -> Found: ...

    @idempotent
    async def candidates(self, request: GatherCandidates) -> Candidates:
        """What a ranking chooses from, with all that it judges by, in one round trip."""
        ...

    @idempotent
    async def mark(self, request: Nothing) -> Mark:
        """Moves with every write, once it is in force: for whoever keeps answers."""
        ...

    @idempotent
    async def fetch(self, request: FetchVectors) -> Fetched:
        """For chunks that keep their vectors when their document changes."""
        ...

    @idempotent
    async def weigh(self, request: WeighTerms) -> TermWeights: ...

    @idempotent
    async def count(self, request: CountPoints) -> Count: ...

    @idempotent
    async def tally(self, request: TallyPoints) -> Tally:
        """For whoever compares what is indexed with what should be."""
        ...

    @idempotent
    async def status(self, request: Nothing) -> VectorsStatus: ...
