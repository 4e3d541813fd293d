"""The sentences of a text, as exact spans: what is quoted, checked and never cut."""

import re
from collections.abc import Iterator

_LINE = re.compile(r"[^\n]*\n?")
_ALONE = re.compile(r"\s{0,3}(?:#{1,6}\s|\||```|~~~|[-=*_]{3,}\s*$)")
"""Lines that are a unit of their own: headings, table rows, fences, rules."""

_ITEM = re.compile(r"\s*(?:[-*+•‣◦]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+(?=\S)")
"""The mark of a list item, which begins a sentence."""

_MARK = re.compile(r"\s*\(?(?:\d{1,3}|[a-zA-Z])")
"""What stands before the full stop of such a mark."""

_END = re.compile(r"(?:[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？｡]+[」』”）]*)")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘]+$")

_ABBREVIATIONS = frozenset(
    """
    abb abs al approx apr art aug bd bzw ca capt cf ch co col corp dec dept dr e.g eg ed eds eq est etc
    evtl ex feb fig figs fr gen ggf gov hon i.e ie inc incl jan jr jul jun lt ltd mar max min mio mr mrs
    ms mt no nos nov nr oct p.ex par pp prof ref rep rev sec sect sen sep sept sgt sr st str tab u.a u.s
    usw vgl viz vol vols vs z.b zb
    """.split()  # noqa: SIM905 - words in a row read better than a hundred strings
)


def sentences(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """The spans [start, end) of the sentences between two offsets of `text`, trimmed, in order, never empty.

    A sentence ends at its full stop, at a blank line, and before a list item; headings, table rows and fences are
    sentences of their own. Together the spans hold every character that is no white space.
    """
    stop = len(text) if end is None else end
    found = []
    for first, last in _blocks(text, start, stop):
        found += _within(text, first, last)
    return found


def _blocks(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Runs of lines that may hold a sentence over their line ends."""
    begun = at = start
    while at < end:
        match = _LINE.match(text, at, end)
        after = match.end() if match else end
        line = text[at:after]
        alone = _ALONE.match(line) is not None
        if not line.strip() or alone or _ITEM.match(line):
            yield begun, at
            begun = at
            if alone:
                yield at, after
                begun = after
        at = after
    yield begun, end


def _within(text: str, start: int, end: int) -> list[tuple[int, int]]:
    found = []
    begun = start
    for match in _END.finditer(text, start, end):
        if _ends(text, begun, match, end):
            found += _trimmed(text, begun, match.end())
            begun = match.end()
    return found + _trimmed(text, begun, end)


def _ends(text: str, begun: int, match: re.Match[str], end: int) -> bool:
    """Whether the stop at `match` ends the sentence that began at `begun`."""
    mark = match.group()
    if mark[0] in "。！？｡":
        return True
    after = text[match.end() : end].lstrip()
    if not after:
        return True
    if after[0].islower():
        return False
    if mark.rstrip("\"'”’»)]") != ".":
        return True
    before = _LAST_WORD.search(text, max(begun, match.start() - 40), match.start())
    word = before.group() if before else ""
    if _MARK.fullmatch(text, begun, match.start()) or word.lower() in _ABBREVIATIONS:
        return False
    # An initial, as in J. Smith; but a lone I, or a letter that names something, may end a sentence.
    return not (len(word) == 1 and word.isupper() and word != "I" and after[0].isupper())


def _trimmed(text: str, start: int, end: int) -> list[tuple[int, int]]:
    piece = text[start:end]
    kept = piece.strip()
    if not kept:
        return []
    first = start + len(piece) - len(piece.lstrip())
    return [(first, first + len(kept))]
