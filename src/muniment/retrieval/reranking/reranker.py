"""What a reranker is."""

import math
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


def checked(scores: Sequence[float], wanted: int, name: str) -> list[float]:
    """The scores, one for each passage and each a number.

    Raises RerankerDown.
    """
    if len(scores) != wanted:
        raise RerankerDown(f"the reranker {name} gave {len(scores)} scores for {wanted} passages")
    if not all(math.isfinite(score) for score in scores):
        raise RerankerDown(f"the reranker {name} gave a score that is no number")
    return list(scores)
