"""A folder that is written to, copied in two passes: most of it at any time, the rest while nothing writes."""

import errno
import mmap
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import NamedTuple

_BLOCK_BYTES = 1_000_000
_CLOCK_NANOSECONDS = 1_000_000_000
"""How far the clock of a file system may be behind, and then some."""

_WRITES, _BETWEEN_WRITES_SECONDS = 3, 0.02


class _State(NamedTuple):
    """What tells that a file is another one, or has changed."""

    inode: int
    size: int
    blocks: int
    touched: int

    def grew_to(self, later: "_State") -> bool:
        """Whether it is still the same file and no part of it was given up."""
        return self.inode == later.inode and self.size <= later.size and self.blocks <= later.blocks


class Mirror:
    """The copy of one folder. Its passes take long and belong in a thread; `stop` ends one from another.

    Flush the folder before each. To write again to a mapped page that has not reached the disk leaves no trace in
    the file's time, so whatever was touched since the first pass began is compared byte by byte in the second; all
    of it is, where the file system never notes such writes, as one in memory.
    """

    def __init__(self, source: Path, copy: Path) -> None:
        self._source = source
        self._copy = copy
        self._since = time.time_ns() - _CLOCK_NANOSECONDS  # before the first flush, however late `take` begins
        self._states: dict[str, _State] = {}
        self._vanished = False
        self._stopped = Event()

    def take(self) -> None:
        """Copy what there is; some of it is torn, for it is written to."""
        self._copy.mkdir()
        if not _notes_mapped_writes(self._copy):
            self._since = 0
        self._folder(str(self._source), str(self._copy))

    def renew(self) -> None:
        """Copy what has changed since, while nothing writes but threads that rename and remove."""
        self._vanished = True
        while self._vanished and not self._stopped.is_set():
            self._vanished = False
            self._folder(str(self._source), str(self._copy))

    def stop(self) -> None:
        """End the pass that is under way; the copy is then worth nothing."""
        self._stopped.set()

    def _folder(self, source: str, copy: str) -> None:
        there = _entries(source)
        if not Path(copy).is_dir():
            Path(copy).mkdir()
        for name, entry in sorted(there.items()):
            if self._stopped.is_set():
                return
            try:
                if entry.is_dir():
                    self._folder(entry.path, f"{copy}/{name}")
                elif not self._has(f"{copy}/{name}", _state(entry.stat())):
                    self._file(entry.path, f"{copy}/{name}")
            except FileNotFoundError:
                self._vanished = True
        for name in _entries(copy).keys() - there.keys():
            _remove(Path(copy, name))

    def _has(self, copy: str, now: _State) -> bool:
        return now.touched < self._since and now == self._states.get(copy)

    def _file(self, source: str, copy: str) -> None:
        with _opened(source, os.O_RDONLY) as reading:
            now = _state(os.fstat(reading))  # of what is read, whatever has its name meanwhile
            before = self._states.get(copy)
            grew = before is not None and before.grew_to(now)
            how = os.O_RDWR | os.O_CREAT | (0 if grew else os.O_TRUNC)
            with _opened(copy, how) as writing:
                os.ftruncate(writing, now.size)
                for start, end in _filled(reading, now.size):
                    self._blocks(reading, writing, start, end, compared=grew)
        self._states[copy] = now

    def _blocks(self, reading: int, writing: int, start: int, end: int, *, compared: bool) -> None:
        for at in range(start, end, _BLOCK_BYTES):
            if self._stopped.is_set():
                return
            data = os.pread(reading, min(_BLOCK_BYTES, end - at), at)
            if compared and os.pread(writing, len(data), at) == data:
                continue
            left = memoryview(data)
            while left:
                written = os.pwrite(writing, left, at)
                left, at = left[written:], at + written  # noqa: PLW2901 - what one call leaves, the next writes


def _entries(folder: str) -> dict[str, os.DirEntry[str]]:
    with os.scandir(folder) as listing:
        return {entry.name: entry for entry in listing}


def _state(found: os.stat_result) -> _State:
    return _State(found.st_ino, found.st_size, found.st_blocks, found.st_mtime_ns)


@contextmanager
def _opened(path: str, how: int) -> Iterator[int]:
    file = os.open(path, how, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _filled(file: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a file that have been written to: most of the engine's files are made large, and empty."""
    end = 0
    while end < size:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError as nothing_more:
            if nothing_more.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(file, start, os.SEEK_HOLE)
        yield start, end


def _notes_mapped_writes(folder: Path) -> bool:
    """Whether the time of a file tells each time that a mapped page was written to and brought to the disk."""
    probe, times = folder / "probe", set()
    with probe.open("w+b") as file:
        file.truncate(mmap.PAGESIZE)
        with mmap.mmap(file.fileno(), 0) as mapped:
            for number in range(_WRITES):
                time.sleep(_BETWEEN_WRITES_SECONDS)
                mapped[0] = number
                mapped.flush()
                times.add(os.fstat(file.fileno()).st_mtime_ns)
    probe.unlink()
    return len(times) == _WRITES


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
