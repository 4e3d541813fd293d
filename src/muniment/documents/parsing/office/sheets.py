"""Workbooks: each sheet a section and a page, its rows as tables, its values as a person sees them."""

import re
from typing import cast

from muniment.documents.parsing.archive import opened
from muniment.documents.parsing.formats import MEDIA_TYPES
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.office.cell_values import formats
from muniment.documents.parsing.office.opc import Package, at, is_on
from muniment.documents.parsing.office.sheet_rows import rows, strings
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.parsing.tables import Grid
from muniment.documents.shapes.span import PageSpan

_UNNAMED = re.compile(r"(?:sheet|tabelle|feuil|hoja|foglio|blad|ark|лист|工作表|シート) ?1", re.IGNORECASE)


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
        parts = self._package.related(self._package.main, "sharedStrings")
        return strings(self._package.pieces(parts[0]), self._most) if parts else []

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
        for row in rows(self._package.pieces(part), self._strings, self._formats):
            if not last:
                self.growing.add("heading", name, level=1)
            if row.number > last + 1:
                grid.end()
            last = row.number
            grid.add(row.columns, row.texts)
        grid.end()
        if last:
            start = self.growing.blocks[before].start
            self.pages.append(PageSpan(number=number, start=start, end=self.growing.length))
