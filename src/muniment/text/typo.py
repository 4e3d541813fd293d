"""Slips of the pen: a word that nothing holds, and those one edit away from it that something does."""

import string
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from muniment.text.terms import spans

FEWEST_CHARACTERS = 4
"""Words shorter than this are one edit away from too many others."""

FEWEST_LIKELY_CHARACTERS = 6
"""Where the query found something, a shorter one alone is more often what it says than a slip."""

_AROUND = string.punctuation + "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb\u2026\u2013\u2014"
"""What is written around words."""


def mended(
    query: str, unknown: Collection[str], passages: Iterable[str], language: str | None = None
) -> str | None:
    """The query with each unknown word replaced by the nearest that the passages hold; None if there is none.

    None as well where most of them have none: that is no slip but another language.
    """
    near = nearest_words(query, unknown, passages, language)
    if 2 * len(near) < len(_slips(query, unknown, language)):
        return None
    for term, start, end in reversed(spans(query, language)):
        if term in near:
            query = query[:start] + near[term][0] + query[end:]
    return query if near else None


def nearest_words(
    query: str, unknown: Collection[str], passages: Iterable[str], language: str | None = None
) -> dict[str, tuple[str, ...]]:
    """For each unknown term of the query the passages' words that are one edit from its word.

    Those that the most passages hold come first. Terms with digits are no slips: another number is another thing.
    """
    wanted = _slips(query, unknown, language)
    if not wanted:
        return {}
    holders: Counter[tuple[str, str]] = Counter()
    for passage in passages:
        holders.update(set(_written(passage, language)))
    by_size: dict[int, list[tuple[str, str]]] = {}
    for term, word in holders:
        by_size.setdefault(len(word), []).append((term, word))
    found: dict[str, tuple[str, ...]] = {}
    for term, word in wanted.items():
        counts: Counter[str] = Counter()
        for size in (len(word) - 1, len(word), len(word) + 1):
            for near in by_size.get(size, ()):
                if near[0] not in unknown and is_one_edit(word, near[1]):
                    counts[near[1]] += holders[near]
        if counts:
            found[term] = tuple(sorted(counts, key=lambda near: (-counts[near], near)))
    return found


def likely_slips(query: str, passages: Iterable[str], language: str | None = None) -> tuple[str, ...]:
    """Words of the query that the passages lack, if the passages hold another that is one edit from one of them.

    A long one, and one that begins as it does: "tell" and "cell" are two words. Cheap, for every query that found
    something: whether somebody knows those words is to be asked then.
    """
    text = "\n".join(passages).casefold()
    lacking = {word for term, word in _written(query, language) if _may_slip(word) and not _begins(term, text)}
    long = [word for word in lacking if len(word) >= FEWEST_LIKELY_CHARACTERS]
    if not long:
        return ()
    firsts = {word[0] for word in long}
    by_size: dict[int, list[str]] = {}
    for written in set(text.split()):
        # Most words are out by their first letter, before anything is taken off them.
        if written[0] in firsts or not written[0].isalpha():
            word = written.strip(_AROUND)
            by_size.setdefault(len(word), []).append(word)
    near = any(_is_near_any(word, by_size.get(len(word) + more, ())) for word in long for more in (-1, 0, 1))
    return tuple(sorted(lacking)) if near else ()


def is_one_edit(one: str, other: str) -> bool:
    """Whether one character put in, left out or replaced, or two neighbours swapped, make one of the other."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1 or one == other:
        return False
    at = _common(one, other)
    if len(one) < len(other):
        return one[at:] == other[at + 1 :]
    if one[at + 1 :] == other[at + 1 :]:
        return True
    return one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]


def _is_near_any(word: str, others: Iterable[str]) -> bool:
    """Whether one that begins alike is one edit away; an edit leaves the first or the last half as it was."""
    half = (len(word) - 1) // 2
    begin, first, last = word[:1], word[:half], word[-half:]
    return any(
        near[:1] == begin and (near[:half] == first or near[-half:] == last) and is_one_edit(word, near)
        for near in others
    )


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many characters both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _begins(term: str, text: str) -> bool:
    """Whether a word of the text begins with the term."""
    at = text.find(term)
    while at > 0 and (text[at - 1].isalnum() or text[at - 1] == "_"):
        at = text.find(term, at + 1)
    return at >= 0


def _slips(query: str, unknown: Collection[str], language: str | None) -> dict[str, str]:
    return {term: word for term, word in _written(query, language) if term in unknown and _may_slip(word)}


def _may_slip(word: str) -> bool:
    return len(word) >= FEWEST_CHARACTERS and word.isalpha()


def _written(text: str, language: str | None) -> Iterator[tuple[str, str]]:
    """Each term, and the word as it is written."""
    return ((term, text[start:end].casefold()) for term, start, end in spans(text, language))
