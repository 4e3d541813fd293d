"""A query's terms where passages are of several languages, each taken apart in its own."""

from collections import Counter
from collections.abc import Iterable

from muniment.text.stop_words import STOP_WORDS
from muniment.text.terms import Term, primary, spans, words

_LEAD = 2
"""Stop words that a query must have of one language more than of any other to be taken for one in it."""


def query_terms(text: str, languages: Iterable[str] = ()) -> list[str]:
    """Every term that a passage in one of `languages` (English, if none) would hold for a word of the query.

    The query's own language is one of them: languages share names and stems. What it leaves out is left out of
    all: the articles of a German question are rare words to English passages. A term is there as often as the
    language that has it most often says it.
    """
    found: Counter[str] = Counter()
    for terms in _by_language(text, languages):
        found |= Counter(terms)
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


def _by_language(text: str, languages: Iterable[str]) -> Iterable[list[str]]:
    told = language_told(text)
    kept = None if told is None else {_place(span) for span in spans(text, told)}
    known = set(map(primary, languages)) or {"en"}
    for language in sorted(known if told is None else known | {told}):
        yield [span.term for span in spans(text, language) if kept is None or _place(span) in kept]


def _place(span: Term) -> tuple[int, int]:
    return span.start, span.end
