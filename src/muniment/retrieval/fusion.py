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
    """A candidate in its place. `score` is in [0, 1] and orders the list; `parts` where they were asked.

    Where documents are what is ordered, `score` and `parts` are the document's, and `own` orders its passages.
    """

    id: str
    document: str
    score: float
    dense: float | None
    keyword: float | None
    parts: tuple[Weighed, ...] = ()
    own: float = 0.0


def alone(
    mode: Literal["dense", "keyword"], scores: Mapping[str, float], documents: Mapping[str, str]
) -> list[Ranked]:
    """The order of a single list of scores by id, and the documents by id; ties keep the order of their ids.

    Cosine c is shown as (1 + c) / 2, BM25 b as b / (b + 12).
    """
    if mode == "dense":
        shown = {name: min(1.0, max(0.0, (1 + c) / 2)) for name, c in scores.items()}
        return in_order([Ranked(name, documents[name], shown[name], c, None) for name, c in scores.items()])
    shown = {name: bm25 / (bm25 + BM25_HALF) for name, bm25 in scores.items()}
    return in_order([Ranked(name, documents[name], shown[name], None, bm25) for name, bm25 in scores.items()])


def by_documents(passages: Sequence[Ranked], documents: Sequence[Ranked]) -> list[Ranked]:
    """The passages where their documents stand, those of one document in their own order."""
    standing = {place.document: place for place in documents}
    return in_order(
        [
            passage._replace(score=place.score, parts=place.parts, own=passage.score)
            for passage in passages
            for place in (standing[passage.document],)
        ]
    )


def merge(orders: Sequence[list[Ranked]]) -> list[Ranked]:
    """The orders of several indexes as one, by reciprocal rank: their scores do not compare.

    An index that nothing was found in has no part in it: it may hold what the caller does not know of. What ties
    in an order shares a rank, as the passages of a document do.
    """
    orders = [order for order in orders if order]
    if len(orders) == 1:
        return orders[0]
    best = len(orders) / (RRF_K + 1)
    parts: dict[str, list[float]] = {}
    for order in orders:
        distinct = sorted({place.score for place in order}, reverse=True)
        ranks = {score: rank for rank, score in enumerate(distinct, 1)}
        for place in order:
            parts.setdefault(place.id, []).append(1 / (RRF_K + ranks[place.score]))
    everyone = {place.id: place for order in orders for place in order}
    return in_order([everyone[name]._replace(score=math.fsum(sums) / best) for name, sums in parts.items()])


def in_order(places: Sequence[Ranked]) -> list[Ranked]:
    """Best first, ties by their ids: users compare pages, and flicker reads as a defect."""
    return sorted(places, key=lambda place: (-place.score, -place.own, place.id))
