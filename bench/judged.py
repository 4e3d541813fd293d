"""What benches of retrieval share: judged questions of a set, and how good a list of documents is."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from bench import evaldata
from numpy.typing import NDArray

TOP = 10
RESAMPLES = 2000


class Question(NamedTuple):
    """What is asked, and how relevant which documents are."""

    text: str
    relevant: Mapping[str, float]


def questions(folder: str, most: int, *, there: set[str] | None = None, file: str = "queries") -> list[Question]:
    """The judged questions whose relevant documents are all `there`; no more than `most`, of a fixed draw."""
    judged = evaldata.judgements(folder)
    known = [
        Question(line["text"], relevant)
        for line in evaldata.lines(f"{folder}/{file}")
        if (relevant := judged.get(line["_id"])) and (there is None or relevant.keys() <= there)
    ]
    return known if len(known) <= most else random.Random(0).sample(known, most)


def needed_first(folder: str, most: int) -> list[evaldata.Document]:
    """The first so many documents of a set, those that a question needs before the others."""
    relevant = {document for scores in evaldata.judgements(folder).values() for document in scores}
    documents = evaldata.documents(folder)
    return sorted(documents, key=lambda document: document.id not in relevant)[:most]


def ndcg(found: Sequence[str], relevant: Mapping[str, float]) -> float:
    """nDCG@10."""
    best = sorted(relevant.values(), reverse=True)
    return _gain([relevant.get(name, 0.0) for name in found]) / _gain(best)


def recall(found: Sequence[str], relevant: Mapping[str, float]) -> float:
    """The share of the relevant documents among the first ten."""
    return len(relevant.keys() & set(found[:TOP])) / len(relevant)


def interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Where nineteen of twenty paired resamples have the mean difference."""
    differences: NDArray[np.float64] = np.subtract(ours, theirs)
    drawn = np.random.default_rng(0).integers(0, len(differences), (RESAMPLES, len(differences)))
    low, high = np.quantile(differences[drawn].mean(1), [0.025, 0.975])
    return float(low), float(high)


def _gain(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains[:TOP]))
