"""Retrieval's contract: a query in, the passages its caller may read out."""

from typing import Literal, Protocol

from pydantic import Field, JsonValue

from muniment.documents.contract import ChunkText, DocumentBrief, ParentText
from muniment.kernel.contract import idempotent
from muniment.kernel.model import Model, Text, Time

Mode = Literal["hybrid", "dense", "keyword"]
Filters = dict[str, JsonValue]
"""Field (or `metadata.<name>`) -> a value, a list (any of), or an object of operators, as in the API."""


class Search(Model):
    """`collections` null: all that the caller may read.

    `as_of`: the versions that were current then. Raises Invalid for a time to come, NotAvailable where a
    collection that is named, or every one, keeps no earlier versions.
    """

    query: Text = Field(min_length=1, max_length=8192)
    collections: tuple[str, ...] | None = None
    limit: int = Field(default=10, ge=1, le=200)
    mode: Mode = "hybrid"
    group_by: Literal["document"] | None = None
    filters: Filters = Field(default={})
    as_of: Time | None = None
    explain: bool = False


class Scores(Model):
    """Cosine, BM25, and the reranker's score, where each was asked."""

    dense: float | None = None
    keyword: float | None = None
    rerank: float | None = None


class Hit(Model):
    """`score` orders the hits of one answer, in [0, 1]; it is not comparable between queries."""

    document: DocumentBrief
    chunk: ChunkText
    parent: ParentText
    score: float
    scores: Scores


class Hits(Model):
    """Best first. `degraded` lists what was missing (`dense`, `rerank`, `cache`, `history`)."""

    hits: tuple[Hit, ...]
    took_ms: float
    degraded: tuple[str, ...] = ()


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
    async def weigh(self, request: Weigh) -> Weights:
        """How rare each term of a text is among what the caller may read: evidence for or against an answer."""
        ...
