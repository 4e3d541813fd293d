"""A file that is to be parsed: where it is, what it is said to be, and the bounds its reading has."""

from functools import cached_property
from pathlib import Path

from muniment.documents.contract import ParserLimit
from muniment.documents.parsing.model import Limits
from muniment.documents.parsing.text import decode

HEAD_BYTES = 65_536
_BYTES_A_CHARACTER = 4


class Source:
    """What a format's reader is given. Large files are read by `path`, in pieces; `data` is for small formats."""

    def __init__(self, path: Path, *, name: str | None, media_type: str | None, limits: Limits) -> None:
        self.path, self.name, self.media_type, self.limits = path, name, media_type, limits

    @cached_property
    def size_bytes(self) -> int:
        """The file's length."""
        return self.path.stat().st_size

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB."""
        with self.path.open("rb") as file:
            return file.read(HEAD_BYTES)

    @cached_property
    def data(self) -> bytes:
        """All of the file."""
        return self.path.read_bytes()

    def text(self, declared: str | None = None) -> str:
        r"""The file as text, lines ending with `\n`; `declared` is the encoding that it says it is in.

        Raises NotText, ParserLimit.
        """
        if self.size_bytes > _BYTES_A_CHARACTER * self.limits.text_characters:
            raise too_much_text(self.limits.text_characters)
        text = decode(self.data, declared)
        if len(text) > self.limits.text_characters:
            raise too_much_text(self.limits.text_characters)
        return text


def too_much_text(most_characters: int) -> ParserLimit:
    """The problem of a file that holds more text than is taken."""
    return ParserLimit(
        f"the file holds more than {most_characters:,} characters of text; split it into smaller ones",
        limit="text",
    )
