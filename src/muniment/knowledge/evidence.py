"""Whether what was found can answer a question at all: decided on calibrated evidence, never on fused ranks.

Two signals: the best cosine of the question to a passage, and the largest share of the question's IDF mass that
a window of neighbouring sentences holds. A logistic model joins them. Its constants are fitted on `xquad_abstain`
(the answer's paragraph taken away, its neighbours left) by `bench/abstention.py`, which prints how they do there.
They belong to the bundled embedding model; a search without vectors has a threshold of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from muniment.kernel.text.sentences import sentences
from muniment.kernel.text.terms import spans

WINDOW_SENTENCES = 3
READ_PASSAGES = 8
"""So many passages are looked through, best first."""

DENSE, COVERAGE, BIAS = 4.9, 11.1, -7.6
LEAST = -0.8
"""The least log-odds to answer: 4 % of the answerable questions of the set lie below."""

COVERAGE_ALONE = 0.4
"""The least coverage when there is no cosine, by the same measure."""


class Evidence(NamedTuple):
    """What speaks for an answer: `dense` is None when the search went by keywords alone."""

    dense: float | None
    coverage: float

    @property
    def log_odds(self) -> float:
        """Of the question being answerable; by coverage alone, scaled to the same threshold."""
        if self.dense is None:
            return LEAST + COVERAGE * (self.coverage - COVERAGE_ALONE)
        return DENSE * self.dense + COVERAGE * self.coverage + BIAS

    @property
    def suffices(self) -> bool:
        """Whether to answer."""
        return self.log_odds >= LEAST


def coverage(weights: Mapping[str, float], passages: Sequence[str], language: str | None = None) -> float:
    """The largest share of the question's weight that a window of sentences of one passage holds, in [0, 1].

    `weights` are the IDF of the question's terms; a question without any term is covered by nothing.
    """
    total = sum(weights.values())
    if not total:
        return 0.0
    most = 0.0
    for passage in passages[:READ_PASSAGES]:
        for held in _windows(passage, language):
            most = max(most, sum(weight for term, weight in weights.items() if term in held))
    return most / total


def _windows(passage: str, language: str | None) -> Iterator[set[str]]:
    parts = sentences(passage)
    held: list[set[str]] = [set() for _ in parts]
    at = 0
    for term, start, _ in spans(passage, language):
        while at < len(parts) and parts[at][1] <= start:
            at += 1
        if at < len(parts):
            held[at].add(term)
    for first in range(max(1, len(held) - WINDOW_SENTENCES + 1)):
        yield set[str]().union(*held[first : first + WINDOW_SENTENCES])
