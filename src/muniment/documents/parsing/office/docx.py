"""Word documents: the text as it is printed, without what stands on every page."""

from collections.abc import Iterable, Iterator
from typing import cast
from xml.etree.ElementTree import Element

from muniment.documents.parsing.archive import opened
from muniment.documents.parsing.formats import MEDIA_TYPES
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.office.drawings import add_drawing
from muniment.documents.parsing.office.opc import Package, at, chosen, is_on, whole
from muniment.documents.parsing.office.word_styles import (
    Numbered,
    Numbering,
    Style,
    heading_level,
    list_place,
    styles,
)
from muniment.documents.parsing.office.word_text import Words
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.parsing.tables import add_table, cell

_WITHIN = {"w:sdt", "w:sdtContent", "w:ins", "w:moveTo", "w:customXml", "w:smartTag"}
_MOST_HEADING = 400
_CODE_MARKS = frozenset("{}()[];=<>$#|\\")


def parse_docx(source: Source) -> Parsed:
    """A .docx, .docm or .dotx.

    Raises FileBroken, FileEncrypted, ParserLimit.
    """
    with opened(source) as archive:
        package = Package(archive, "word/document.xml")
        reader = _Reader(package, Growing(source.limits.text_characters))
        for element in package.elements(package.main, 2):
            reader.block(element)
        fields, metadata = package.metadata()
    growing = reader.growing
    said = cast("str | None", fields.get("title"))
    first = growing.headings[0] if growing.headings else None
    title = reader.title or said or (first.title if first is not None and first.start == 0 else None)
    return Parsed(
        text=growing.text,
        media_type=MEDIA_TYPES["docx"],
        title=title,
        language=cast("str | None", fields.get("language")),
        sections=sections(growing.headings, growing.length),
        fields={**fields, "title": title} if title else fields,
        metadata=metadata,
        blocks=tuple(growing.blocks),
    )


