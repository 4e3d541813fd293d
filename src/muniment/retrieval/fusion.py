"""Ranked lists to one order: pure functions over candidates and their scores."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

RRF_K = 60
"""Rank constant of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009, section 3)."""

BM25_HALF = 12.0
"""The BM25 score shown as 0.5 when keywords alone order the hits; monotone, so it changes no order."""


class Ranked(NamedTuple):
    """A candidate in its place. `score` is in [0, 1] and orders the list."""

    id: str
    score: float
    dense: float | None
    keyword: float | None


def fuse(dense: Mapping[str, float] | None, keyword: Mapping[str, float] | None) -> list[Ranked]:
    """One order from up to two lists of scores by id; None is a list that was not asked for.

    Two lists are fused by reciprocal rank, scaled so that first in both is 1. A single list keeps its order:
    cosine c is shown as (1 + c) / 2, BM25 b as b / (b + 12). Ties keep the order of their ids.
    """
    if dense is not None and keyword is not None:
        scores = _reciprocal_ranks([dense, keyword])
    elif dense is not None:
        scores = {name: min(1.0, max(0.0, (1 + cosine) / 2)) for name, cosine in dense.items()}
    else:
        scores = {name: bm25 / (bm25 + BM25_HALF) for name, bm25 in (keyword or {}).items()}
    return sorted(
        (
            Ranked(name, score, (dense or {}).get(name), (keyword or {}).get(name))
            for name, score in scores.items()
        ),
        key=lambda ranked: (-ranked.score, ranked.id),
    )


def merge(orders: Sequence[list[Ranked]]) -> list[Ranked]:
    """The orders of several indexes as one, by reciprocal rank: their scores do not compare."""
    if len(orders) == 1:
        return orders[0]
    scores = _reciprocal_ranks([{r.id: -float(place) for place, r in enumerate(order)} for order in orders])
    everyone = {r.id: r for order in orders for r in order}
    merged = [everyone[name]._replace(score=score) for name, score in scores.items()]
    return sorted(merged, key=lambda ranked: (-ranked.score, ranked.id))


def _reciprocal_ranks(lists: Sequence[Mapping[str, float]]) -> dict[str, float]:
    best = len(lists) / (RRF_K + 1)
    parts: dict[str, list[float]] = {}
    for scores in lists:
        ordered = sorted(scores, key=lambda name: (-scores[name], name))
        for rank, name in enumerate(ordered, 1):
            parts.setdefault(name, []).append(1 / (RRF_K + rank))
    return {name: math.fsum(sums) / best for name, sums in parts.items()}
