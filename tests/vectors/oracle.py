"""What the vectors room must answer, the slow and obvious way."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import numpy as np

from muniment.text.terms import terms
from muniment.vectors.contract import (
    AllOf,
    AnyOf,
    Condition,
    Exists,
    Filter,
    NoneOf,
    NotAfter,
    Payload,
    Point,
    Range,
)

AVERAGE_LENGTH = 10.0


def sees(payload: Payload, readers: Iterable[str], condition: Filter) -> bool:
    return bool(set(_values(payload, "readers")) & set(readers)) and all(holds(payload, c) for c in condition)


def holds(payload: Payload, condition: Condition) -> bool:
    values = _values(payload, condition.field)
    match condition:
        case AnyOf():
            return any(_same(v, w) for v in values for w in condition.values)
        case AllOf():
            return all(any(_same(v, w) for v in values) for w in condition.values)
        case NoneOf():
            return not any(_same(v, w) for v in values for w in condition.values)
        case Exists():
            return bool(values) == condition.exists
        case Range():
            return any(_within(v, condition) for v in values)
        case NotAfter():
            return not any(_within(v, Range(field=condition.field, gt=condition.at)) for v in values)


def bm25(query: str, visible: Sequence[Point]) -> dict[UUID, float]:
    """Lucene's form over these points alone; points without a term of the query are left out."""
    bags = {p.id: Counter(terms(p.text, p.language)) for p in visible}
    scores: dict[UUID, float] = {}
    for term in terms(query):
        weight = idf(term, visible)
        for point_id, bag in bags.items():
            if bag[term]:
                length = 1.2 * (1 - 0.75 + 0.75 * bag.total() / AVERAGE_LENGTH)
                scores[point_id] = scores.get(point_id, 0) + weight * bag[term] / (bag[term] + length)
    return scores


def signals(query: str, visible: Sequence[Point]) -> dict[str, dict[UUID, float]]:
    """BM25 of words, and of 4-grams of their characters."""
    lengths = {"words": AVERAGE_LENGTH, "grams": 6 * AVERAGE_LENGTH}
    asked = _families(query)
    held = {p.id: _families(p.text) for p in visible}
    return {
        name: _bm25(asked[name], {i: Counter(families[name]) for i, families in held.items()}, average)
        for name, average in lengths.items()
    }


def _families(text: str) -> dict[str, list[str]]:
    """Of plain words in English alone, which is what the tests' texts are made of."""
    words = [word for word in text.lower().split() if terms(word)]
    grams = [f"^{word}$"[at : at + 4] for word in words for at in range(max(1, len(word) - 1))]
    return {"words": terms(text), "grams": grams}


def _bm25(asked: Sequence[str], bags: dict[UUID, Counter[str]], average: float) -> dict[UUID, float]:
    scores: dict[UUID, float] = {}
    for term in asked:
        holders = sum(term in bag for bag in bags.values())
        weight = math.log(1 + (len(bags) - holders + 0.5) / (holders + 0.5))
        for point_id, bag in bags.items():
            if bag[term]:
                length = 1.2 * (1 - 0.75 + 0.75 * bag.total() / average)
                scores[point_id] = scores.get(point_id, 0) + weight * bag[term] / (bag[term] + length)
    return scores


def idf(term: str, visible: Sequence[Point]) -> float:
    holders = sum(term in terms(p.text, p.language) for p in visible)
    return math.log(1 + (len(visible) - holders + 0.5) / (holders + 0.5))


def cosines(query: np.ndarray, visible: Sequence[tuple[Point, np.ndarray]]) -> dict[UUID, float]:
    return {p.id: float(v @ query / np.linalg.norm(v) / np.linalg.norm(query)) for p, v in visible}


def _values(payload: Payload, field: str) -> tuple[object, ...]:
    value = payload.get(field, ())
    return value if isinstance(value, tuple) else (value,)


def _same(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other


def _within(value: object, condition: Range) -> bool:
    bounds = [condition.gte, condition.gt, condition.lte, condition.lt]
    if any(isinstance(b, datetime) for b in bounds):
        try:
            value = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            return False
        if value is None:
            return False
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return False
    gte, gt, lte, lt = bounds
    return (
        (gte is None or value >= gte)
        and (gt is None or value > gt)
        and (lte is None or value <= lte)
        and (lt is None or value < lt)
    )
