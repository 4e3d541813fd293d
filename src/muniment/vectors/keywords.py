"""A text as the keywords it is found by: words, and 4-grams of their characters."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest

from muniment.text.query import readings
from muniment.text.terms import Term, spans
from muniment.vectors import bm25
from muniment.vectors.bm25 import Keywords, term_id
from muniment.vectors.contract import Signal

FAMILIES: tuple[Signal, ...] = ("words", "grams")
"""In the order of `of_query`."""

_GRAM = 4
# What no word holds: families share one sparse vector, and an id only by the chance of the hash.
_OF_GRAMS = "\x01"

_GRAMS_OF_A_WORD = 6.0
"""The mean over the passages of cranfield, cisi, xquad and k8s_notes_to_kep."""


def of_passage(text: str, language: str | None, average_length: float) -> Keywords:
    """What a passage is stored as: each family is a BM25 of its own, with its own average length."""
    words, grams = _families(text, spans(text, language))
    return bm25.of_passage((words, average_length), (grams, average_length * _GRAMS_OF_A_WORD))


def of_query(text: str, languages: Sequence[str] = ()) -> tuple[Keywords, ...]:
    """A query in each family. What several languages read alike is asked once."""
    read = [_families(text, reading) for reading in readings(text, languages)]
    return tuple(bm25.of_query(_united(family)) for family in zip(*read, strict=True))


def _united(families: Iterable[Sequence[int]]) -> Counter[int]:
    most: Counter[int] = Counter()
    for family in families:
        most |= Counter(family)
    return most


def _families(text: str, found: Sequence[Term]) -> tuple[list[int], list[int]]:
    return [term_id(term.term) for term in found], [
        gram for word in _written(text, found) for gram in _grams(word)
    ]


def _written(text: str, found: Sequence[Term]) -> Iterator[str]:
    """The words as they stand; of an identifier its parts alone, which hold all of its letters."""
    for term, following in zip_longest(found, found[1:]):
        if following is None or following.start >= term.end or following.end > term.end:
            yield text[term.start : term.end]


@lru_cache(maxsize=32_768)
def _grams(word: str) -> tuple[int, ...]:
    whole = f"^{word.lower() if word.isascii() else unicodedata.normalize('NFKC', word).casefold()}$"
    starts = range(max(1, len(whole) - _GRAM + 1))
    return tuple(term_id(f"{_OF_GRAMS}{whole[at : at + _GRAM]}") for at in starts)
