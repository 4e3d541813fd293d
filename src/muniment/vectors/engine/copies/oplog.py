"""The numbered log: what happens to a shard while its copy is being built, in files that are dropped once read.

It need not outlive a crash, which ends the build as well: the shard that is being copied has its own log.
"""

import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

from muniment.vectors.engine.processes.frames import Frame, decode, encode, frame_bytes

_FILE_BYTES = 16_000_000


class Position(NamedTuple):
    """A place between two operations."""

    file: int = 0
    offset: int = 0


class OperationLog:
    """The writing end."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._at = Position()
        self._file = _opened(folder, 0)

    @property
    def end(self) -> Position:
        """After the last operation."""
        return self._at

    def append(self, operation: Frame) -> None:
        """At once visible to a reader in another process. Raises OSError when the disk is full."""
        if self._at.offset >= _FILE_BYTES:
            following = _opened(self._folder, self._at.file + 1)
            os.close(self._file)
            self._file, self._at = following, Position(self._at.file + 1)
        left = memoryview(encode(operation))
        while left:
            written = _write(self._file, left)
            left = left[written:]
            self._at = Position(self._at.file, self._at.offset + written)

    def close(self) -> None:
        """No more operations."""
        os.close(self._file)


class LogReader:
    """The reading end, from a place on; it removes the files that are behind it."""

    def __init__(self, folder: Path, start: Position) -> None:
        self._folder = folder
        self._at = start
        self._file = self._open()

    @property
    def at(self) -> Position:
        """After the last operation that was read."""
        return self._at

    def next(self) -> Frame | None:
        """The next operation; none yet when it is not there in full."""
        complete = _path(self._folder, self._at.file + 1).exists()
        operation = self._read()
        if operation is None and complete:
            self._file.close()
            _path(self._folder, self._at.file).unlink()
            self._at = Position(self._at.file + 1)
            self._file = self._open()
            operation = self._read()
        return operation

    def close(self) -> None:
        """Leave the rest."""
        self._file.close()

    def _open(self) -> BinaryIO:
        file = _path(self._folder, self._at.file).open("rb")
        file.seek(self._at.offset)
        return file

    def _read(self) -> Frame | None:
        self._file.seek(self._at.offset)
        size = frame_bytes(self._file)
        if size is None or os.fstat(self._file.fileno()).st_size < self._at.offset + size:
            return None
        self._file.seek(self._at.offset)
        operation = decode(self._file.read(size))
        self._at = Position(self._at.file, self._at.offset + size)
        return operation


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06}"


def _opened(folder: Path, number: int) -> int:
    return os.open(_path(folder, number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _write(file: int, data: memoryview) -> int:
    return os.write(file, data)
