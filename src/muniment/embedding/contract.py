"""Embedding's contract: text to vectors, and how well passages fit a query."""

from typing import Protocol

from pydantic import Field

from muniment.kernel.contract import idempotent
from muniment.kernel.model import Floats, Model
from muniment.kernel.problems import Problem
from muniment.models.contract import BUNDLED_EMBEDDING, FileRef


class Describe(Model):
    model: str = BUNDLED_EMBEDDING


class EmbeddingModel(Model):
    """What a model takes and gives. `max_tokens` of a passage, with the special tokens; count with `tokenizer`."""

    name: str
    revision: str
    dimensions: int
    max_tokens: int
    tokenizer: FileRef


class EmbedQueries(Model):
    """Queries of any length: longer than the model's limit, they are embedded in windows and averaged."""

    model: str = BUNDLED_EMBEDDING
    texts: tuple[str, ...] = Field(min_length=1, max_length=256)


class EmbedPassages(Model):
    """Passages, each within the model's limit."""

    model: str = BUNDLED_EMBEDDING
    texts: tuple[str, ...] = Field(min_length=1, max_length=4096)


class Embedded(Model):
    """One unit-length row for each text, in order; `tokens` were read in all."""

    vectors: Floats
    tokens: int


class Rerank(Model):
    """A query and the passages that may answer it; what is over the model's limit is cut."""

    model: str = Field(max_length=256)
    query: str = Field(max_length=8192)
    passages: tuple[str, ...] = Field(min_length=1, max_length=1000)


class Reranked(Model):
    """How well each passage fits the query, in order: more is better; `tokens` were read in all."""

    scores: tuple[float, ...]
    tokens: int


class PassageTooLong(Problem, status=422):
    """A passage is over the model's limit and is never cut in silence; `index`, `tokens`, `max_tokens`."""


class Embedding(Protocol):
    """Text to vectors."""

    @idempotent
    async def describe(self, request: Describe) -> EmbeddingModel:
        """What the model takes and gives; prepares it when it is not yet here."""
        ...

    @idempotent
    async def embed_queries(self, request: EmbedQueries) -> Embedded:
        """Go before passages that wait; repeated queries come from a small cache."""
        ...

    @idempotent
    async def embed_passages(self, request: EmbedPassages) -> Embedded:
        """Batches of passages; a text's vector does not depend on its batch."""
        ...

    @idempotent
    async def rerank(self, request: Rerank) -> Reranked:
        """By a cross-encoder of the models room; a caller who gives up stops it at its next batch."""
        ...
