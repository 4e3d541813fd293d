"""Judged questions with their candidates, and how the baselines and we order these: the same chunks for all."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from bench.judged import TOP, ndcg
from numpy.typing import NDArray

from muniment.kernel.caller import caller
from muniment.retrieval.constants import DEFAULTS, RRF_K, RankingWeights
from muniment.retrieval.ranking import judged, whole
from muniment.vectors.contract import GatherCandidates, Vectors

LIST = 100
"""Chunks in each list."""

Column = NDArray[np.float64]


class Asked(NamedTuple):
    """A judged question: each candidate's document and signals, and the documents that a search found."""

    relevant: Mapping[str, float]
    documents: tuple[str, ...]
    signals: Mapping[str, Column]
    found: tuple[str, ...]


Order = Callable[[Asked], Sequence[str]]


async def candidates(
    vectors: Vectors, index: str, query: str, vector: NDArray[np.float32], names: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, Column]]:
    """What the engine brings for a query: the documents by the names of the set, and the columns."""
    asked = GatherCandidates(index=index, text=query, vector=vector, pool=LIST, readers=caller().tokens)
    found = await vectors.candidates(asked)
    columns = dict(zip(found.signals, found.scores.astype(np.float64), strict=True))
    return tuple(names[document] for document in found.documents), columns


def searched(asked: Asked) -> Sequence[str]:
    """As the product's search found them."""
    return asked.found


def reckoned(weights: RankingWeights = DEFAULTS) -> Order:
    """As the second stage would order the documents with these constants."""

    def order(asked: Asked) -> Sequence[str]:
        first, signals = whole(asked.signals, asked.documents)
        names = [asked.documents[place] for place in first]
        best = np.argsort(-judged(signals, names, weights).scores, kind="stable")[:TOP]
        return [names[place] for place in best]

    return order


def by(signal: str) -> Order:
    """By one signal alone."""
    return lambda asked: _first(asked, asked.signals[signal], _list(asked, signal))


def by_ranks(asked: Asked) -> Sequence[str]:
    """Reciprocal rank fusion of the lists of meaning and of words."""
    fused = np.zeros(len(asked.documents))
    for signal in ("dense", "words"):
        places = _list(asked, signal)
        fused[places] += 1 / (RRF_K + 1 + np.arange(len(places)))
    return _first(asked, fused)


def scores(order: Order, asked: Sequence[Asked]) -> list[float]:
    """nDCG@10 of each question."""
    return [ndcg(order(question), question.relevant) for question in asked]


def _list(asked: Asked, signal: str) -> NDArray[np.intp]:
    """The places of the best, best first; what holds no word of the query is not in the list of words."""
    values = asked.signals[signal]
    places = np.argsort(-values, kind="stable")[:LIST]
    return places if signal == "dense" else places[values[places] > 0]


def _first(asked: Asked, values: Column, places: NDArray[np.intp] | None = None) -> Sequence[str]:
    """The first documents of an order of chunks, each where its best chunk stands."""
    places = np.argsort(-values, kind="stable") if places is None else places
    return list(dict.fromkeys(asked.documents[place] for place in places))[:TOP]
