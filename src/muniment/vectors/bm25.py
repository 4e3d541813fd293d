"""BM25 in Lucene's form, split in two: the saturated term frequency is stored, the engine brings the IDF."""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75


class Keywords(NamedTuple):
    """A sparse vector: term ids, ascending and each once, with their weights."""

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]


@lru_cache(maxsize=65_536)
def term_id(term: str) -> int:
    """The 32-bit id of a term: the same in every process and version, for it is what the index holds."""
    return int.from_bytes(blake2b(term.encode(), digest_size=4).digest(), "little")


def of_passage(*families: tuple[Iterable[int], float]) -> Keywords:
    """What a passage with these terms is stored as; IDF apart, the dot product with `of_query` is BM25.

    Each family of terms has its average length, a constant, not a statistic, so that no score depends on passages
    that stay hidden.
    """
    weights: dict[int, float] = {}
    for terms, average_length in families:
        counts = Counter(terms)
        length = K1 * (1 - B + B * counts.total() / average_length)
        for term, count in counts.items():
            weights[term] = weights.get(term, 0) + count / (count + length)
    return _sparse(weights)


def of_query(terms: Iterable[int]) -> Keywords:
    """A query's weights: a term counts as often as it is said."""
    return _sparse(Counter(terms))


def idf(points: int, holders: int) -> float:
    """How rare a term is that `holders` of `points` points hold."""
    return float(idfs(points, np.array(holders)))


def idfs(points: int, holders: NDArray[np.int64]) -> NDArray[np.float64]:
    """`idf` of each."""
    return np.log1p((points - holders + 0.5) / (holders + 0.5))


def _sparse(weights: dict[int, float] | Counter[int]) -> Keywords:
    ordered = sorted(weights)
    return Keywords(np.array(ordered, np.uint32), np.array([weights[index] for index in ordered], np.float32))
