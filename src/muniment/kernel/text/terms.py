"""The terms of a text: what keywords, coverage and rarity are counted in, the same at both ends of a search."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from py_rust_stemmers import SnowballStemmer

from muniment.kernel.text.stop_words import STOP_WORDS

_STEMMERS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
DEFAULT_LANGUAGE = "en"

_WHOLE = re.compile(r"[^\W_]+(?:(?:[.\-:/'’]|(?<=\d),(?=\d)|_+)[^\W_]+)*")
_RUN = re.compile(r"[^\W_]+")
_GROUPED = re.compile(r"\d+(?:,\d+)+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_CONTRACTED = re.compile(r"['’](?:s|t|re|ve|ll|d|m)?$", re.IGNORECASE)
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\u0e00-\u0e7f]+")
"""Scripts that are written without spaces between words: their terms are pairs of characters."""


class Term(NamedTuple):
    """A term and where it stands: [start, end) of the text."""

    term: str
    start: int
    end: int


def terms(text: str, language: str | None = None) -> list[str]:
    """The terms of `text` in order, with repeats: lower case, stemmed, without stop words.

    Identifiers (snake_case, CamelCase, dotted, letters with digits) stand whole and in parts. `language` is
    ISO 639-1; without one it is English, and an unknown one is not stemmed.
    """
    return [found.term for found in spans(text, language)]


def spans(text: str, language: str | None = None) -> list[Term]:
    """As `terms`, with the place of each; the parts of an identifier lie within its own."""
    found: list[Term] = []
    spoken = language or DEFAULT_LANGUAGE
    for match in _WHOLE.finditer(text):
        word, start = match.group(), match.start()
        if word.isascii() and word.isalpha() and (word.islower() or word.istitle() or word.isupper()):
            if term := _term(word, spoken):
                found.append(Term(term, start, match.end()))
        elif _UNSPACED.search(word):
            found += _unspaced(word, start, spoken)
        else:
            found += _compound(word, start, spoken)
    return found


def _compound(word: str, start: int, language: str) -> list[Term]:
    bare = _CONTRACTED.sub("", word)
    end = start + len(bare)
    if _GROUPED.fullmatch(bare):
        return [Term(bare.replace(",", ""), start, end)]
    parts = [(part, start + at) for part, at in _parts(bare)]
    found = [Term(term, at, at + len(part)) for part, at in parts if (term := _term(part, language)) is not None]
    if len(parts) > 1 and _is_identifier(bare):
        found.insert(0, Term(_folded(bare), start, end))
    return found


def _parts(word: str) -> list[tuple[str, int]]:
    """The parts of a compound and where each begins: split at marks, humps, and between letters and digits."""
    parts = []
    for run in _RUN.finditer(word):
        at = run.start()
        for part in _HUMP.split(run.group()):
            if part:
                parts.append((part, at))
            at += len(part)
    return parts


def _is_identifier(word: str) -> bool:
    if any(mark in word for mark in "_.:/"):
        return True
    return any(character.isdigit() for character in word) or re.search(r"[a-z][A-Z]", word) is not None


def _unspaced(word: str, start: int, language: str) -> list[Term]:
    found, at = [], 0
    for match in _UNSPACED.finditer(word):
        if match.start() > at:
            found += _moved(word[at : match.start()], start + at, language)
        run, here = match.group(), start + match.start()
        if len(run) == 1:
            found.append(Term(run, here, here + 1))
        found += [Term(run[i : i + 2], here + i, here + i + 2) for i in range(len(run) - 1)]
        at = match.end()
    if at < len(word):
        found += _moved(word[at:], start + at, language)
    return found


def _moved(text: str, start: int, language: str) -> list[Term]:
    """The terms of a spaced run between unspaced ones, moved to its place."""
    return [Term(found.term, found.start + start, found.end + start) for found in spans(text, language)]


@lru_cache(maxsize=200_000)
def _term(word: str, language: str) -> str | None:
    folded = _folded(word)
    if folded in STOP_WORDS.get(language, frozenset()):
        return None
    stemmer = _stemmer(language)
    return stemmer.stem_word(folded) if stemmer is not None else folded


@lru_cache(maxsize=32)
def _stemmer(language: str) -> SnowballStemmer | None:
    name = _STEMMERS.get(language)
    return SnowballStemmer(name) if name else None


def _folded(word: str) -> str:
    return word.lower() if word.isascii() else unicodedata.normalize("NFKC", word).casefold()
