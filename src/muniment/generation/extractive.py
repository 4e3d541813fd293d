"""The answer without a model: a few quotes that are near the question and cover it."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from muniment.generation.contract import Quote, Sentence
from muniment.generation.sentences import Candidate, asks
from muniment.kernel.model import Matrix

MOST_QUOTES = 3
SHORTLIST = 8
"""How many sentences are embedded for one answer: they are read while somebody waits."""

_UNDER = 0.5
_RANK = 0.15
_TYPE = 0.1
_ROW, _RETOLD, _JOINED = 0.3, 0.5, 0.3
_NEW_COVERAGE, _AS_NEAR = 0.12, 0.85
_OF_BEST = 0.7
_LEAST = 0.45
_SAME_WORDS, _SAME_MEANING = 0.7, 0.93

_COUNT = re.compile(
    r"\bhow (?:many|much|long|far|old|often|tall|large|big|high|fast)\b|\bpercent|\bnumber of\b", re.IGNORECASE
)
_WHEN = re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|time)\b", re.IGNORECASE)
_WHO = re.compile(r"\bwho(?:m|se)?\b|\bwhere\b", re.IGNORECASE)
_WHY = re.compile(r"\bwhy\b|\bwhat (?:caused|led to|made)\b|\bfor what reason\b", re.IGNORECASE)

_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|half|hundred|thousand|million)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\d|\b(?:January|February|March|April|May|June|July|August|September|October|November|December|century"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b"
)
_CAUSE = re.compile(r"\b(?:because|caus\w+|due to|owing to|reasons?|since|so that|in order to)\b", re.IGNORECASE)
_NAME = re.compile(r"(?<=[\w,;:(] )[A-Z]\w{2,}")


def coverage(candidate: Candidate, weights: Mapping[str, float]) -> float:
    """The share of the question's weight that the sentence holds; what stands above it counts half."""
    total = sum(weights.values())
    own = sum(w for term, w in weights.items() if term in candidate.terms)
    under = sum(w for term, w in weights.items() if term in candidate.under and term not in candidate.terms)
    return (own + _UNDER * under) / total if total else 0.0


def shortlist(found: Sequence[Candidate], weights: Mapping[str, float], most: int = SHORTLIST) -> list[Candidate]:
    """The sentences worth embedding: those that cover the question, of the best sources first."""
    # The first of those that say the same: repeated text must not crowd out the rest.
    distinct = {candidate.text: candidate for candidate in reversed(found)}
    return sorted(distinct.values(), key=lambda c: -(coverage(c, weights) + _place(c)))[:most]


def _place(candidate: Candidate) -> float:
    """What speaks for it besides its words: rows of tables, and sentences that need another, say less."""
    row = _ROW if " | " in candidate.text else 0.0
    retold = _RETOLD if not candidate.joined and asks(candidate.text) else 0.0
    joined = _JOINED if candidate.joined else 0.0
    return _RANK / (1 + candidate.source) - row - retold - joined


def choose(
    question: str,
    found: Sequence[Candidate],
    weights: Mapping[str, float],
    asked: Matrix | None,
    dense: Matrix | None,
) -> list[Candidate]:
    """One to three of the shortlist, best first: each covers more or is about as near, none repeats."""
    near = dense @ asked[0] if dense is not None and asked is not None else np.full(len(found), 0.4, np.float32)
    scores = [
        coverage(c, weights) + float(near[i]) + _place(c) + _TYPE * _fits(question, c.text)
        for i, c in enumerate(found)
    ]
    order = sorted(range(len(found)), key=lambda i: -scores[i])
    chosen: list[int] = []
    covered: set[str] = set()
    for i in order:
        if len(chosen) == MOST_QUOTES or scores[i] < max(_LEAST, _OF_BEST * scores[order[0]]):
            break
        new = {t for t in weights if t in found[i].terms and t not in covered}
        gain = sum(weights[t] for t in new) / (sum(weights.values()) or 1)
        adds = gain >= _NEW_COVERAGE or (dense is not None and near[i] >= _AS_NEAR * near.max())
        if chosen and (not adds or any(_same(found, dense, i, j) for j in chosen)):
            continue
        chosen.append(i)
        covered |= found[i].terms
    return [found[i] for i in chosen]


def _same(found: Sequence[Candidate], dense: Matrix | None, i: int, j: int) -> bool:
    a, b = found[i], found[j]
    if a.source == b.source and a.start < b.end and b.start < a.end:
        return True
    words = len(a.terms & b.terms) / (len(a.terms | b.terms) or 1)
    return words >= _SAME_WORDS or (dense is not None and float(dense[i] @ dense[j]) >= _SAME_MEANING)


def _fits(question: str, text: str) -> float:
    """1 when the sentence holds a thing of the kind asked for that the question does not, -1 when it lacks it."""
    asked = set(re.findall(r"\w+", question.casefold()))
    for kind, thing in ((_COUNT, _NUMBER), (_WHEN, _DATE), (_WHO, _NAME), (_WHY, _CAUSE)):
        if kind.search(question):
            return 1.0 if any(m.casefold() not in asked for m in thing.findall(text)) else -1.0
    return 0.0


def said(candidate: Candidate) -> Sentence:
    """The candidate as a sentence of an answer; its white space is that of running text."""
    return Sentence(
        text=candidate.text, quotes=(Quote(source=candidate.source, start=candidate.start, end=candidate.end),)
    )
