"""Retrieval's contract: a query in, the passages its caller may read out."""

from typing import Annotated, Literal, Protocol

from pydantic import BeforeValidator, Field, JsonValue
from pydantic_core import PydanticCustomError

from muniment.collections.contract import Ranking
from muniment.documents.contract import ChunkText, DocumentBrief, ParentText
from muniment.kernel.contract import idempotent
from muniment.kernel.model import Model, Text, Time

Mode = Literal["hybrid", "dense", "keyword"]
Filters = dict[str, JsonValue]
"""Field (or `metadata.<name>`) -> a value, a list (any of), or an object of operators, as in the API."""


def _not_blank(text: object) -> object:
    if isinstance(text, str) and not text.strip():
        raise PydanticCustomError("blank", "is blank; say in a word or a question what to look for")
    return text


Query = Annotated[Text, BeforeValidator(_not_blank), Field(min_length=1, max_length=8192)]
"""What is looked for or asked, in words."""


class Search(Model):
    """`collections` null: all that the caller may read.

    Words in quotes must be said exactly. `ranking` judges otherwise than the collections say, for this search.
    `as_of`: the versions that were current then. Raises Invalid for a time to come, NotAvailable where a
    collection that is named, or every one, keeps no earlier versions.
    `standby`: in the second index of the collections, which must be named; for their managers. Raises
    StandbyMissing where one has none.
    """

    query: Query
    collections: tuple[str, ...] | None = None
    limit: int = Field(default=10, ge=1, le=200)
    mode: Mode = "hybrid"
    group_by: Literal["document"] | None = None
    filters: Filters = Field(default={})
    as_of: Time | None = None
    explain: bool = False
    ranking: Ranking | None = None
    standby: bool = False


class Scores(Model):
    """Cosine, BM25, and the reranker's score, where each was asked."""

    dense: float | None = None
    keyword: float | None = None
    rerank: float | None = None


class Part(Model):
    """One side of a hit's score: the signal, what it measured, what it added, and a sentence that says so."""

    signal: str
    value: float
    adds: float
    says: str


class Explanation(Model):
    """Why a hit stands where it stands."""

    says: str
    parts: tuple[Part, ...]


class Hit(Model):
    """`score` orders the hits of one answer, in [0, 1]; it is not comparable between queries.

    `explanation` is there where the search asked to explain.
    """

    document: DocumentBrief
    chunk: ChunkText
    parent: ParentText
    score: float
    scores: Scores
    explanation: Explanation | None = None


class Hits(Model):
    """Best first.

    `corrected` is the query that was looked for instead: without a slip of the pen in a word that nothing visible
    holds, or without quotes that nothing says.

    `degraded` lists what was missing (`dense`, `rerank`, `history`); `cache`: a part that searching needs is down,
    and this is what was found last of what is still current, as the caller may read it now.
    """

    hits: tuple[Hit, ...]
    took_ms: float
    timings: dict[str, float] = Field(default={})
    corrected: str | None = None
    degraded: tuple[str, ...] = ()


class ExplainSearch(Model):
    """Why a document is, or is not, among what a search finds; the other fields as in Search."""

    query: Query
    document: str = Field(max_length=256)
    collections: tuple[str, ...] | None = None
    mode: Mode = "hybrid"
    filters: Filters = Field(default={})
    as_of: Time | None = None
    ranking: Ranking | None = None
    standby: bool = False


class Standing(Model):
    """Where a document stands by one signal alone: its best passage's value, and its rank among documents.

    `rank` is null where it stands behind the last of the `of` documents that were looked at.
    """

    signal: str
    value: float
    rank: int | None
    of: int


Outcome = Literal["found", "not-indexed", "failed", "elsewhere", "filtered", "ranked-low", "unmatched"]
"""`elsewhere`: in none of the collections searched; `ranked-low`: behind the 200 best; `unmatched`: holds nothing
of what was asked."""


class Explained(Model):
    """`says` answers in a sentence or two; `excluded_by` are fields whose filter the document does not pass."""

    document: str
    outcome: Outcome
    says: str
    rank: int | None = None
    excluded_by: tuple[str, ...] = ()
    standings: tuple[Standing, ...] = ()
    hit: Hit | None = None


class Weigh(Model):
    """A text whose terms are to be weighed, in the same scope as a search."""

    text: Text = Field(min_length=1, max_length=8192)
    collections: tuple[str, ...] | None = None
    filters: Filters = Field(default={})
    as_of: Time | None = None


class Weights(Model):
    """IDF by term over what the caller may read; `unknown` terms are in nothing that they may read."""

    weights: dict[str, float]
    unknown: tuple[str, ...]


class Retrieval(Protocol):
    """Query to passages."""

    @idempotent
    async def search(self, request: Search) -> Hits:
        """The passages nearest to the query that the caller may read, best first."""
        ...

    @idempotent
    async def explain(self, request: ExplainSearch) -> Explained:
        """Why a document was found, or not.

        Raises DocumentMissing for one that the caller may not read, as for one that is not there.
        """
        ...

    @idempotent
    async def weigh(self, request: Weigh) -> Weights:
        """How rare each term of a text is among what the caller may read: evidence for or against an answer."""
        ...
