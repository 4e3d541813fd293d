"""Terms: what a text is searched by. Every index, query, weight and check takes words apart here, the same way.

- Words are casefolded (NFKC), stop words left out, the rest stemmed by Snowball.
- Identifiers (`snake_case`, `CamelCase`, `utf8`, `v1.28.3`, `ORA-00942`) stand whole, then in their parts.
- Numbers stay; `1,000` is `1000`.
- Scripts that write no spaces between words, and Korean, become pairs of characters.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from py_rust_stemmers import SnowballStemmer

from muniment.text.stop_words import CLITICS, STOP_WORDS

_STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "fi": "finnish", "fr": "french", "hu": "hungarian", "it": "italian", "nb": "norwegian", "nl": "dutch",
    "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish",
}  # fmt: skip

_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
# What is written over, under or inside a letter is part of its word, though `\w` does not say so.
_MARKS = (
    r"\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0903"
    r"\u093a-\u094f\u0951-\u0957\u0962\u0963\u0980-\u0983\u09bc-\u09d7\u0a01-\u0a03\u0a3c-\u0a51\u0a70-\u0a75"
    r"\u0a81-\u0a83\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b57\u0b82\u0bbe-\u0bcd\u0c00-\u0c04\u0c3e-\u0c56"
    r"\u0c81-\u0c83\u0cbc-\u0cd6\u0d00-\u0d03\u0d3b-\u0d4d\u0d57\u0dca-\u0ddf\u200c\u200d"
)
_APOSTROPHES = "'\u2019"
_WORD = rf"(?:[^\W{_UNSPACED}]++[{_MARKS}]*+)++"
_TOKEN = re.compile(
    r"\d{1,3}(?:,\d{3})++(?:\.\d++)?(?![\w,])"
    rf"|{_WORD}(?:(?<=\b[A-Za-z])(?:\+\+|\#)|(?:[.\-{_APOSTROPHES}]{_WORD})*+)"
    rf"|[{_UNSPACED}]++"
)
_BOUNDARY = re.compile(
    rf"[_.\-{_APOSTROPHES}+#]++|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    r"|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])"
)
_UNSPACED_FIRST = re.compile(f"[{_UNSPACED}]")
_PLURAL_OF_CAPITALS = re.compile(r"[A-Z]{2,}s")
_DECIMAL = re.compile(r"\d+\.\d+")
_MOST_CHARACTERS, _MOST_PARTS = 64, 8
_FIRST_UNSPACED = "\u0e00"


class Term(NamedTuple):
    """A term, and the characters [start, end) that it stands for."""

    term: str
    start: int
    end: int


def terms(text: str, language: str | None = None) -> list[str]:
    """The terms in order, repeats kept. `language` as in `de` or `pt-BR`; English when it is not known."""
    language = primary(language)
    found: list[str] = []
    for token in _TOKEN.findall(text):
        found += _remembered_terms(token, language) if _is_common(token) else _terms_of(token, language)
    return found


def spans(text: str, language: str | None = None) -> list[Term]:
    """The same terms, each with where it stands; an identifier's parts lie inside its whole."""
    language = primary(language)
    return [
        Term(term, found.start() + start, found.start() + end)
        for found in _TOKEN.finditer(text)
        for term, start, end in (_remembered_spans if _is_common(found[0]) else _analysed)(found[0], language)
    ]


def words(text: str) -> list[str]:
    """The words as they are written, casefolded, stop words among them; scripts without spaces in runs."""
    return [_folded(token) for token in _TOKEN.findall(text)]


def is_unspaced(character: str) -> bool:
    """Whether it is of a script that writes no spaces between words."""
    return _UNSPACED_FIRST.match(character) is not None


def primary(language: str | None) -> str:
    """The two letters that a language tag begins with; English when it is not known."""
    return re.split(r"[-_]", language)[0].lower() if language else "en"


def _is_common(token: str) -> bool:
    """Whether it is a word that may well come again: long ones and runs without spaces would fill the memory."""
    return len(token) <= 24 and token[0] < _FIRST_UNSPACED  # noqa: PLR2004 - the length of a long word


