"""Styles and numbering of Word documents: which paragraphs are headings, items and code, and how they count."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from muniment.documents.parsing.office.opc import at, whole

MOST_LEVELS = 9
_BODY_LEVEL = 9
_HEADING = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|kop|rubrik|overskrift|otsikko|nagłówek|nadpis|címsor|başlık|"
    r"заголовок|επικεφαλίδα|标题|標題|見出し|제목)\s*([1-9])(?:\s*char)?",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"(?:source|program|sample)?[ _-]?code(?:[ _-]?(?:block|sample|example|listing))?|source ?text|quelltext|"
    r"html preformatted|preformatted(?: text)?|verbatim(?: char)?|plain ?text|macro(?: text)?|listing|codeblock",
    re.IGNORECASE,
)
_CONTENTS = re.compile(r"(?:toc|contents|verzeichnis) ?\d|table of (?:figures|authorities)", re.IGNORECASE)
_MONOSPACED = re.compile(
    r"courier|consolas|monaco|menlo|mono\b|lucida console|fira code|source code", re.IGNORECASE
)
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


class Style(NamedTuple):
    """What a paragraph style says; `level` is that of a heading from 1, 0 of the document's title."""

    level: int | None = None
    list_id: str | None = None
    list_level: int = 0
    is_code: bool = False
    is_monospaced: bool = False
    is_contents: bool = False


class Numbered(NamedTuple):
    """A paragraph's place in a list: how deep it stands, and what is drawn before it."""

    depth: int
    mark: str
    is_bullet: bool


class _Level(NamedTuple):
    start: int
    form: str
    text: str
    style: str | None


def styles(found: Iterable[Element]) -> dict[str, Style]:
    """The paragraph styles by id, each with what it inherits."""
    raw = {style.get("w:styleId", ""): style for style in found if style.tag == "w:style"}
    known: dict[str, Style] = {}
    for style_id in raw:
        chain, current = [], style_id
        while current in raw and current not in chain and current not in known:
            chain.append(current)
            based = raw[current].find("w:basedOn")
            current = based.get("w:val", "") if based is not None else ""
        for link in reversed(chain):
            based = raw[link].find("w:basedOn")
            above = known.get(based.get("w:val", ""), Style()) if based is not None else Style()
            known[link] = _style(raw[link], above)
    return known


def _style(style: Element, above: Style) -> Style:
    said = style.find("w:name")
    name = said.get("w:val", "") if said is not None else ""
    heading, outline = _HEADING.fullmatch(name.strip()), at(style, "w:pPr/w:outlineLvl")
    level = above.level
    if outline is not None:
        level = heading_level(outline)
    elif heading is not None:
        level = int(heading[1])
    elif name.lower() == "title":
        level = 0
    numbering = at(style, "w:pPr/w:numPr")
    list_id, list_level = (above.list_id, above.list_level) if numbering is None else list_place(numbering, above)
    fonts = at(style, "w:rPr/w:rFonts")
    return Style(
        level=level,
        list_id=list_id,
        list_level=list_level,
        is_code=above.is_code or _CODE.fullmatch(name) is not None,
        is_monospaced=above.is_monospaced if fonts is None else is_monospaced(fonts),
        is_contents=above.is_contents or _CONTENTS.fullmatch(name) is not None,
    )


def heading_level(outline: Element) -> int | None:
    """A heading's level from 1 by its place in the outline, None for body text."""
    level = whole(outline.get("w:val"), _BODY_LEVEL)
    return level + 1 if 0 <= level < _BODY_LEVEL else None


def list_place(numbering: Element, above: Style) -> tuple[str | None, int]:
    """The list and level that a paragraph or style names; what it does not name is as above."""
    list_id, level = numbering.find("w:numId"), numbering.find("w:ilvl")
    named = above.list_id if list_id is None else list_id.get("w:val")
    depth = above.list_level if level is None else whole(level.get("w:val"))
    return (None if named == "0" else named), min(max(depth, 0), MOST_LEVELS - 1)


