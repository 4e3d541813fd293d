"""Is there an answer in what was found? Decided on evidence that means the same for every question.

That is a passage's cosine with the question and the share of the question's IDF mass that it holds; never a fused
score, which only orders the hits of one answer.
"""

from collections.abc import Mapping, Sequence

from muniment.retrieval.contract import Hit, Weights
from muniment.text.terms import language_of, terms

# Fitted on xquad_abstain: a logistic regression over the best passage, which `bench/abstention.py` derives again,
# cross-validated by article. A question in other words than the text's shares few terms with it: a cosine over
# _RESCUE is evidence enough alone.
DENSE, COVERED, BIAS = 4.57, 9.51, -6.63
_RESCUE, _STEEP = 0.65, 12.0
LEAST = -0.7
"""Below this nothing is answered: about one in twenty-five questions that have an answer is refused for it."""

_UNKNOWN_DENSE = 0.45
"""A usual cosine, for when embedding is out of reach."""


def evidence(question: str, hits: Sequence[Hit], weights: Weights) -> float:
    """How strongly the best of the hits suggests that the question is answered; compare with LEAST."""
    language = language_of(question, weights.weights)
    known = [hit.scores.dense for hit in hits if hit.scores.dense is not None]
    # What only its words found is at most as near as what was found by its meaning.
    otherwise = min(known, default=_UNKNOWN_DENSE)
    return max(
        (
            strength(
                otherwise if hit.scores.dense is None else hit.scores.dense,
                covered(weights.weights, held(hit, language)),
            )
            for hit in hits
        ),
        default=float("-inf"),
    )


def strength(dense: float, coverage: float) -> float:
    """The evidence of one passage, in log odds."""
    return max(DENSE * dense + COVERED * coverage + BIAS, _STEEP * (dense - _RESCUE))


def covered(weights: Mapping[str, float], present: frozenset[str]) -> float:
    """The share of the weights that is present; nothing to look for is nothing found."""
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in present) / total if total else 0.0


def held(hit: Hit, language: str | None) -> frozenset[str]:
    """The terms of a passage and of what it stands under."""
    text = "\n".join((hit.document.title, *hit.chunk.section, hit.chunk.header, hit.chunk.text))
    return frozenset(terms(text, language))
