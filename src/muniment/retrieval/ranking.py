"""The second stage: candidates judged by all their signals at once. Pure functions over columns.

Meaning and words are each z-scored over the candidates. Words count for more where they agree with meaning, and
most where nothing is near in meaning: another language, a name, a number (docs/decisions/0010).
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from muniment.retrieval.constants import DEFAULTS, SHOWN_HALF, RankingWeights
from muniment.retrieval.fusion import Ranked, Weighed, in_order

Column = NDArray[np.float64]
Side = Literal["dense", "words", "grams"]

WORDS: tuple[Side, ...] = ("words", "grams")
_STILL = 1e-6
"""Added to every deviation: signals that do not differ say nothing."""


class Judged(NamedTuple):
    """`scores` in [0, 1], one for each candidate; `parts` are what each signal adds before that, and sum to it.

    `words` is how far the words' side is trusted, before any prior.
    """

    scores: Column
    parts: Mapping[Side, Column]
    words: float


def judged(
    signals: Mapping[str, Column],
    documents: Sequence[str],
    weights: RankingWeights = DEFAULTS,
    *,
    priors: Column | None = None,
) -> Judged:
    """Scores by the signals that are there: without `dense` the words' side stands alone.

    Signals that nobody weighs are passed over. `documents` names each candidate's document; `priors` are those of
    their collections, where these differ.
    """
    count = len(documents)
    if not count:
        return Judged(np.zeros(0), {}, 0.0)
    within = _numbers(documents)
    values = {
        side: _values(signals[side], within, weights.document) for side in ("dense", *WORDS) if side in signals
    }
    parts: dict[Side, Column] = {side: getattr(weights, side) * _standard(x) for side, x in values.items()}
    lexical = _total([parts[side] for side in WORDS if side in parts], count)
    trusted = 1.0
    if "dense" in parts:
        trusted = _trusted(parts["dense"], lexical, float(np.max(signals["dense"])), weights)
        factor = trusted * (weights.prior if priors is None else priors)
        parts |= {side: factor * parts[side] for side in WORDS if side in parts}
    return Judged(_shown(_total(list(parts.values()), count)), parts, trusted)


def whole(signals: Mapping[str, Column], documents: Sequence[str]) -> tuple[NDArray[np.intp], dict[str, Column]]:
    """Documents as candidates: where each is first named, and each signal of its best passage for that one.

    What a long document says of a question stands in several passages: one is near in meaning, another has the
    name. And each document is one candidate: by its length it moves no mean.
    """
    within = _numbers(documents)
    _, first = np.unique(within, return_index=True)
    return first, {side: _best(np.asarray(values, np.float64), within) for side, values in signals.items()}


def ranked(
    ids: Sequence[str],
    documents: Sequence[str],
    signals: Mapping[str, Column],
    found: Judged,
    *,
    explain: bool = False,
) -> list[Ranked]:
    """The candidates in their order, each with its cosine and its words' BM25; `explain` adds their parts."""
    nothing: list[float | None] = [None] * len(ids)
    dense = signals["dense"].tolist() if "dense" in signals else nothing
    words = signals["words"].tolist() if "words" in signals else nothing
    parts: list[tuple[Weighed, ...]] = [()] * len(ids)
    if explain:
        parts = [
            tuple(Weighed(side, float(signals[side][at]), float(adds[at])) for side, adds in found.parts.items())
            for at in range(len(ids))
        ]
    return in_order(list(map(Ranked, ids, documents, found.scores.tolist(), dense, words, parts)))


def _trusted(meaning: Column, lexical: Column, best_cosine: float, weights: RankingWeights) -> float:
    """What the words' side counts: by agreement, and by how far the nearest passage is."""
    agreement = weights.base + weights.slope * _correlation(meaning, lexical)
    distance = (weights.near - best_cosine) / weights.span
    return min(max(agreement, weights.least), weights.most) + weights.far * min(max(distance, 0.0), 1.0)


def _numbers(documents: Sequence[str]) -> NDArray[np.intp]:
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in documents], np.intp)


def _values(signal: Column, within: NDArray[np.intp], share: float) -> Column:
    """Each passage's value, in part that of the best passage of its document."""
    own = np.asarray(signal, np.float64)
    return (1 - share) * own + share * _best(own, within)[within]


def _best(values: Column, within: NDArray[np.intp]) -> Column:
    """Of each document's passages."""
    best = np.full(within.max(initial=-1) + 1, -np.inf)
    np.maximum.at(best, within, values)
    return best


def _standard(values: Column) -> Column:
    return (values - float(values.mean())) / (float(values.std()) + _STILL)


def _correlation(one: Column, other: Column) -> float:
    """Pearson's, of columns whose mean is 0; 0 where one of them does not differ."""
    return float((one * other).mean() / ((one.std() + _STILL) * (other.std() + _STILL)))


def _total(columns: Sequence[Column], count: int) -> Column:
    return sum(columns, np.zeros(count))


def _shown(totals: Column) -> Column:
    """Into (0, 1), each above what was below it."""
    return (1 + totals / (SHOWN_HALF + np.abs(totals))) / 2