class _Reader:
    """Adds the blocks of a document as they come."""

    def __init__(self, package: Package, growing: Growing) -> None:
        self.growing, self.title = growing, ""
        self._package = package
        self._words = Words()
        self._styles = styles(self._of("styles", 1))
        self._numbering = Numbering(self._of("numbering", 1))
        self._notes = {kind: self._noted(kind) for kind in ("footnote", "endnote")}
        self._told = 0
        self._open = ""

    def _of(self, kind: str, depth: int) -> Iterator[Element]:
        for part in self._package.related(self._package.main, kind):
            yield from self._package.elements(part, depth)

    def _noted(self, kind: str) -> dict[str, Element]:
        # Those of a type are the lines that part notes from the text.
        return {
            note.get("w:id", ""): note
            for note in self._of(f"{kind}s", 1)
            if note.get("w:type") in {None, "normal"}
        }

    def block(self, element: Element) -> None:
        """Add what stands in one element of the body, or of a cell or box."""
        if element.tag == "w:p":
            self._paragraph(element)
        elif element.tag == "w:tbl":
            self._table(element)
        elif element.tag in _WITHIN:
            for inner in element:
                self.block(inner)
        elif element.tag == "mc:AlternateContent":
            for inner in chosen(element) or ():
                self.block(inner)

    def _paragraph(self, paragraph: Element) -> None:
        properties = paragraph.find("w:pPr")
        named = properties.find("w:pStyle") if properties is not None else None
        style_id = named.get("w:val", "") if named is not None else ""
        style = self._styles.get(style_id, Style())
        text = self._words.read(paragraph)
        if text.strip() and not style.is_contents:
            self._add(properties, style, style_id, text)
        self._tied()

    def _add(self, properties: Element | None, style: Style, style_id: str, text: str) -> None:
        item = self._item(properties, style, style_id)
        outline = properties.find("w:outlineLvl") if properties is not None else None
        level = heading_level(outline) if outline is not None else style.level
        words = _lines(text)
        if level is not None and len(words) <= _MOST_HEADING:
            self._heading(level, " ".join(words.split()), item)
        elif style.is_code or self._is_listing(style, text):
            self._line("code", text.replace("\t", "    ").rstrip())
        elif item is not None:
            indent = "  " * item.depth
            self._line("list", f"{indent}{item.mark} {words}".replace("\n", f"\n{indent}  "))
        else:
            self.growing.add("paragraph", words)
            self._open = ""

    def _is_listing(self, style: Style, text: str) -> bool:
        """Whether the words are typed, and look like code; between two lines of code they need not."""
        if not (self._words.is_typed or style.is_monospaced):
            return False
        return self._open == "code" or bool(_CODE_MARKS.intersection(text))

    def _heading(self, level: int, words: str, item: Numbered | None) -> None:
        if level == 0 and not self.title:
            self.title = words
        numbered = f"{item.mark} {words}" if item is not None and not item.is_bullet else words
        self.growing.add("heading", numbered, level=level)
        self._open = ""

    def _line(self, kind: str, line: str) -> None:
        """A line of a list or of code, which goes on with the one before it."""
        if self._open == kind:
            self.growing.extend(line, "\n")
        else:
            self.growing.add("list" if kind == "list" else "code", line)
            self._open = kind

    def _item(self, properties: Element | None, style: Style, style_id: str) -> Numbered | None:
        numbering = properties.find("w:numPr") if properties is not None else None
        list_id, depth = style.list_id, style.list_level
        if numbering is not None:
            list_id, depth = list_place(numbering, style)
        if list_id is None:
            return None
        if numbering is None or numbering.find("w:ilvl") is None:
            depth = self._numbering.depth_of(style_id, list_id, depth)
        return self._numbering.item(list_id, depth)

    def _tied(self) -> None:
        """Add what is tied to the paragraph: boxes and drawings, and the notes it refers to."""
        boxes, self._words.boxes = self._words.boxes, []
        parts, self._words.parts = self._words.parts, []
        if boxes or parts:
            self._open = ""
        for box in boxes:
            for inner in box:
                self.block(inner)
        for part in parts:
            target = self._package.target(self._package.main, part)
            if target is not None:
                add_drawing(self.growing, self._package.tree(target))
        self._tell_notes()

    def _tell_notes(self) -> None:
        while self._told < len(self._words.notes):
            kind, note_id = self._words.notes[self._told]
            self._told += 1
            note = self._notes[kind].get(note_id)
            if note is not None:
                said = " ".join(_lines(self._words.read(paragraph)) for paragraph in note.iter("w:p")).strip()
                self.growing.add("paragraph", f"[{self._told}] {said}" if said else "")
                self._open = ""

    def _table(self, table: Element) -> None:
        self._open = ""
        rows = list(_rows(table))
        cells = [cell_ for row in rows for cell_ in _inner(row, "w:tc")]
        if len(cells) == 1 or any(self._is_heading(cell_) for cell_ in cells):
            for cell_ in cells:  # It only arranges the page.
                for inner in cell_:
                    self.block(inner)
            return
        grid = [self._row(row) for row in rows]
        told = 0
        while told < len(rows) and is_on(at(rows[told], "w:trPr/w:tblHeader")):
            told += 1
        add_table(self.growing, grid, told or None)
        self._tied()

    def _is_heading(self, cell_: Element) -> bool:
        names = (style.get("w:val", "") for style in cell_.iter("w:pStyle"))
        return any(self._styles.get(name, Style()).level is not None for name in names)

    def _row(self, row: Element) -> list[str]:
        cells: list[str] = []
        for cell_ in _inner(row, "w:tc"):
            span, merged = at(cell_, "w:tcPr/w:gridSpan"), at(cell_, "w:tcPr/w:vMerge")
            goes_on = merged is not None and merged.get("w:val", "continue") == "continue"
            cells.append("" if goes_on else cell(" ".join(self._in_cell(cell_))))
            width = whole(span.get("w:val"), 1) if span is not None else 1
            cells += [""] * (min(width, 64) - 1)
        return cells

    def _in_cell(self, cell_: Element) -> Iterator[str]:
        for element in cell_:
            if element.tag == "w:p":
                words = self._words.read(element)
                properties = element.find("w:pPr")
                named = properties.find("w:pStyle") if properties is not None else None
                style_id = named.get("w:val", "") if named is not None else ""
                item = (
                    self._item(properties, self._styles.get(style_id, Style()), style_id)
                    if words.strip()
                    else None
                )
                yield f"{item.mark} {words}" if item is not None else words
            elif element.tag == "w:tbl":
                lines = (", ".join(filter(None, self._row(row))) for row in _rows(element))
                yield "; ".join(filter(None, lines))
            elif element.tag in _WITHIN:
                yield from self._in_cell(element)


def _rows(table: Element) -> Iterator[Element]:
    return (row for row in _inner(table, "w:tr") if at(row, "w:trPr/w:del") is None)


def _inner(element: Element, name: str) -> Iterator[Element]:
    """The children of that name, also those within content controls and revisions."""
    for child in element:
        if child.tag == name:
            yield child
        elif child.tag in _WITHIN:
            yield from _inner(child, name)


def _lines(text: str) -> str:
    lines: Iterable[str] = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
