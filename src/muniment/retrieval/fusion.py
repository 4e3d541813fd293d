"""Orders of candidates: by one list alone, and several orders as one."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from muniment.retrieval.constants import BM25_HALF, RRF_K


class Weighed(NamedTuple):
    """What a signal measured of a candidate, and what that added to its place in the order."""

    signal: str
    value: float
    adds: float


class Ranked(NamedTuple):
    """A candidate in its place. `score` is in [0, 1] and orders the list; `parts` where they were asked."""

    id: str
    score: float
    dense: float | None
    keyword: float | None
    parts: tuple[Weighed, ...] = ()


def alone(mode: Literal["dense", "keyword"], scores: Mapping[str, float]) -> list[Ranked]:
    """The order of a single list of scores by id; ties keep the order of their ids.

    Cosine c is shown as (1 + c) / 2, BM25 b as b / (b + 12).
    """
    if mode == "dense":
        found = [Ranked(name, min(1.0, max(0.0, (1 + c) / 2)), c, None) for name, c in scores.items()]
    else:
        found = [Ranked(name, bm25 / (bm25 + BM25_HALF), None, bm25) for name, bm25 in scores.items()]
    return in_order(found)


def merge(orders: Sequence[list[Ranked]]) -> list[Ranked]:
    """The orders of several indexes as one, by reciprocal rank: their scores do not compare.

    An index that nothing was found in has no part in it: it may hold what the caller does not know of.
    """
    orders = [order for order in orders if order]
    if len(orders) == 1:
        return orders[0]
    best = len(orders) / (RRF_K + 1)
    parts: dict[str, list[float]] = {}
    for order in orders:
        for rank, place in enumerate(order, 1):
            parts.setdefault(place.id, []).append(1 / (RRF_K + rank))
    everyone = {place.id: place for order in orders for place in order}
    return in_order([everyone[name]._replace(score=math.fsum(sums) / best) for name, sums in parts.items()])


def in_order(places: Sequence[Ranked]) -> list[Ranked]:
    """Best first, ties by their ids: users compare pages, and flicker reads as a defect."""
    return sorted(places, key=lambda place: (-place.score, place.id))
