"""What parsing and chunking give: values that cross the pipe from the child process.

Those of which a file may have a hundred thousand cross it sliced, and are objects only while they are in hand.
"""

import base64
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Base64Bytes, Field, JsonValue, PlainSerializer, TypeAdapter, WrapValidator

from muniment.documents.contract import ChunkKind, PageSpan, SectionSpan, Span
from muniment.documents.parsing.sliced import sliced
from muniment.kernel.model import Model
from muniment.kernel.settings import RoomSettings

BlockKind = Literal["heading", "paragraph", "list", "table", "code"]


class ParserSettings(RoomSettings):
    """The bounds of parsing; the room's own settings inherit them."""

    parser_processes: int = Field(default=2, ge=1, le=32, description="Files parsed at the same time.")
    parser_processes_most: int = Field(
        default=6, ge=1, le=64, description="Files parsed at the same time while slow ones hold up the others."
    )
    parser_seconds: float = Field(default=15, gt=0, description="The longest a small file's parsing may take.")
    parser_seconds_per_mb: float = Field(default=4, ge=0, description="What each MB of a file adds to that.")
    parser_seconds_most: float = Field(
        default=600, gt=0, description="The longest any file's parsing may take, text recognition included."
    )
    parser_memory_mb: int = Field(default=1024, ge=256, description="The most memory a parser may take, in MB.")
    parser_file_mb: int = Field(
        default=150, ge=1, description="The largest file of a format that is read as a whole (not PDF), in MB."
    )
    parser_output_mb: int = Field(
        default=128, ge=1, description="The most that a file may give: text, layout and attachments, in MB."
    )
    parser_text_characters: int = Field(
        default=20_000_000, ge=1000, description="The most text that is taken from one file, in characters."
    )
    parser_unpacked_mb: int = Field(
        default=500, ge=1, description="The most that an archive (Office, EPUB) may unpack to, in MB."
    )
    parser_nesting: int = Field(
        default=5, ge=1, le=32, description="How deep e-mails and archives may lie within one another."
    )
    parser_attachments: int = Field(default=100, ge=0, description="The most attachments taken from one e-mail.")
    parser_ocr_languages: str = Field(
        default="eng",
        pattern=r"^[A-Za-z_]+(\+[A-Za-z_]+)*$",
        description="The languages that Tesseract looks for in pictures and scans, joined by `+`: `eng+deu`.",
    )
    parser_ocr_seconds: float = Field(
        default=480, gt=0, le=540, description="The longest that reading the pictures of one file may take."
    )
    parser_pixels: int = Field(default=64_000_000, ge=1_000_000, description="The most pixels of one picture.")

    @property
    def limits(self) -> "Limits":
        """What binds the readers of formats themselves."""
        return Limits(
            file_bytes=self.parser_file_mb * 1_000_000,
            output_bytes=self.parser_output_mb * 1_000_000,
            text_characters=self.parser_text_characters,
            unpacked_bytes=self.parser_unpacked_mb * 1_000_000,
            nesting=self.parser_nesting,
            attachments=self.parser_attachments,
            ocr_languages=self.parser_ocr_languages,
            ocr_seconds=self.parser_ocr_seconds,
            pixels=self.parser_pixels,
        )

    def seconds_for(self, size_bytes: int) -> float:
        """How long a file, or a text, of that size may take before it asks for more."""
        grown = self.parser_seconds + self.parser_seconds_per_mb * size_bytes / 1_000_000
        return max(self.parser_seconds, min(grown, self.parser_seconds_most))


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
