"""Do sources bear a sentence out? Its content is looked for in the one to three best of their sentences."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from muniment.generation.contract import Checked, Quote, Source, Verdict
from muniment.generation.tables import Row, as_read, reading, statements
from muniment.kernel.model import Matrix
from muniment.text.terms import terms

SHORTLIST = 10
_MOST_BEARING = 3
_NEW = 0.04
_CLOSENESS = 0.3

# Fitted on the dev part of WiCE (`bench/support.py` prints what they reach): a logistic regression's weights.
_COVERED, _NEAR, _NAMES_MISSING, _NUMBERS_MISSING, _BIAS = 5.4, 3.4, -0.9, -0.5, -5.9
_PARTLY, _SUPPORTED = -1.25, 1.4
# `supported` says more than a high score: nearly nothing missing, near in meaning, and one sentence that has half.
_MOST_MISSING, _LEAST_NEAR, _LEAST_IN_ONE = 1, 0.65, 0.5
# A short claim is easily pieced together from sentences that have nothing to do with each other.
_SHORT, _SHORT_IN_ONE, _SHORT_PARTLY_IN_ONE = 8, 0.75, 0.55
_LEAST_CONTENT = 2
_LOUD = 0.6

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z]\w+")
_NOT = re.compile(
    r"\b(?:not|no|never|none|without|neither|nor|cannot|kein\w*|nicht|nie|sans|jamais|nunca)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_NUMERALS = {
    word: str(value)
    for value, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
}
_OPPOSITES = (
    ("before", "after"), ("more", "less"), ("increase", "decrease"), ("increased", "decreased"),
    ("maximum", "minimum"), ("above", "below"), ("first", "last"), ("optional", "required"),
    ("allowed", "forbidden"), ("enabled", "disabled"), ("always", "never"), ("higher", "lower"),
    ("internal", "external"), ("accepted", "rejected"), ("win", "lose"), ("won", "lost"), ("open", "closed"),
    ("public", "confidential"), ("least", "most"), ("start", "end"),
)  # fmt: skip


class Piece(NamedTuple):
    """A sentence of a source, and its terms; `owner`: of a table's row, those of its first cell."""

    source: int
    start: int
    end: int
    text: str
    terms: frozenset[str]
    owner: frozenset[str] = frozenset()


def quoted(sentence: str, sources: Sequence[Source], cites: Sequence[int]) -> Quote | None:
    """Where the very words stand in a source, whatever the white space; cited sources first."""
    words = sentence.split()
    if not words:
        return None
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    for number in sorted(range(len(sources)), key=lambda n: n not in cites):
        if found := pattern.search(sources[number].text):
            return Quote(source=number, start=found.start(), end=found.end())
    return None


def row_read(sentence: str, sources: Sequence[Source], cites: Sequence[int]) -> tuple[Quote, ...]:
    """The row and the header whose words, cell by cell, the sentence is; cited sources first."""
    for number in sorted(range(len(sources)), key=lambda n: n not in cites):
        if row := as_read(sentence, sources[number]):
            spans = [(row.start, row.end), *([row.header] if row.header else [])]
            return tuple(Quote(source=number, start=start, end=end) for start, end in spans)
    return ()


def pieces(sources: Sequence[Source], only: Sequence[int]) -> list[Piece]:
    """The sentences of the sources named; the rows of their tables say what their columns are called."""
    return [
        Piece(number, start, end, text, frozenset(terms(text)), _owner(row))
        for number, source in enumerate(sources)
        if number in only
        for start, end, row in statements(source)
        for text in [reading(row) if row and row.names else source.text[start:end]]
    ]


def _owner(row: Row | None) -> frozenset[str]:
    return frozenset(terms(next((cell for cell in row.cells if cell), ""))) if row else frozenset()


def shortlist(claim: str, found: Sequence[Piece]) -> list[Piece]:
    """The sentences that share most with the claim."""
    content = frozenset(terms(claim))
    return sorted(found, key=lambda piece: -len(content & piece.terms))[:SHORTLIST]


