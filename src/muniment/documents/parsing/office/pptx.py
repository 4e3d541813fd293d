"""Presentations: each slide a page under its title, and what the speaker notes below it."""

from typing import cast
from xml.etree.ElementTree import Element

from muniment.documents.parsing.archive import opened
from muniment.documents.parsing.formats import MEDIA_TYPES
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.office.drawings import add_drawing
from muniment.documents.parsing.office.opc import Package, at, is_on
from muniment.documents.parsing.office.slide_text import (
    Kind,
    Place,
    Shape,
    cells,
    has_first_row,
    paragraphs,
    places,
    shapes,
)
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing
from muniment.documents.parsing.tables import add_table, cell
from muniment.documents.shapes.span import PageSpan, SectionSpan


def parse_pptx(source: Source) -> Parsed:
    """A .pptx, .pptm or .ppsx; hidden slides are read, too, and named in `metadata["hidden_slides"]`.

    Raises FileBroken, FileEncrypted, ParserLimit.
    """
    with opened(source) as archive:
        package = Package(archive, "ppt/presentation.xml")
        reader = _Reader(package, Growing(source.limits.text_characters))
        reader.read()
        fields, metadata = package.metadata()
    if reader.hidden:
        metadata["hidden_slides"] = list(reader.hidden)
    said = cast("str | None", fields.get("title"))
    title = said or (reader.sections[0].path[0] if reader.sections else None)
    return Parsed(
        text=reader.growing.text,
        media_type=MEDIA_TYPES["pptx"],
        title=title,
        language=cast("str | None", fields.get("language")),
        pages=tuple(reader.pages),
        sections=tuple(reader.sections),
        fields={**fields, "title": title} if title else fields,
        metadata=metadata,
        blocks=tuple(reader.growing.blocks),
    )


class _Reader:
    """Adds slide after slide."""

    def __init__(self, package: Package, growing: Growing) -> None:
        self.growing = growing
        self.pages: list[PageSpan] = []
        self.sections: list[SectionSpan] = []
        self.hidden: list[int] = []
        self._package = package
        self._layouts: dict[str, dict[Kind, Place]] = {}

    def read(self) -> None:
        """Add all slides, in their order."""
        ids = list(self._package.elements(self._package.main, 2))
        shown = [id_.get("r:id") for id_ in ids if id_.tag == "p:sldId"]
        for number, slide_id in enumerate(shown, 1):
            part = self._package.target(self._package.main, slide_id)
            if part is not None:
                self._slide(part, number)

    def _slide(self, part: str, number: int) -> None:
        before = len(self.growing.blocks)
        slide = self._package.tree(part)
        if "show" in slide.attrib and not is_on(slide, "show"):
            self.hidden.append(number)
        for shape in shapes(slide, self._layout(part)):
            self._shape(part, shape)
        added = self.growing.blocks[before:]
        for notes in self._package.related(part, "notesSlide"):
            self._notes(self._package.tree(notes))
        if len(self.growing.blocks) > before:
            start, end = self.growing.blocks[before].start, self.growing.length
            self.pages.append(PageSpan(number=number, start=start, end=end))
            if added and added[0].kind == "heading":
                self.sections.append(SectionSpan(start=start, end=end, path=(self.growing.headings[-1].title,)))

    def _layout(self, part: str) -> dict[Kind, Place]:
        for layout in self._package.related(part, "slideLayout"):
            if layout not in self._layouts:
                masters = self._package.related(layout, "slideMaster")
                known = places(self._package.tree(masters[0])) if masters else {}
                self._layouts[layout] = {**known, **places(self._package.tree(layout))}
            return self._layouts[layout]
        return {}

    def _shape(self, part: str, shape: Shape) -> None:
        body = shape.element.find("p:txBody")
        if shape.is_title:
            title = " ".join(said.text for said in paragraphs(body, is_list=False))
            self.growing.add("heading", " ".join(title.split()), level=1)
        elif body is not None:
            self._text(body, is_list=shape.is_body)
        else:
            self._frame(part, shape.element)

    def _text(self, body: Element | None, *, is_list: bool) -> None:
        said = list(paragraphs(body, is_list=is_list))
        items: list[str] = []
        for paragraph in said:
            # A single sentence in a body is no list.
            if paragraph.mark and (len(said) > 1 or paragraph.mark != "-"):
                indent = "  " * paragraph.depth
                items.append(f"{indent}{paragraph.mark} {paragraph.text}".replace("\n", f"\n{indent}  "))
                continue
            self.growing.add("list", "\n".join(items))
            items.clear()
            self.growing.add("paragraph", paragraph.text)
        self.growing.add("list", "\n".join(items))

    def _frame(self, part: str, frame: Element) -> None:
        data = at(frame, "a:graphic/a:graphicData")
        for content in data if data is not None else ():
            if content.tag == "a:tbl":
                rows = [[cell(said) for said in row] for row in cells(content)]
                add_table(self.growing, rows, 1 if has_first_row(content) else None)
            elif content.tag in {"c:chart", "dgm:relIds"}:
                target = self._package.target(part, content.get("r:id") or content.get("r:dm"))
                if target is not None:
                    add_drawing(self.growing, self._package.tree(target))

    def _notes(self, notes: Element) -> None:
        for shape in shapes(notes, {}):
            if shape.kind is not None and shape.kind.type == "body":
                self._text(shape.element.find("p:txBody"), is_list=False)