def _terms_of(token: str, language: str) -> tuple[str, ...]:
    return tuple(term for term, _, _ in _analysed(token, language))


def _spans_of(token: str, language: str) -> tuple[Term, ...]:
    return tuple(_analysed(token, language))


_remembered_terms = lru_cache(maxsize=32_768)(_terms_of)
_remembered_spans = lru_cache(maxsize=8_192)(_spans_of)


def _analysed(token: str, language: str) -> Iterator[Term]:
    if token[0] >= _FIRST_UNSPACED and _UNSPACED_FIRST.match(token):
        yield from _pairs(token)
    elif "," in token:
        yield Term(token.replace(",", ""), 0, len(token))
    elif (whole := _folded(token)) not in STOP_WORDS.get(language, frozenset()):
        parts = _parts(token, language)
        if len(parts) == 1 and token[-1] not in "+#":
            start, end = parts[0]
            yield from _word(token[start:end], start, end, language)
        else:
            yield from _identifier(token, whole, parts, language)


def _pairs(token: str) -> Iterator[Term]:
    if len(token) == 1:
        yield Term(_folded(token), 0, 1)
    for at in range(len(token) - 1):
        yield Term(_folded(token[at : at + 2]), at, at + 2)


def _parts(token: str, language: str) -> list[tuple[int, int]]:
    """Where the pieces stand between which the writing itself draws a line."""
    if _PLURAL_OF_CAPITALS.fullmatch(token):
        return [(0, len(token))]
    found, start = [], 0
    for boundary in _BOUNDARY.finditer(token):
        found.append((start, boundary.start()))
        start = boundary.end()
        if boundary[0] and boundary[0] in _APOSTROPHES and _folded(token[start:]) in CLITICS.get(language, ()):
            start = len(token)
            break
    return [(a, b) for a, b in [*found, (start, len(token))] if b > a] or [(0, len(token))]


def _identifier(token: str, whole: str, parts: list[tuple[int, int]], language: str) -> Iterator[Term]:
    """Whole, then in parts; words that a hyphen or an apostrophe joins are no identifier, and stand apart."""
    joined_words = all(b == len(token) or token[b] in f"-{_APOSTROPHES}" for _, b in parts) and not any(
        character.isdigit() for character in token
    )
    if not joined_words and len(whole) <= _MOST_CHARACTERS:
        # A name in capitals is also written without them, and is then stemmed as a word.
        yield Term(_stemmer(language).stem(whole) if whole.isalpha() else whole, 0, len(token))
    if len(parts) > _MOST_PARTS or _DECIMAL.fullmatch(token):
        return
    for start, end in parts:
        if end - start > 1 or token[start].isdigit() or joined_words or len(parts) == 1:
            yield from _word(token[start:end], start, end, language)


def _word(word: str, start: int, end: int, language: str) -> Iterator[Term]:
    folded = _folded(word)[:_MOST_CHARACTERS]
    if folded and folded not in STOP_WORDS.get(language, frozenset()):
        yield Term(_stemmer(language).stem(folded), start, end)


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower().strip("_")
    folded = unicodedata.normalize("NFKC", text).casefold()
    return folded.replace("\u2019", "'").replace("\u00ad", "").strip("_")


class _Stemmer:
    """Snowball for a language, or the word as it is where there is none."""

    def __init__(self, language: str) -> None:
        self._snowball = SnowballStemmer(_STEMMERS[language]) if language in _STEMMERS else None

    def stem(self, word: str) -> str:
        return str(self._snowball.stem_word(word)) if self._snowball else word


@cache
def _stemmer(language: str) -> _Stemmer:
    return _Stemmer(language)


def language_of(text: str, known: Iterable[str]) -> str | None:
    """The language in which `known` are the terms of `text`, where somebody else took it apart."""
    wanted = set(known)
    return next((code for code in ("en", *_STEMMERS) if set(terms(text, code)) == wanted), None)
