"""What parsing and chunking give: values that cross the pipe from the child process."""

from typing import Literal

from pydantic import Field, JsonValue

from muniment.documents.contract import ChunkKind, PageSpan, SectionSpan, Span
from muniment.kernel.model import Model
from muniment.kernel.settings import RoomSettings

BlockKind = Literal["heading", "paragraph", "list", "table", "code"]


class ParserSettings(RoomSettings):
    """The bounds of parsing; the room's own settings inherit them."""

    parser_processes: int = Field(default=1, ge=1, le=32, description="Files parsed at the same time.")
    parser_seconds: float = Field(default=60, gt=0, description="The longest a file's parsing may take.")
    parser_memory_mb: int = Field(default=1024, ge=256, description="The most memory a parser may take, in MB.")
    parser_text_characters: int = Field(
        default=20_000_000, ge=1000, description="The most text that is taken from one file, in characters."
    )


class Block(Span):
    """A piece of the text that hangs together. Blocks are in order and do not overlap."""

    kind: BlockKind


class Parsed(Model):
    """A file's text and structure; every span counts code points of `text`.

    Pages and sections are in order and do not overlap: a section reaches from its heading to the next one of
    any level, and text before the first heading lies in none. `fields` are known ones (`contract.Fields`, in
    JSON form), `metadata` what the file says beside them.
    """

    text: str
    media_type: str
    title: str | None = None
    language: str | None = None
    pages: tuple[PageSpan, ...] = ()
    sections: tuple[SectionSpan, ...] = ()
    fields: dict[str, JsonValue] = Field(default={})
    metadata: dict[str, JsonValue] = Field(default={})
    blocks: tuple[Block, ...] = ()


class Chunk(Model):
    """A passage that is searched: `text[start:end]`, not empty, no white space at its ends."""

    index: int
    start: int
    end: int
    page: int | None
    section: tuple[str, ...]
    kind: ChunkKind
    parent: int


class Parent(Model):
    """What is read around a chunk; holds whole chunks."""

    index: int
    start: int
    end: int


class Chunked(Model):
    """The chunks of a text, in order, and their parents."""

    parents: tuple[Parent, ...]
    chunks: tuple[Chunk, ...]
