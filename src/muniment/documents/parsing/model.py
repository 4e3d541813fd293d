"""What parsing and chunking give: values that cross the pipe from the child process.

Those of which a file may have a hundred thousand cross it sliced, and are objects only while they are in hand.
"""

import base64
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Base64Bytes, Field, JsonValue, PlainSerializer, TypeAdapter, WrapValidator

from muniment.documents.parsing.sliced import sliced
from muniment.documents.shapes.span import ChunkKind, PageSpan, SectionSpan, Span
from muniment.kernel.model import Model

BlockKind = Literal["heading", "paragraph", "list", "table", "code"]


class Limits(Model):
    """The bounds of one file's reading; going over one raises ParserLimit, whose `limit` names it."""

    file_bytes: int
    output_bytes: int
    text_characters: int
    unpacked_bytes: int
    nesting: int
    attachments: int
    ocr_languages: str
    ocr_seconds: float
    pixels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of the text that hangs together. Blocks are in order and do not overlap.

    `header` is the part of a table that stands in front of each of its chunks when they are embedded.
    """

    start: int
    end: int
    kind: BlockKind
    header: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Where a piece of the text is drawn: fractions of the page's width and height from its top left.

    `first` is the reader's own word on where to look for the piece again (for PDF, its first character's index).
    """

    start: int
    end: int
    page: int
    x0: float
    y0: float
    x1: float
    y1: float
    first: int | None = None


_PACKED = struct.Struct("<IIIqdddd")
_NOWHERE = -1


def _pack(lines: Sequence[Line]) -> str:
    """The lines as base64: a document has a hundred thousand, which take as JSON half a second to check."""
    pack = _PACKED.pack
    return base64.b64encode(
        b"".join(
            pack(a.start, a.end, a.page, _NOWHERE if a.first is None else a.first, a.x0, a.y0, a.x1, a.y1)
            for a in lines
        )
    ).decode()


def _unpack(said: Any, checked: Callable[[Any], tuple[Line, ...]]) -> tuple[Line, ...]:
    """The lines as they were packed, or as they are."""
    if not isinstance(said, str):
        return checked(said)
    packed = base64.b64decode(said, validate=True)
    if len(packed) % _PACKED.size:
        raise ValueError("a line is cut short")
    return tuple(
        Line(start=start, end=end, page=page, x0=x0, y0=y0, x1=x1, y1=y1, first=None if first < 0 else first)
        for start, end, page, first, x0, y0, x1, y1 in _PACKED.iter_unpack(packed)
    )


Lines = Annotated[tuple[Line, ...], WrapValidator(_unpack), PlainSerializer(_pack, str, when_used="json")]


Blocks = Annotated[Sequence[Block], *sliced(TypeAdapter(tuple[Block, ...]))]
Sections = Annotated[Sequence[SectionSpan], *sliced(TypeAdapter(tuple[SectionSpan, ...]))]


class Drawn(Model):
    """A part of a drawn line: `start` and `end` count in the line's own text, which `first` says where to find."""

    page: int
    first: int
    start: int
    end: int


class Boxes(Model):
    """The places of what was asked for, in order: fractions of a page from its top left (x0, y0, x1, y1)."""

    boxes: tuple[tuple[float, float, float, float], ...]


class Picture(Model):
    """A page as PNG."""

    png: Base64Bytes


class Attachment(Model):
    """A file that came within the file."""

    name: str
    media_type: str
    data: Base64Bytes


class Parsed(Model):
    """A file's text and structure; every span counts code points of `text`.

    Pages and sections are in order and do not overlap: a section reaches from its heading to the next one of
    any level, and text before the first heading lies in none. `fields` are known ones (`contract.Fields`, in
    JSON form), `metadata` what the file says beside them; the addresses it links to are `metadata["links"]`.
    """

    text: str
    media_type: str
    title: str | None = None
    language: str | None = None
    pages: tuple[PageSpan, ...] = ()
    sections: Sections = ()
    fields: dict[str, JsonValue] = Field(default={})
    metadata: dict[str, JsonValue] = Field(default={})
    blocks: Blocks = ()
    lines: Lines = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A passage that is searched: `text[start:end]`, not empty, no white space at its ends.

    `header` is that of the table that the chunk begins within: embedded in front of it, no part of its span.
    """

    index: int
    start: int
    end: int
    page: int | None
    section: tuple[str, ...]
    kind: ChunkKind
    parent: int
    header: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """What is read around a chunk; holds whole chunks."""

    index: int
    start: int
    end: int


class Chunked(Model):
    """The chunks of a text, in order, and their parents."""

    parents: Annotated[Sequence[Parent], *sliced(TypeAdapter(tuple[Parent, ...]))]
    chunks: Annotated[Sequence[Chunk], *sliced(TypeAdapter(tuple[Chunk, ...]))]
