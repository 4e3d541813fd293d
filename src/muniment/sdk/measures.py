"""Measures of a ranking against judged questions, and whether two rankings differ: pure functions."""

import math
import random
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

RESAMPLES = 2000
_SHARE_BEYOND = 0.025
"""Of each tail of a 95 % interval."""


class Scores(NamedTuple):
    """What one question's ranking is worth, each in [0, 1]."""

    ndcg: float
    recall: float
    reciprocal_rank: float


def scores(ranking: Sequence[str], relevant: Mapping[str, float], depth: int) -> Scores:
    """Of the first `depth` of a ranking; `relevant` holds grades above 0 by id.

    nDCG as in Järvelin and Kekäläinen (2002), the grade as gain and log2(rank + 1) as discount; recall over all
    that is relevant; the reciprocal of the first relevant rank, 0 where there is none.
    """
    gains = [relevant.get(name, 0.0) for name in ranking[:depth]]
    ideal = sorted(relevant.values(), reverse=True)[:depth]
    first = next((rank for rank, gain in enumerate(gains, 1) if gain > 0), None)
    return Scores(
        ndcg=_discounted(gains) / _discounted(ideal),
        recall=sum(gain > 0 for gain in gains) / len(relevant),
        reciprocal_rank=1 / first if first else 0.0,
    )


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def overlap(before: Sequence[str], after: Sequence[str]) -> float:
    """The share of what either list holds that both hold, in [0, 1]; two empty ones agree."""
    either = {*before, *after}
    return len({*before} & {*after}) / len(either) if either else 1.0


class Difference(NamedTuple):
    """The mean difference, and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def shows(self) -> bool:
        """Whether the interval leaves no doubt about which is better."""
        return self.low > 0 or self.high < 0


def difference(before: Sequence[float], after: Sequence[float], *, resamples: int = RESAMPLES) -> Difference:
    """By the paired bootstrap over questions (Sakai 2006), with a fixed seed: the same again is the same."""
    changes = [b - a for a, b in zip(before, after, strict=True)]
    drawing = random.Random(0)  # noqa: S311 - statistics, no secret
    means = sorted(fmean(drawing.choices(changes, k=len(changes))) for _ in range(resamples))
    beyond = int(_SHARE_BEYOND * resamples)
    return Difference(fmean(changes), means[beyond], means[resamples - 1 - beyond])
