"""Phrases: what a query puts in quotes, and whether a text says it in just these words."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from muniment.text.terms import is_unspaced, words

_PAIRS = [
    ('"', '"'), ("\u201c", "\u201d"), ("\u201e", "\u201c"), ("\u201e", "\u201d"), ("\u201d", "\u201d"),
    ("\u00ab", "\u00bb"), ("\u00bb", "\u00ab"), ("\u300c", "\u300d"),
]  # fmt: skip
_QUOTED = re.compile("|".join(f"{a}[^{a}{b}]*{b}" for a, b in _PAIRS))
_LONGEST_DEMANDED = 8
_LONGEST_BESIDE = 16
_ALIKE = (
    ("\u2019", "'"), ("\u02bc", "'"), ("\u2010", "-"), ("\u2011", "-"), ("\u00ad", ""), ("\u200b", ""),
)  # fmt: skip


class Unquoted(NamedTuple):
    """A query without its quotes, and what they held: to be said exactly."""

    text: str
    phrases: tuple[str, ...]


def mentions(said: Unquoted) -> bool:
    """Whether a question mentions what it quotes, rather than demands it: it says more, or quotes a sentence."""
    quoted = [len(words(phrase)) for phrase in said.phrases]
    return len(words(said.text)) > sum(quoted) or max(quoted, default=0) > _LONGEST_DEMANDED


def unquoted(query: str) -> Unquoted:
    """The query taken apart; a quote that is opened or closed alone, or holds no word, is plain text.

    A quote within a word (`5"`, `l"eau`) opens nothing, and prose of many words quotes without demanding.
    """
    phrases: list[str] = []
    pieces: list[str] = []
    done = at = 0
    while found := _QUOTED.search(query, at):
        start, end = found.span()
        said = query[start + 1 : end - 1]
        if _is_within_word(query, start, end):
            at = start + 1
            continue
        at = end
        if any(map(str.isalnum, said)):
            phrases.append(" ".join(said.split()))
            pieces += [query[done:start], said]
            done = end
    text = "".join([*pieces, query[done:]])
    beside = len(words(text)) - sum(len(words(phrase)) for phrase in phrases)
    return Unquoted(text, tuple(dict.fromkeys(phrases)) if beside <= _LONGEST_BESIDE else ())


def _is_within_word(query: str, start: int, end: int) -> bool:
    """Whether a word goes on over the outside of either quote."""
    outside = query[:start][-1:] + query[end:][:1]
    return any(_is_of_word(character) and not is_unspaced(character) for character in outside)


def holds(text: str, phrase: str) -> bool:
    """Whether the text has the phrase's words in its order, with nothing but white space where it has some.

    Case, the amount of white space, and the ways in which Unicode writes the same character do not matter.
    """
    return says((text,), demanded((phrase,)))


def demanded(phrases: Iterable[str]) -> tuple[str, ...]:
    """The phrases as `says` looks for them; made once, since one character may stand for eighteen."""
    return tuple(filter(None, map(_plain, phrases)))


def says(texts: Iterable[str], wanted: Sequence[str]) -> bool:
    """Whether each phrase, as `demanded` made it, is held by one of the texts."""
    within = [_plain(text) for text in texts] if wanted else []
    return all(any(_holds(text, phrase) for text in within) for phrase in wanted)


def _holds(within: str, wanted: str) -> bool:
    at = within.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        if not (_joined(within, at) or _joined(within, end)):
            return True
        at = within.find(wanted, at + 1)
    return False


def _plain(text: str) -> str:
    if text.isascii():  # nothing in it is written in two ways, and most texts take a quarter of the time
        return " ".join(text.lower().split())
    for written, meant in _ALIKE:  # a tenth of the time of one translation
        text = text.replace(written, meant)
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _joined(text: str, at: int) -> bool:
    """Whether one word goes on over this place."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if unicodedata.category(after)[0] == "M":
        return True
    return _is_of_word(before) and _is_of_word(after) and not (is_unspaced(before) or is_unspaced(after))


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
