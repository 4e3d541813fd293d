"""The seam between the room and whatever keeps the points; filters are the contract's, readers among them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from muniment.kernel.model import Matrix
from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import Filter, Payload, ScoredPoint, Signal, VectorsStatus

DENSE = "dense"
KEYWORDS = "keywords"

# Each costs memory (about 4 MB in Edge); any other field can be filtered by, too, but is read point by point.
KEYWORD_FIELDS = (
    "readers", "collection", "document", "version",
    "type", "status", "tags", "language", "access_level", "department", "author", "owner", "product", "priority",
)  # fmt: skip
TIME_FIELDS = ("created_at", "modified_at", "target_date", "current_from", "current_to")
NUMBER_FIELDS = ("story_points", "test_coverage")
LEAN_FIELDS = frozenset({"readers", "collection", "document", "version", "language", "current_from", "current_to"})


class EnginePoint(NamedTuple):
    """A point without its dense vector."""

    id: UUID
    payload: Payload
    keywords: Keywords


class Nearest(NamedTuple):
    """By cosine."""

    vector: NDArray[np.float32]
    limit: int


class Matching(NamedTuple):
    """By keywords, IDF over what the filter lets through."""

    keywords: Keywords
    limit: int


EngineQuery = Nearest | Matching


class Gathering(NamedTuple):
    """A query from every side; `families` are its keywords by signal, `near` as the contract has it."""

    vector: NDArray[np.float32] | None
    families: Mapping[Signal, Keywords]
    pool: int
    near: float | None = None


class Home(NamedTuple):
    """Where a point is from."""

    document: str
    collection: str


class Gathered(NamedTuple):
    """The union of the best lists: `scores` has a row for each of `signals`, a column for each of `ids`."""

    ids: Sequence[UUID]
    homes: Sequence[Home]
    signals: Sequence[Signal]
    scores: Matrix
    full: bool


def signals_of(asked: Gathering) -> tuple[Signal, ...]:
    """What there are scores of."""
    dense: tuple[Signal, ...] = () if asked.vector is None else ("dense",)
    return (*dense, *asked.families)


def nothing(asked: Gathering) -> Gathered:
    """No candidates."""
    signals = signals_of(asked)
    return Gathered((), (), signals, np.zeros((len(signals), 0), np.float32), full=False)


class Engine(Protocol):
    """Every write is durable when it returns; raises IndexMissing, BadVectors and EngineDown."""

    async def ensure(self, index: str, dimensions: int, *, lean: bool = False) -> None:
        """Make the index unless it is there; `lean` only knows `LEAN_FIELDS` without reading points."""
        ...

    async def upsert(self, index: str, points: Sequence[EnginePoint], vectors: Matrix) -> None:
        """Put points with their vectors, row by row."""
        ...

    async def delete(self, index: str, condition: Filter) -> None:
        """Delete what the filter matches."""
        ...

    async def set_payload(self, index: str, condition: Filter, payload: Payload) -> None:
        """Replace these keys on what the filter matches."""
        ...

    async def search(
        self, index: str, queries: Sequence[EngineQuery], condition: Filter
    ) -> list[tuple[ScoredPoint, ...]]:
        """One list for each query, best first, equal scores by id."""
        ...

    async def gather(self, index: str, asked: Gathering, condition: Filter) -> Gathered:
        """The best by each generating signal, and every signal of each of them."""
        ...

    def mark(self) -> str | None:
        """Moves with every write once it is in force; None where others may write too."""
        ...

    async def fetch(self, index: str, ids: Sequence[UUID]) -> tuple[list[UUID], Matrix]:
        """The dense vectors of those that exist."""
        ...

    async def weigh(self, index: str, term_ids: Sequence[int], condition: Filter) -> NDArray[np.float32]:
        """The IDF of each term among what the filter matches; NaN where nothing holds it."""
        ...

    async def count(self, index: str, condition: Filter) -> int:
        """How many points the filter matches, exactly."""
        ...

    async def tally(self, index: str, field: str, condition: Filter) -> dict[str, int]:
        """How many points hold each value of the field, exactly."""
        ...

    async def status(self) -> VectorsStatus:
        """The indexes and their sizes."""
        ...
