"""A query's terms where passages are of several languages, each taken apart in its own."""

from collections import Counter
from collections.abc import Iterable

from muniment.text.stop_words import STOP_WORDS
from muniment.text.terms import Term, primary, spans, words

_LEAD = 2
"""Stop words that a query must have of one language more than of any other to be taken for one in it."""


def readings(text: str, languages: Iterable[str] = ()) -> list[list[Term]]:
    """The query as passages in each of `languages` (English, if none) would have it, and in its own language.

    Its own is one of them because languages share names and stems. What it leaves out is left out of all: the
    articles of a German question are rare words to English passages.
    """
    known = set(map(primary, languages)) or {"en"}
    told = language_told(text)
    if told is None:
        return [spans(text, language) for language in sorted(known)]
    own = spans(text, told)
    kept = {(term.start, term.end) for term in own}
    others = [spans(text, language) for language in sorted(known - {told})]
    return [own, *([term for term in other if (term.start, term.end) in kept] for other in others)]


def query_terms(text: str, languages: Iterable[str] = ()) -> list[str]:
    """The terms of all readings, each as often as the reading has it that has it most often."""
    found: Counter[str] = Counter()
    for reading in readings(text, languages):
        found |= Counter(term.term for term in reading)
    return list(found.elements())


def query_language(text: str, languages: Iterable[str] = ()) -> str:
    """The one of the languages that the query is written in, or else their first; English if there are none."""
    known = tuple(dict.fromkeys(map(primary, languages))) or ("en",)
    told = language_told(text)
    return told if told in known else known[0]


def language_told(text: str) -> str | None:
    """The language whose stop words the text is written with; null where they leave a doubt."""
    said = words(text)
    counts = Counter({code: sum(word in stop for word in said) for code, stop in STOP_WORDS.items()})
    (first, most), (_, next_most) = counts.most_common(2)
    return first if most - next_most >= _LEAD else None
