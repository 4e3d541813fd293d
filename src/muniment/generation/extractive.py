"""The answer without a model: a few quotes that are near the question and cover it."""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from muniment.generation.contract import Quote, Sentence
from muniment.generation.sentences import Candidate, asks
from muniment.generation.tables import Row
from muniment.kernel.model import Matrix
from muniment.text.terms import terms

MOST_QUOTES = 3
SHORTLIST, _CHARACTERS = 5, 1200
"""How many sentences are embedded for one answer, while somebody waits, and how much text: two of the longest.

Of half of XQuAD's questions 86 % have the answer among the quotes, with five as with eight; 85 % with four.
"""

_UNDER = 0.5
_RANK = 0.15
_TYPE = 0.1
_ROW, _STRAY_ROW, _RETOLD, _JOINED = 0.05, 0.3, 0.5, 0.3
_LACKS, _ENOUGH = 0.25, 0.4
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

_ASKING = frozenset(terms("how many, how much"))
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


def telling(weights: Mapping[str, float]) -> Mapping[str, float]:
    """The question's terms that an answer may hold: `much` is rare, and asks."""
    return {term: weight for term, weight in weights.items() if term not in _ASKING} or weights


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
    best = sorted(distinct.values(), key=lambda c: -(coverage(c, weights) + _place(c, weights)))[:most]
    ends = accumulate(len(candidate.text) for candidate in best)
    return [candidate for candidate, end in zip(best, ends, strict=True) if end <= _CHARACTERS]


def identifying(found: Sequence[Candidate], weights: Mapping[str, float]) -> frozenset[str]:
    """The terms that tell what the question is about: the rarest of those that any sentence holds."""
    held = frozenset[str]().union(*(candidate.terms for candidate in found)) & weights.keys()
    return frozenset(term for term in held if weights[term] == max(weights[other] for other in held))


def _place(candidate: Candidate, weights: Mapping[str, float]) -> float:
    """What speaks for it besides its words: what needs another sentence, or a header that it lacks, says less."""
    against = 0.0 if candidate.row is None else _ROW if _is_about(candidate, weights) else _STRAY_ROW
    against += _RETOLD if not candidate.joined and asks(candidate.text) else 0.0
    against += _JOINED if candidate.joined else 0.0
    return _RANK / (1 + candidate.source) - against


def _is_about(candidate: Candidate, weights: Mapping[str, float]) -> bool:
    """Whether a row's cells hold the rarest, or much, of what its header and title, as all rows, do not say."""
    asked = {term: weight for term, weight in weights.items() if term not in candidate.under} or weights
    held = [weight for term, weight in asked.items() if term in candidate.terms]
    is_named = candidate.row is not None and bool(candidate.row.names)
    is_enough = bool(held) and (max(held) == max(asked.values()) or sum(held) >= _ENOUGH * sum(asked.values()))
    return is_named and is_enough


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
        coverage(c, weights) + float(near[i]) + _place(c, weights) + _TYPE * _fits(question, c.text)
        for i, c in enumerate(found)
    ]
    least = max(_LEAST, _OF_BEST * max(scores, default=0.0))
    about = identifying(found, weights)
    lacks = [not about & (c.terms | c.under) for c in found]
    order = sorted((i for i in range(len(found)) if scores[i] >= least), key=lambda i: -scores[i])
    # Only the first must hold what the question is about: what adds to it may say that in other words.
    firsts = sorted(order, key=lambda i: _LACKS * lacks[i] - scores[i])[:1]
    chosen: list[int] = []
    covered: set[str] = set()
    for i in dict.fromkeys((*firsts, *order)):
        new = {t for t in weights if t in found[i].terms and t not in covered}
        gain = sum(weights[t] for t in new) / (sum(weights.values()) or 1)
        row = next((found[j].row for j in chosen if found[j].row), None)
        if found[i].row:
            alike = row is not None and _matches(found[i].row, weights) == _matches(row, weights)
        else:
            beside = row is not None and lacks[i] and not lacks[chosen[0]]
            alike = dense is not None and bool(near[i] >= _AS_NEAR * near.max()) and not beside
        adds = not chosen or gain >= _NEW_COVERAGE or alike
        if adds and not any(_same(found, dense, i, j) for j in chosen):
            chosen.append(i)
            covered |= found[i].terms | (found[i].under if found[i].row else frozenset())
    return [found[i] for i in chosen[:MOST_QUOTES]]


def _matches(row: Row | None, weights: Mapping[str, float]) -> frozenset[tuple[int, str]]:
    """What a row holds of the question, and in which column: rows alike in this answer it alike."""
    cells = row.cells if row else ()
    return frozenset((c, term) for c, cell in enumerate(cells) for term in terms(cell) if term in weights)


def _same(found: Sequence[Candidate], dense: Matrix | None, i: int, j: int) -> bool:
    a, b = found[i], found[j]
    if a.source == b.source and a.start < b.end and b.start < a.end:
        return True
    if a.row and b.row:
        return a.row.cells == b.row.cells
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
    header = candidate.row.header if candidate.row else None
    spans = [(candidate.start, candidate.end), *([header] if header else [])]
    return Sentence(
        text=candidate.text, quotes=tuple(Quote(source=candidate.source, start=a, end=b) for a, b in spans)
    )
