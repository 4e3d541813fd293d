"""The constants of ranking derived again, and with each set left out: does the order of things change?"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from bench import report
from bench.sides import Asked, by, by_ranks, reckoned, scores

from muniment.retrieval.constants import DEFAULTS, RankingWeights

GRID: Mapping[str, tuple[float, ...]] = {
    "words": (0.2, 0.4, 0.6, 0.8),
    "grams": (0.6, 0.75, 0.9, 1.2),
    "base": (0.4, 0.5, 0.6, 0.7),
    "slope": (0.6, 0.9, 1.2, 1.5),
    "near": (0.5, 0.55, 0.6, 0.65),
    "far": (1, 2, 3),
}
"""What is tried of what orders documents; the other constants are bounds that few queries reach."""

GAIN = 0.0005
"""A constant moves for no less on the mean of the sets."""

Sets = Mapping[str, Sequence[Asked]]


def derive(sets: Sets) -> None:
    """Rows: the constants from all sets, and for each set those from the others on it."""
    everywhere = {name: baselines(asked) for name, asked in sets.items()}
    best = derived(sets)
    report.row(
        "Q1 constants derived from all sets",
        mean(sets, best),
        "nDCG@10",
        beside="the shipped ones",
        baseline=mean(sets, DEFAULTS),
        moved=changes(best),
    )
    left = []
    for name in sets:
        # A corpus goes with all of its files of queries: xquad_de is no other set than xquad_es.
        corpus = name.partition("_")[0]
        others = derived({other: asked for other, asked in sets.items() if other.partition("_")[0] != corpus})
        ours = float(np.mean(scores(reckoned(others), sets[name])))
        left.append(ours)
        baseline = max(everywhere[name], key=lambda way: everywhere[name][way])
        report.row(
            f"Q1 {name} with constants from the other sets",
            ours,
            "nDCG@10",
            beside=baseline,
            baseline=everywhere[name][baseline],
            moved=changes(others),
        )
    rrf = float(np.mean([of["RRF"] for of in everywhere.values()]))
    report.row("Q1 mean with each set left out", float(np.mean(left)), "nDCG@10", beside="RRF", baseline=rrf)


def derived(sets: Sets) -> RankingWeights:
    """From the shipped constants, one after the other to the best of its grid, until none moves."""
    best, reached = DEFAULTS, mean(sets, DEFAULTS)
    moved = True
    while moved:
        moved = False
        for weights in _neighbours(best):
            found = mean(sets, weights)
            if found > reached + GAIN:
                best, reached, moved = weights, found, True
    return best


def mean(sets: Sets, weights: RankingWeights) -> float:
    """Of the sets' means, so that no set counts for its size."""
    return float(np.mean([np.mean(scores(reckoned(weights), asked)) for asked in sets.values()]))


def baselines(asked: Sequence[Asked]) -> dict[str, float]:
    """The mean of each baseline."""
    ways = {"BM25": by("words"), "dense": by("dense"), "RRF": by_ranks}
    return {name: float(np.mean(scores(way, asked))) for name, way in ways.items()}


def changes(weights: RankingWeights) -> dict[str, float]:
    """What differs from the shipped constants."""
    shipped = DEFAULTS.model_dump()
    return {name: value for name, value in weights.model_dump().items() if value != shipped[name]}


def _neighbours(weights: RankingWeights) -> Iterable[RankingWeights]:
    for name, values in GRID.items():
        for value in values:
            if value != getattr(weights, name):
                yield weights.model_copy(update={name: value})
