"""What the parent asks of the child, and how frames look on their pipes.

Down goes a task: `REQUEST`, then JSON. Up comes, for each task, any number of `MORE_TIME` frames (a reader called
`Source.more_time`: from then on it has that long at least, within the settings' most), then one `ANSWER` or
`PROBLEM`.
"""

import struct
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from muniment.documents.parsing.model import Drawn, Parsed
from muniment.kernel.model import Model

REQUEST = struct.Struct(">I")
"""Length of the task that follows, as JSON."""

REPLY = struct.Struct(">IBI")
"""Length of what follows; which `Said` it is; the most memory that the child has held, in MB."""

SECONDS = struct.Struct(">d")
"""What follows a `MORE_TIME`."""


class Said(IntEnum):
    """What a frame from the child is."""

    ANSWER = 0
    PROBLEM = 1
    MORE_TIME = 2


class ParseTask(Model):
    """Parse the file at `path`; what it was called and is said to be are hints. `seconds` bounds the computing."""

    kind: Literal["parse"] = "parse"
    path: Path
    name: str | None
    media_type: str | None
    seconds: float


class ChunkTask(Model):
    """Chunk a text for the model whose tokenizer file this is."""

    kind: Literal["chunk"] = "chunk"
    parsed: Parsed
    title: str
    tokenizer: Path
    max_tokens: int
    recipe: str
    seconds: float


class RectanglesTask(Model):
    """Find the places of parts of lines in the PDF at `path`."""

    kind: Literal["rectangles"] = "rectangles"
    path: Path
    drawn: tuple[Drawn, ...]
    seconds: float


class PageTask(Model):
    """Draw a page of the file at `path`."""

    kind: Literal["page"] = "page"
    path: Path
    name: str | None
    media_type: str | None
    number: int
    width: int
    seconds: float


AnyTask = ParseTask | ChunkTask | RectanglesTask | PageTask
TASK: TypeAdapter[AnyTask] = TypeAdapter(Annotated[AnyTask, Field(discriminator="kind")])
