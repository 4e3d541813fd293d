"""A version's text, its places on the page, and its bytes."""

from pydantic import Field

from muniment.documents.shapes.document import OfVersion
from muniment.documents.shapes.span import PageSpan, SectionSpan
from muniment.kernel.model import Model


class DocumentText(Model):
    """The extracted text of a version; every span of it counts in this text."""

    version: int
    text: str
    pages: tuple[PageSpan, ...]
    sections: tuple[SectionSpan, ...]


class SpanOf(OfVersion):
    """[start, end) of a version's text."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Rectangle(Model):
    """A part of a page, in fractions of its width and height from its top left."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


class Rectangles(Model):
    """One for each drawn line, in the text's order; none where the format has no places."""

    rectangles: tuple[Rectangle, ...]


class PageOf(OfVersion):
    """A page of a version, from 1, and how wide its picture is to be, in pixels."""

    number: int = Field(ge=1)
    width: int = Field(default=1200, ge=64, le=4096)


class Content(Model):
    """The original bytes by reference: a key in the shared blob store."""

    blob: str
    name: str
    media_type: str
    size_bytes: int
