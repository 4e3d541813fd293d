"""Sentences: exact spans of a text, such that nothing but white space lies outside them."""

import re
from collections.abc import Iterator

_LINE = re.compile(r"[^\n]*\n?")
_ALONE = re.compile(r"\s*+(?:#{1,6}\s|\||[^|\n]+ \| [^|\n]+ \| |(?:[-=*_]\s?){3,}$|```|~~~|<!--)")
_ITEM = re.compile(
    r"\s*+(?:[-*+\u2022\u2023\u25e6\u25aa\u25cf\u2013\u2219\u00b7]|\(?(?:\d{1,3}|[A-Za-z])[.)]|\[\d{1,3}\])"
    r"\s+(?=\S)"
)
_CLOSERS = "\"'\u201d\u2019\u00bb)\\]\u203a\u300d\u300f\uff09\uff3d\u3011\u3009\u300b*_`"
_OPENERS = "\"'\u201c\u2018\u00ab(\\[\u2039\u300c\u300e\uff08\uff3b\u3010\u3008\u300a*_`\u00bf\u00a1"
_STOPS_WITHOUT_SPACE = "\u3002\uff01\uff1f\uff61"
_DANDAS = "\u0964\u0965"
_END = re.compile(
    rf"(?<![.!?\u2026\u061f{_DANDAS}])[.!?\u2026\u061f{_DANDAS}]++[{_CLOSERS}]*+(?:\[\d{{1,3}}\])*+(?=\s|$)"
    rf"|[{_STOPS_WITHOUT_SPACE}]++[{_CLOSERS}]*+"
)
_NEXT = re.compile(rf"\s*[{_OPENERS}]*(\w+)?")
_LAST_WORD = re.compile(r"(?:[^\W\d_]\.)*[^\W_]+\Z")
_LETTERS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")

# Never at the end of a sentence: a name, a number or an example follows.
_OPEN = """adm al approx art bd brig bzw capt cf cmdr col d.h dept dr e.g ed eds eg eq esp est etwa fig figs ff gen
gov hon i.e ie lt maj messrs mr mrs ms mt nr op p pp prof rep rev sen sgt st u.a v vgl viz vol vols vs z.b"""
_ALWAYS_OPEN = "cf dr e.g i.e mr mrs ms prof vs"
# Numbers follow these; without one the word is an ordinary word at its sentence's end.
_BEFORE_NUMBER = "abs art ch chap cl no nos para pt sec sect"
# These may end a sentence: they do where the next word commonly begins one.
_EITHER = """a.d a.m apr aug b.a b.c b.sc ca co corp d.c dec etc feb inc jan jr jul jun ltd m.a m.sc mar nov oct
p.m ph.d sep sept sr u.k u.n u.s u.s.a u.s.c usw"""
_STARTING = """a after all also although an and another any are as at because before both but by can das der
despite did die do does during each ein eine er es even every for from has have he her here his how however i if im
in is it its many more most my no not of on once one or other our several she sie since so some such that the their
then there these they this those though through thus to today under unlike until we were what when where whether
which while who why will wir with you your"""
_GERMAN_MONTHS = "januar februar märz april mai juni juli august september oktober november dezember"
_OPEN_WORDS, _OPEN_ALWAYS = frozenset(_OPEN.split()), frozenset(_ALWAYS_OPEN.split())
_NUMBERED, _ENDS_OR_NOT = frozenset(_BEFORE_NUMBER.split()), frozenset(_EITHER.split())
_STARTERS, _MONTHS = frozenset(_STARTING.split()), frozenset(_GERMAN_MONTHS.split())


def sentences(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """The trimmed spans [start, end) of the sentences between `start` and `end`, in order.

    A blank line ends one; a list item, a heading and a table row begin one. Full stops in abbreviations,
    initials, numbers and addresses end none.
    """
    return [
        trimmed
        for block in _blocks(text, start, len(text) if end is None else end)
        for piece in _cut(text, *block)
        if (trimmed := _trimmed(text, *piece))[0] < trimmed[1]
    ]


def _blocks(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Runs of lines that belong together."""
    begun, at = start, start
    while at < end:
        found = _LINE.match(text, at, end)
        assert found is not None
        line, after = found[0], found.end()
        alone = _ALONE.match(line) is not None
        if alone or not line.strip() or _ITEM.match(line):
            if at > begun:
                yield begun, at
            begun = at
        if alone:
            yield at, after
            begun = after
        at = after
    if begun < end:
        yield begun, end


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    marker = _ITEM.match(text, start, end)
    at = marker.end() if marker else start
    for found in _END.finditer(text, at, end):
        if found.end() < end and _ends(text, at, found, end):
            yield start, found.end()
            start = at = found.end()
    yield start, end


def _ends(text: str, start: int, found: re.Match[str], end: int) -> bool:
    """Whether a sentence ends with this stop."""
    if found[0][0] in _STOPS_WITHOUT_SPACE + _DANDAS:
        return True
    follows = _NEXT.match(text, found.end(), end)
    word = follows[1] if follows else None
    if word is not None and word[0].islower():
        return False
    if not found[0].startswith(".") or found[0].startswith(".."):
        return True
    last = _LAST_WORD.search(text, max(start, found.start() - 24), found.start())
    return last is None or not _abbreviates(last[0], word)


def _abbreviates(last: str, word: str | None) -> bool:
    """Whether the full stop after `last` belongs to it, given the word that follows."""
    lower, follows = last.lower(), (word or "").lower()
    if lower in _NUMBERED:
        return follows[:1].isdigit() or bool(re.fullmatch("[ivxlc]+", follows))
    if lower in _OPEN_WORDS:
        return follows not in _STARTERS or lower in _OPEN_ALWAYS
    if lower in _ENDS_OR_NOT or _LETTERS.fullmatch(last):
        return bool(word) and follows not in _STARTERS
    if len(last) == 1 and last.isalpha():
        return last.isupper() and last != "I" and bool(word) and (follows not in _STARTERS or word == "I")
    return last.isdigit() and len(last) <= 2 and follows in _MONTHS  # noqa: PLR2004 - a day


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
