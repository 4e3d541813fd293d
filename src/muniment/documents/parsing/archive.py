"""ZIP containers (Office, EPUB): members are read in pieces, and what they really unpack to is bounded."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from zipfile import BadZipFile, ZipFile, ZipInfo

from muniment.documents.parsing.source import Source
from muniment.documents.shapes.problems import FileBroken, FileEncrypted, ParserLimit

MOST_MEMBERS = 20_000
_PIECE_BYTES = 65_536
_ENCRYPTED = 0x1
_DAMAGE = (BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, LZMAError)
"""What the standard library raises for archives that are broken in one way or another."""


class Archive:
    """The members of a container by name, letter case aside; made by `opened`.

    All that is read from it counts towards `limits.unpacked_bytes`, a member read twice twice.
    """

    def __init__(self, file: ZipFile, most_bytes: int) -> None:
        self._file, self._left, self._most = file, most_bytes, most_bytes
        self._members = {_plain(member.filename): member for member in file.infolist()}

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, as they are written."""
        return tuple(member.filename for member in self._members.values())

    def __contains__(self, name: str) -> bool:
        return _plain(name) in self._members

    def pieces(self, name: str) -> Iterator[bytes]:
        """The member's content, 64 KiB at a time.

        Raises FileBroken when it is damaged or not there, FileEncrypted, ParserLimit.
        """
        member = self._members.get(_plain(name))
        if member is None:
            raise FileBroken("a part is missing in the file; save it anew and upload that")
        if member.flag_bits & _ENCRYPTED:
            raise FileEncrypted("the file is protected by a password; upload an unprotected copy")
        try:
            yield from self._unpacked(member)
        except _DAMAGE as failed:
            raise FileBroken("a part of the file is damaged; save it anew and upload that") from failed

    def read(self, name: str) -> bytes:
        """All of the member's content. Raises what `pieces` raises."""
        return b"".join(self.pieces(name))

    def _unpacked(self, member: ZipInfo) -> Iterator[bytes]:
        with self._file.open(member) as content:
            while piece := content.read(_PIECE_BYTES):
                self._left -= len(piece)
                if self._left < 0:
                    megabytes = self._most // 1_000_000
                    raise ParserLimit(
                        f"the file unpacks to more than {megabytes:,} MB; split it into smaller ones",
                        limit="unpacked",
                    )
                yield piece


@contextmanager
def opened(source: Source) -> Iterator[Archive]:
    """The file as a container.

    Raises FileBroken, ParserLimit.
    """
    try:
        file = ZipFile(source.path)
    except _DAMAGE as failed:
        raise FileBroken("the file is a damaged or cut short archive; save it anew and upload that") from failed
    with file:
        if len(file.infolist()) > MOST_MEMBERS:
            raise ParserLimit(f"the file holds more than {MOST_MEMBERS:,} members; split it", limit="unpacked")
        yield Archive(file, source.limits.unpacked_bytes)


def _plain(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()
