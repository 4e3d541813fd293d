"""What is read of one slide: its shapes in the order in which they lie, their paragraphs, tables and drawings."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from xml.etree.ElementTree import Element

from muniment.documents.parsing.office.equations import equation
from muniment.documents.parsing.office.opc import at, chosen, is_on, whole

_TITLES = {"title", "ctrTitle"}
_REPEATED = {"dt", "ftr", "hdr", "sldNum", "sldImg"}
_SHAPES = {"p:sp", "p:grpSp", "p:graphicFrame", "p:cxnSp"}
_BAND = 180_000
"""Shapes whose upper edges are less than half a centimetre apart stand beside each other."""

_PASSING = {"slidenum", "footer", "header"}
_MOST_DEPTH = 8

_TYPED = re.compile(r"(\d{1,3}[.)]|[-–•*])\s+")
"""A mark that the author typed."""

Place = tuple[int, int]


class Kind(NamedTuple):
    """Which place of its layout a shape fills."""

    type: str
    number: str


class Shape(NamedTuple):
    """A shape with its upper left corner; `kind` is None where it fills no place of the layout."""

    element: Element
    kind: Kind | None
    place: Place

    @property
    def is_title(self) -> bool:
        """Whether it is the slide's title."""
        return self.kind is not None and self.kind.type in _TITLES

    @property
    def is_body(self) -> bool:
        """Whether its paragraphs are points of a list unless they say otherwise."""
        return self.kind is not None and self.kind.type in {"body", "obj", ""}


class Paragraph(NamedTuple):
    """A paragraph; `mark` is drawn before it when it is a point of a list."""

    text: str
    depth: int
    mark: str


def shapes(slide: Element, layout: Mapping[Kind, Place]) -> list[Shape]:
    """The shapes that say something, title first, then from top to bottom and from left to right."""
    tree = at(slide, "p:cSld/p:spTree")
    found = list(_ordered(tree, layout)) if tree is not None else []
    return [shape for shape in found if shape.is_title] + [shape for shape in found if not shape.is_title]


def _ordered(group: Element, layout: Mapping[Kind, Place]) -> Iterator[Shape]:
    members = [_shape(element, layout) for element in _members(group)]
    members = [shape for shape in members if shape.kind is None or shape.kind.type not in _REPEATED]
    for shape in _bands(members):
        if shape.element.tag == "p:grpSp":
            yield from _ordered(shape.element, layout)
        else:
            yield shape


def _bands(members: list[Shape]) -> Iterator[Shape]:
    """From top to bottom, and from left to right what begins at about the same height."""
    band: list[Shape] = []
    for shape in sorted(members, key=lambda shape: shape.place[1]):
        if band and shape.place[1] - band[0].place[1] > _BAND:
            yield from sorted(band, key=lambda shape: shape.place[0])
            band = []
        band.append(shape)
    yield from sorted(band, key=lambda shape: shape.place[0])


def _members(group: Element) -> Iterator[Element]:
    for element in group:
        if element.tag in _SHAPES:
            yield element
        elif element.tag == "mc:AlternateContent":
            yield from _members(form) if (form := chosen(element)) is not None else ()


def _shape(element: Element, layout: Mapping[Kind, Place]) -> Shape:
    kind = _kind(element)
    return Shape(element, kind, _offset(element) or (layout.get(kind) if kind is not None else None) or (0, 0))


def _kind(element: Element) -> Kind | None:
    holder = next((at(element, path) for path in _HOLDERS if at(element, path) is not None), None)
    return Kind(holder.get("type", ""), holder.get("idx", "")) if holder is not None else None


_HOLDERS = ("p:nvSpPr/p:nvPr/p:ph", "p:nvGraphicFramePr/p:nvPr/p:ph", "p:nvPicPr/p:nvPr/p:ph")


def _offset(element: Element) -> Place | None:
    for path in ("p:spPr/a:xfrm/a:off", "p:grpSpPr/a:xfrm/a:off", "p:xfrm/a:off"):
        offset = at(element, path)
        if offset is not None:
            return whole(offset.get("x")), whole(offset.get("y"))
    return None


def places(layout: Element) -> dict[Kind, Place]:
    """Where a layout, or a master, has its places."""
    tree = at(layout, "p:cSld/p:spTree")
    found = [(_kind(element), _offset(element)) for element in _members(tree)] if tree is not None else []
    return {kind: place for kind, place in found if kind is not None and place is not None}


def paragraphs(body: Element | None, *, is_list: bool) -> Iterator[Paragraph]:
    """The paragraphs of a text body; `is_list`: they have bullets unless they say otherwise."""
    counts: Counter[int] = Counter()
    for paragraph in body.findall("a:p") if body is not None else ():
        text = line(paragraph)
        properties = paragraph.find("a:pPr")
        depth = min(max(whole(properties.get("lvl")) if properties is not None else 0, 0), _MOST_DEPTH)
        for deeper in [level for level in counts if level > depth]:
            del counts[deeper]
        if text:
            mark = _mark(properties, depth, counts, is_list=is_list)
            typed = _TYPED.match(text) if mark == "-" else None
            yield Paragraph(text[typed.end() :], depth, typed[1]) if typed else Paragraph(text, depth, mark)


def _mark(properties: Element | None, depth: int, counts: Counter[int], *, is_list: bool) -> str:
    said = {child.tag: child for child in properties} if properties is not None else {}
    if "a:buAutoNum" in said:
        if depth not in counts:
            counts[depth] = whole(said["a:buAutoNum"].get("startAt"), 1) - 1
        counts[depth] += 1
        return f"{counts[depth]}."
    counts.pop(depth, None)
    if "a:buNone" in said:
        return ""
    return "-" if is_list or "a:buChar" in said or "a:buBlip" in said else ""


def line(paragraph: Element) -> str:
    """A paragraph's words, with its line breaks."""
    said = "".join(_words(paragraph))
    return "\n".join(words for words in (" ".join(part.split()) for part in said.split("\n")) if words)


def _words(parent: Element) -> Iterator[str]:
    for element in parent:
        name = element.tag
        if name == "a:t":
            yield element.text or ""
        elif name == "a:br":
            yield "\n"
        elif name == "a:tab":
            yield " "
        elif name in {"m:oMath", "m:oMathPara"}:
            yield f" {equation(element)} "
        elif name == "mc:AlternateContent":
            form = chosen(element)
            yield from _words(form) if form is not None else ()
        elif name not in {"a:pPr", "a:rPr", "a:endParaRPr"} and element.get("type") not in _PASSING:
            yield from _words(element)


def cells(table: Element) -> list[list[str]]:
    """A table's cells; what is merged is said in the first of them."""
    return [
        [
            ""
            if _is_merged(cell)
            else " ".join(said.text for said in paragraphs(cell.find("a:txBody"), is_list=False))
            for cell in row.findall("a:tc")
        ]
        for row in table.findall("a:tr")
    ]


def _is_merged(cell: Element) -> bool:
    return any(name in cell.attrib and cell.get(name) not in {"0", "false"} for name in ("hMerge", "vMerge"))


def has_first_row(table: Element) -> bool:
    """Whether the table says that its first row is a header."""
    properties = table.find("a:tblPr")
    return properties is not None and "firstRow" in properties.attrib and is_on(properties, "firstRow")
