"""Places in a version's text: alone, since a parser's process starts with these and nothing else of the room."""

from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict

from muniment.kernel.model import Model

ChunkKind = Literal["body", "header", "code", "table", "list"]


class Span(Model):
    """[start, end) in Unicode code points of a version's text."""

    start: int
    end: int


class PageSpan(Span):
    """A page's span of the text."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionSpan:
    """A section's span of the text, with the headings that lead to it."""

    # No Model: a text may have a hundred thousand, and as models they would take five times the memory.
    __pydantic_config__ = ConfigDict(extra="forbid")

    start: int
    end: int
    path: tuple[str, ...]
