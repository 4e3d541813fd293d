"""What a reranker is."""

from collections.abc import Sequence
from typing import Literal, Protocol

from muniment.kernel.problems import Problem

Style = Literal["cohere", "jina", "vllm", "tei"]
"""Whose protocol a rerank service speaks."""


class RerankerDown(Problem, status=503, retryable=True):
    """The reranker does not answer, or answers nonsense."""


class Reranker(Protocol):
    """Judges how well passages answer a query; `candidates` is how many it is worth asking about."""

    name: str
    candidates: int

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        """A number for each passage, in order: more is better. Only those of one call compare.

        Raises a Problem when it cannot.
        """
        ...
