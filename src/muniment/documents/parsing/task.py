"""What the parent asks of the child, and how a frame looks on their pipes."""

import struct
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from muniment.documents.parsing.model import Parsed
from muniment.kernel.model import Model

REQUEST = struct.Struct(">I")
"""Length of the task that follows, as JSON."""

REPLY = struct.Struct(">I??")
"""Length of the JSON that follows; whether it is the answer or a problem; whether the child ends after it."""


class ParseTask(Model):
    """Parse the file at `path`; what it was called and is said to be are hints."""

    kind: Literal["parse"] = "parse"
    path: Path
    name: str | None
    media_type: str | None


class ChunkTask(Model):
    """Chunk a text for the model whose tokenizer file this is."""

    kind: Literal["chunk"] = "chunk"
    parsed: Parsed
    title: str
    tokenizer: Path
    max_tokens: int


Task = Annotated[ParseTask | ChunkTask, Field(discriminator="kind")]
TASK: TypeAdapter[ParseTask | ChunkTask] = TypeAdapter(Task)