def judge(claim: str, found: Sequence[Piece], near: Matrix | None, titles: str, everything: str) -> Checked:
    """The verdict on the claim and what bears it out.

    `near` holds the vectors of the claim (first) and of each piece, unit length; without them words alone decide.
    Words of the `titles` need no sentence to bear them out; names and numbers may stand anywhere in `everything`.
    """
    content = list(dict.fromkeys(terms(claim)))
    if not found or len(content) < _LEAST_CONTENT:
        return Checked(verdict="unsupported", quotes=())
    closeness = [0.5] * len(found) if near is None else (near[1:] @ near[0]).tolist()
    bearing = _bearing(content, found, closeness)
    together = frozenset[str]().union(*(found[i].terms for i in bearing)) | frozenset(terms(titles))
    missing = [term for term in content if term not in together]
    covered = 1 - len(missing) / len(content)
    names = _names(claim) - _words(everything) - _words(titles)
    numbers = _numbers(claim) - _numbers(f"{titles} {everything}")
    if found[bearing[0]].owner:
        # A number out of a row counts for whom that row names: next to it stands somebody else's.
        theirs = " ".join(piece.text for piece in found if piece.owner <= set(content))
        numbers = _numbers(claim) - _numbers(f"{titles} {theirs}")
    nearness = _nearness(bearing, near, closeness)
    in_one = max(sum(term in piece.terms for term in content) for piece in found) / len(content)
    score = (
        _COVERED * covered
        + _NEAR * nearness
        + _NAMES_MISSING * len(names)
        + _NUMBERS_MISSING * len(_numbers(claim) - _numbers(" ".join(found[i].text for i in bearing)))
        + _BIAS
    )
    short = len(content) <= _SHORT
    pieced = short and in_one < _SHORT_PARTLY_IN_ONE
    verdict: Verdict = "unsupported" if score < _PARTLY or numbers or pieced else "partly"
    if verdict == "partly" and _denies(claim, found[bearing[0]], content):
        verdict = "unsupported"
    whole = len(missing) <= _MOST_MISSING and nearness >= _LEAST_NEAR and not names
    in_place = in_one >= (_SHORT_IN_ONE if short else _LEAST_IN_ONE)
    if verdict == "partly" and score >= _SUPPORTED and whole and in_place:
        verdict = "supported"
    quotes = tuple(Quote(source=found[i].source, start=found[i].start, end=found[i].end) for i in bearing)
    return Checked(verdict=verdict, quotes=() if verdict == "unsupported" else quotes)


def _bearing(content: Sequence[str], found: Sequence[Piece], closeness: Sequence[float]) -> list[int]:
    """The best sentence, and further ones while each holds something of the claim that none before it did."""
    have: set[str] = set()
    chosen: list[int] = []
    while len(chosen) < min(_MOST_BEARING, len(found)):
        gains = [
            (len([t for t in content if t in piece.terms and t not in have]) / len(content), i)
            for i, piece in enumerate(found)
            if i not in chosen
        ]
        gain, best = max(gains, key=lambda g: g[0] + _CLOSENESS * closeness[g[1]])
        if chosen and gain < _NEW:
            break
        chosen.append(best)
        have |= found[best].terms
    return chosen


def _nearness(bearing: Sequence[int], near: Matrix | None, closeness: Sequence[float]) -> float:
    if near is None:
        return closeness[bearing[0]]
    mean = near[[i + 1 for i in bearing]].mean(axis=0)
    return float(mean @ near[0]) / (float((mean @ mean) ** 0.5) or 1.0)


def _denies(claim: str, piece: Piece, content: Sequence[str]) -> bool:
    """Whether the sentence says nearly the same with a `not`, or with the opposite word."""
    shared = sum(term in piece.terms for term in content) / len(content)
    if shared < _LOUD:
        return False
    mine, its = _words(claim), _words(piece.text)
    opposite = any(
        (a in mine and b in its and a not in its and b not in mine)
        or (b in mine and a in its and b not in its and a not in mine)
        for a, b in _OPPOSITES
    )
    return opposite or bool(_NOT.search(claim)) != bool(_NOT.search(piece.text))


def _numbers(text: str) -> frozenset[str]:
    digits = (found.replace(",", "").rstrip(".:") for found in _NUMBER.findall(text))
    return frozenset((*digits, *(_NUMERALS[word] for word in _words(text) if word in _NUMERALS and word != "one")))


def _names(text: str) -> frozenset[str]:
    return frozenset(name.casefold() for name in _NAME.findall(text))


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))
