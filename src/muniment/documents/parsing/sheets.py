"""Workbooks: each sheet a section and a page, its rows as tables, its values as a person sees them."""

import re
from collections.abc import Iterator
from typing import cast
from xml.etree.ElementTree import Element

from muniment.documents.contract import PageSpan
from muniment.documents.parsing.archive import opened
from muniment.documents.parsing.cell_values import Shown, formats, general
from muniment.documents.parsing.formats import MEDIA_TYPES
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.opc import Package, at, is_on, whole
from muniment.documents.parsing.source import Source, too_much_text
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.parsing.tables import Grid, cell

_UNNAMED = re.compile(r"(?:sheet|tabelle|feuil|hoja|foglio|blad|ark|лист|工作表|シート) ?1", re.IGNORECASE)
_ROWS, _CELLS, _VALUES = "x:row", "x:c", "x:v"


def parse_xlsx(source: Source) -> Parsed:
    """A .xlsx or .xlsm; hidden sheets are read, too, and named in `metadata["hidden_sheets"]`.

    Raises FileBroken, FileEncrypted, ParserLimit.
    """
    with opened(source) as archive:
        package = Package(archive, "xl/workbook.xml")
        book = _Book(package, source.limits.text_characters)
        book.read()
        fields, metadata = package.metadata()
    if book.hidden:
        metadata["hidden_sheets"] = list(book.hidden)
    growing = book.growing
    return Parsed(
        text=growing.text,
        media_type=MEDIA_TYPES["xlsx"],
        title=cast("str | None", fields.get("title")),
        language=cast("str | None", fields.get("language")),
        pages=tuple(book.pages),
        sections=sections(growing.headings, growing.length),
        fields=fields,
        metadata=metadata,
        blocks=tuple(growing.blocks),
    )


class _Book:
    """Adds sheet after sheet."""

    def __init__(self, package: Package, most_characters: int) -> None:
        self.growing = Growing(most_characters)
        self.pages: list[PageSpan] = []
        self.hidden: list[str] = []
        self._package, self._most = package, most_characters
        self._main = package.tree(package.main)
        properties = at(self._main, "x:workbookPr")
        since_1904 = properties is not None and "date1904" in properties.attrib and is_on(properties, "date1904")
        styles = package.related(package.main, "styles")
        self._formats = formats(package.tree(styles[0]) if styles else None, since_1904=since_1904)
        self._strings = self._shared()

    def _shared(self) -> list[str]:
        strings: list[str] = []
        characters = 0
        for part in self._package.related(self._package.main, "sharedStrings"):
            for item in self._package.elements(part, 1):
                strings.append(_text(item))
                characters += len(strings[-1])
                if characters > self._most:
                    raise too_much_text(self._most)
        return strings

    def read(self) -> None:
        """Add all sheets, in their order."""
        sheets = [sheet for sheet in at(self._main, "x:sheets") or () if sheet.tag == "x:sheet"]
        relations = self._package.relations(self._package.main)
        for number, sheet in enumerate(sheets, 1):
            relation = relations.get(sheet.get("r:id", ""))
            part = self._package.target(self._package.main, sheet.get("r:id"))
            if part is None or relation is None or relation.kind != "worksheet":
                continue
            name = " ".join(sheet.get("name", "").split())
            if sheet.get("state", "visible") != "visible":
                self.hidden.append(name)
            self._package.relations(part)  # the addresses it links to
            is_unnamed = len(sheets) == 1 and _UNNAMED.fullmatch(name) is not None
            self._sheet(part, number, "" if is_unnamed else name)

    def _sheet(self, part: str, number: int, name: str) -> None:
        before, last = len(self.growing.blocks), 0
        grid = Grid(self.growing, self._most)
        for row in self._package.elements(part, 2):
            if row.tag != _ROWS:
                continue
            columns, texts = self._row(row)
            if not columns:
                continue
            if len(self.growing.blocks) == before:
                self.growing.add("heading", name, level=1)
                before -= not name
            at_row = whole(row.get("r"), last + 1)
            if at_row > last + 1:
                grid.end()
            last = at_row
            grid.add(columns, texts)
        grid.end()
        if len(self.growing.blocks) > max(before, 0):
            start = self.growing.blocks[max(before, 0)].start
            self.pages.append(PageSpan(number=number, start=start, end=self.growing.length))

    def _row(self, row: Element) -> tuple[tuple[int, ...], list[str]]:
        columns, texts = [], []
        column = 0
        for element in row:
            if element.tag != _CELLS:
                continue
            place = element.get("r")
            column = _column(place) if place else column + 1
            text = self._cell(element)
            if text:
                columns.append(column)
                texts.append(text)
        return tuple(columns), texts

    def _cell(self, element: Element) -> str:
        kind = element.get("t", "n")
        if kind == "inlineStr":
            inline = element.find("x:is")
            return cell(_text(inline)) if inline is not None else ""
        value = element.find(_VALUES)
        said = (value.text or "").strip() if value is not None else ""
        if not said:
            return ""
        if kind == "s":
            place = whole(said, -1)
            return self._strings[place] if 0 <= place < len(self._strings) else ""
        if kind == "b":
            return "FALSE" if said == "0" else "TRUE"
        return self._number(said, element.get("s")) if kind == "n" else cell(said)

    def _number(self, said: str, style: str | None) -> str:
        place = int(style) if style is not None and style.isdecimal() else 0
        show: Shown = self._formats[place] if place < len(self._formats) else general
        if show is general and said.isdecimal():
            return said
        try:
            return cell(show(float(said))) or said
        except (ValueError, OverflowError):
            return cell(said)


def _column(place: str) -> int:
    number = 0
    for letter in place.rstrip("0123456789").upper()[:3]:
        number = number * 26 + ord(letter) - 64
    return number


def _text(item: Element) -> str:
    """A string's text without the reading aids of Japanese."""
    return cell("".join(_runs(item)))


def _runs(item: Element) -> Iterator[str]:
    for element in item:
        if element.tag == "x:t":
            yield element.text or ""
        elif element.tag == "x:r":
            yield element.findtext("x:t") or ""
