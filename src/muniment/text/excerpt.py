"""Excerpts: the part of a passage that says most of what was asked."""

from muniment.text.query import language_told
from muniment.text.sentences import sentences
from muniment.text.terms import terms

_MARK = "…"


def excerpt(text: str, query: str, most: int) -> str:
    """Whole sentences in a row, of at most so many characters, with the most of the query's words; else the start.

    White space becomes single blanks; a mark stands where something was left out.
    """
    plain = " ".join(text.split())
    if len(plain) <= most:
        return plain
    said = [" ".join(text[start:end].split()) for start, end in sentences(text)]
    first = _best_start(said, query, most - len(_MARK))
    shown = " ".join(said[first:])
    if first:
        shown = _MARK + shown
    return shown if len(shown) <= most else shown[: most - 1] + _MARK


def _best_start(said: list[str], query: str, most: int) -> int:
    """Of those that show as many words, the one that says most of them itself; of those the first."""
    language = language_told(query)
    wanted = set(terms(query, language))
    held = [wanted.intersection(terms(sentence, language)) for sentence in said]

    def worth(first: int) -> tuple[int, int, int]:
        shown, room = set(held[first]), most - len(said[first])
        for sentence, words in zip(said[first + 1 :], held[first + 1 :], strict=True):
            room -= len(sentence) + 1
            if room < 0:
                break
            shown |= words
        return len(shown), len(held[first]), -first

    return max(range(len(said)), key=worth)