def is_monospaced(fonts: Element) -> bool:
    """Whether letters stand as in typewriting."""
    return _MONOSPACED.search(fonts.get("w:ascii") or fonts.get("w:hAnsi") or "") is not None


class Numbering:
    """Counts the items of lists as they come."""

    def __init__(self, found: Iterable[Element]) -> None:
        self._abstract: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, tuple[str, dict[int, _Level], dict[int, int]]] = {}
        self._styled: dict[str, tuple[str, int]] = {}
        self._counts: dict[str, Counter[int]] = {}
        self._begun: set[tuple[str, int]] = set()
        for element in found:
            if element.tag == "w:abstractNum":
                self._abstract[element.get("w:abstractNumId", "")] = _levels(element.findall("w:lvl"))
            elif element.tag == "w:num":
                self._add(element)

    def _add(self, number: Element) -> None:
        abstract = number.find("w:abstractNumId")
        name = abstract.get("w:val", "") if abstract is not None else ""
        levels, starts = dict(self._abstract.get(name, {})), {}
        for change in number.findall("w:lvlOverride"):
            place, start = whole(change.get("w:ilvl")), change.find("w:startOverride")
            levels |= _levels(change.findall("w:lvl"))
            if start is not None:
                starts[place] = whole(start.get("w:val"), 1)
        list_id = number.get("w:numId", "")
        self._lists[list_id] = (name, levels, starts)
        for depth, level in levels.items():
            if level.style is not None:
                self._styled.setdefault(level.style, (list_id, depth))

    def depth_of(self, style: str, list_id: str, depth: int) -> int:
        """The level of a list that belongs to the style, where the list says so."""
        named = self._styled.get(style)
        return named[1] if named is not None and named[0] == list_id else depth

    def item(self, list_id: str, depth: int) -> Numbered | None:
        """The next item of a list; None where there is no such list, or nothing is drawn before its items."""
        if list_id not in self._lists:
            return None
        name, levels, starts = self._lists[list_id]
        level = levels.get(depth)
        if level is None:
            return None
        counts = self._counts.setdefault(name, Counter())
        if depth in starts and (list_id, depth) not in self._begun:
            counts[depth] = starts[depth] - 1
        elif depth not in counts:
            counts[depth] = level.start - 1
        self._begun.add((list_id, depth))
        counts[depth] += 1
        for deeper in [other for other in counts if other > depth]:
            del counts[deeper]
        if level.form == "bullet":
            return Numbered(depth, "-", is_bullet=True)
        if level.form == "none" or not level.text:
            return None
        return Numbered(depth, _drawn(level.text, levels, counts).strip(), is_bullet=False)


def _levels(found: Iterable[Element]) -> dict[int, _Level]:
    levels = {}
    for level in found:
        said = {child.tag: child.get("w:val", "") for child in level}
        levels[whole(level.get("w:ilvl"))] = _Level(
            whole(said.get("w:start"), 1), said.get("w:numFmt", "decimal"), said.get("w:lvlText", ""),
            said.get("w:pStyle"),
        )  # fmt: skip
    return levels


def _drawn(text: str, levels: dict[int, _Level], counts: Counter[int]) -> str:
    def number(found: re.Match[str]) -> str:
        depth = int(found[1]) - 1
        level = levels.get(depth)
        start = level.start if level is not None else 1
        return _spelled(counts.get(depth, start), level.form if level is not None else "decimal")

    return re.sub(r"%([1-9])", number, text)


def _spelled(number: int, form: str) -> str:
    if number < 1:
        return str(number)
    if form.endswith("Letter"):
        letters = chr(ord("a") + (number - 1) % 26) * min((number - 1) // 26 + 1, 8)
        return letters if form.startswith("lower") else letters.upper()
    if form.endswith("Roman"):
        roman, rest = "", min(number, 3999)
        for value, letters in _ROMAN:
            roman += letters * (rest // value)
            rest %= value
        return roman if form.startswith("lower") else roman.upper()
    return f"{number:02d}" if form == "decimalZero" else str(number)
