"""A file that is to be parsed: where it is, what it is said to be, and the bounds its reading has."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from muniment.documents.parsing.decoding import decode
from muniment.documents.parsing.model import Limits
from muniment.documents.shapes.problems import ParserLimit

HEAD_BYTES = 65_536
_PIECE_BYTES = 1_048_576
_MOST_PIECES = 64
_TAIL_BYTES = 2048
_BYTES_A_CHARACTER = 4


def _unasked(seconds: float) -> None:
    """Nobody waits with a clock in the hand."""


class Source:
    """What a format's reader is given. Large files are read by `path`, in pieces; `data` is for small formats."""

    def __init__(
        self,
        path: Path,
        *,
        name: str | None,
        media_type: str | None,
        limits: Limits,
        more_time: Callable[[float], None] = _unasked,
    ) -> None:
        self.path, self.name, self.media_type, self.limits = path, name, media_type, limits
        self.more_time = more_time
        """Ask, before slow work, to have so many seconds from now at least; the settings bound the whole."""

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
    def tail(self) -> bytes:
        """The last 2 KiB."""
        with self.path.open("rb") as file:
            file.seek(max(self.size_bytes - _TAIL_BYTES, 0))
            return file.read(_TAIL_BYTES)

    def holds(self, needle: bytes) -> bool:
        """Whether these bytes stand in the file's first 64 MiB."""
        before = b""
        with self.path.open("rb") as file:
            for _ in range(_MOST_PIECES):
                piece = file.read(_PIECE_BYTES)
                if needle in before + piece:
                    return True
                before = piece[-len(needle) :]
        return False

    def is_blank(self) -> bool:
        """Whether the file holds nothing but white space."""
        with self.path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                if piece.strip():
                    return False
        return True

    @cached_property
    def data(self) -> bytes:
        """All of the file.

        Raises ParserLimit.
        """
        self.bound()
        return self.path.read_bytes()

    def bound(self) -> None:
        """Raises ParserLimit for a file that is larger than one of which everything is kept may be."""
        if self.size_bytes > self.limits.file_bytes:
            raise ParserLimit(
                f"the file is larger than {self.limits.file_bytes // 1_000_000} MB, the most that is read of its "
                "type; split it into smaller ones",
                limit="size",
            )

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


def too_much_output(most_mb: int) -> ParserLimit:
    """The problem of a file that gives more than is taken."""
    return ParserLimit(
        f"the file gives more than {most_mb} MB of text, layout and attachments; split it into smaller ones",
        limit="output",
    )
