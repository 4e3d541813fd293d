"""Which sentences of a source may be quoted by themselves: no headings, no boilerplate, no dangling beginnings."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from muniment.generation.contract import Source
from muniment.generation.tables import LONGEST_ROW, Row, reading, statements
from muniment.text.terms import terms

LONGEST, SHORTEST = 600, 12
_LONGEST_CAPTION = 200
_MARKER = re.compile(r"(?:[-*+\u2022\u2023\u25e6\u25aa\u25cf]|\(?(?:\d{1,3}|[A-Za-z])[.)]|>)\s+(?:\[[ xX]\]\s+)?")
_FENCE = re.compile(r"```|~~~")
_RULE = re.compile(r"[\s|:\-=_*+]+")
_TITLE_LINE = re.compile(r"#{1,6}\s|<!--|\*\*[^*]+\*\*:?$|__[^_]+__:?$")
_ENDED = re.compile(r"[.!:;\u2026\u3002\uff01\uff61\u0964][\"'\u201d\u2019\u00bb)\]*_`\u300d\u300f]*(?:\[\d+\])*$")
_BOILERPLATE = {
    said: re.compile(pattern)
    for said, pattern in {
        "\u00a9": "\u00a9",
        "(c)": r"\(c\)\s*\d{4}",
        "copyright": r"copyright\b.*\d{4}",
        "all rights reserved": "all rights reserved",
        "table of contents": r"(?<!\w)table of contents\b",
        "skip to": r"skip to (?:main )?content",
        "cookie": r"(?<!\w)cookies?\b.*\b(?:accept|policy|consent)",
        "privacy policy": "privacy policy",
        "terms of": r"terms of (?:use|service)$",
        "page ": r"page \d+ of \d+",
        "click here": "click here",
        "subscribe to": "subscribe to",
        "sign up for our": "sign up for our",
        "..": r"\.{5}",
        ".": r"(?:\s\.){4}",
    }.items()
}
"""In lower case, by what it must hold: to look for that first takes a tenth of the time."""

_NAVIGATION = re.compile(
    r"contents$|last (?:updated|modified)\b|(?:previous|next|back to top)\b[^.]*$", re.IGNORECASE
)
_MARKS = "|\u00b7\u2022>»"
_LINKS = re.compile(rf"[^|\n]\s[{_MARKS}]\s(?:[^|\n]{{1,30}}\s[{_MARKS}]\s){{2}}")
"""Three, a mark after each. Of the first its end is enough: to look for all of it takes 1 ms a page."""

_ASKED = re.compile(r"\b(?:asked|asks|wondered|inquired|wants? to know)\b[^.]*\.?$", re.IGNORECASE)
_DANGLING = re.compile(
    r"(?:this|that|these|those|it|its|they|them|their|he|she|his|her|him|such|both|another|however|therefore|thus|hence"
    r"|also|moreover|furthermore|additionally|and|but|or|so|yet|nor|then|otherwise|instead|consequently"
    r"|accordingly|finally|meanwhile|nevertheless|nonetheless|similarly|likewise|still|afterwards|besides|rather|conversely"
    r"|as a result|as such|for (?:example|instance|this)"
    r"|in (?:addition|contrast|turn|particular|this|that|these|such)"
    r"|on the (?:other|contrary)|the (?:latter|former|same)|at (?:this|that)"
    r"|(?:because of|after) (?:this|that)"
    r"|dies|diese|dieser|dieses|es|er|sie|jedoch|daher|deshalb|au\u00dferdem|aber|und|sondern|dabei|dazu"
    r"|esto|este|esta|estos|estas|adem\u00e1s|sin embargo|pero|cela|ceci|cependant|mais|et|de plus|donc)\b",
    re.IGNORECASE,
)


class Candidate(NamedTuple):
    """A span of a source that may be quoted, its terms, and those of what it stands under: title, heading, header.

    `joined`: it holds a second sentence, which refers back to the first. `row`: it is one of a table.
    """

    source: int
    start: int
    end: int
    text: str
    terms: frozenset[str]
    under: frozenset[str]
    joined: bool = False
    row: Row | None = None


class Quotable(NamedTuple):
    """A span that can be read alone, and the heading over it where the text has one."""

    start: int
    end: int
    heading: str
    joined: bool
    answer: int
    """Where what it says itself begins: behind the question that it answers, if it holds one."""
    above: str = ""
    """What stands over it, if it is a row: the line before the table, and the names of the columns."""
    row: Row | None = None


def candidates(sources: Sequence[Source], language: str | None, asked: Collection[str] = ()) -> list[Candidate]:
    """What may be quoted, in the order of the sources; of long rows the columns that hold what is `asked`."""
    found = []
    for number, source in enumerate(sources):
        for start, end, heading, joined, answer, above, row in quotable(source):
            over = (source.title, heading or " ".join(source.section), above, source.text[start:answer])
            own = frozenset(terms(source.text[answer:end], language))
            text = reading(row, asked, language) if row and row.names else " ".join(source.text[start:end].split())
            if len(text) <= LONGEST_ROW or row is None:
                under = frozenset(terms("\n".join(over), language))
                found.append(Candidate(number, start, end, text, own, under, joined, row))
    return found


def quotable(source: Source) -> Iterator[Quotable]:
    """Spans that can be read alone; what refers back is joined with what is before it, as an answer may be."""
    text, before, heading, above = source.text, None, "", ""
    names = {_plain(name) for name in (source.title, *source.section)}
    for start, end, row in _pieces(source):
        piece = text[start:end]
        if row is not None:
            before = None
            if any(character.isalnum() for character in piece):
                over = "\n".join((above, *row.names))
                yield Quotable(start, end, heading, joined=False, answer=start, above=over, row=row)
            continue
        above = piece if len(piece) <= _LONGEST_CAPTION else ""
        if len(piece) > LONGEST or not _is_sentence(piece, names):
            heading = piece if _TITLE_LINE.match(piece) else heading
            before = None
            continue
        is_near = before is not None and not re.search(r"\n\s*\n", text[before[1] : start])
        if before is not None and is_near and asks(text[before[0] : before[1]]) and end - before[0] <= LONGEST:
            yield Quotable(before[0], end, heading, joined=True, answer=start)
        if not (_DANGLING.match(piece) or piece[0].islower()):
            begun = start
        elif before is not None and is_near:
            begun = before[0]
        else:
            before = None
            continue
        before = (begun, end)
        if end - begun <= LONGEST and not piece.endswith("?") and len(piece) >= SHORTEST:
            yield Quotable(begun, end, heading, joined=begun < start, answer=begun)


def asks(piece: str) -> bool:
    """Whether a sentence puts a question, or tells that somebody did: near to a question, and no answer to it."""
    return piece.endswith("?") or _ASKED.search(piece) is not None


def _pieces(source: Source) -> Iterator[tuple[int, int, Row | None]]:
    """Rows, and sentences outside code, each without its list marker."""
    in_code = False
    for start, end, row in statements(source):
        if row is not None:
            yield start, end, row
        elif _FENCE.match(source.text, start):
            in_code = not in_code
        elif not in_code:
            marker = _MARKER.match(source.text, start, end)
            yield (marker.end() if marker else start), end, None


def _is_sentence(piece: str, names: set[str]) -> bool:
    """Whether it says something, and is not part of the page's furniture."""
    letters = sum(map(str.isalpha, piece))
    if letters * 2 < len(piece) or _RULE.fullmatch(piece) or _TITLE_LINE.match(piece):
        return False
    if _is_boilerplate(piece.lower()) or _NAVIGATION.match(piece) or _lists_links(piece):
        return False
    # Without white space and stops a piece has all of its letters still.
    if any(letters <= len(name) for name in names) and _plain(piece) in names:
        return False
    # A short line without a stop is a heading that lost its mark.
    return bool(_ENDED.search(piece)) or piece.endswith("?") or piece.startswith("|") or len(piece.split()) >= 8  # noqa: PLR2004


def _is_boilerplate(lower: str) -> bool:
    return any(said in lower and pattern.search(lower) for said, pattern in _BOILERPLATE.items())


def _lists_links(piece: str) -> bool:
    return any(mark in piece for mark in _MARKS) and _LINKS.search(piece) is not None


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
