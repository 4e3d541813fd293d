"""Which pages of mapped files count as this process's memory."""

import ctypes
import mmap
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_MADV_WILLNEED, _MADV_DONTNEED, _MADV_POPULATE_READ = 3, 4, 22
_MAPS = Path("/proc/self/maps")
_PATH_FIELD = 5
_SEGMENTS = "/segments/"

_SEARCHED = (("/inverted_index.dat", _MADV_POPULATE_READ), ("/vector_storage-dense/", _MADV_WILLNEED))
"""What each search reads here and there: the lists of keywords, and of 1,000 points the original vectors.

The lists become this process's memory, as they do by searches; the vectors come into the system's cache only.
"""

_MOST_BYTES = 1_000_000_000
_STEP_BYTES = 4_000_000
"""Half a millisecond, and some 20 where it comes from a disk: a question waits no longer."""

_COUNTS = Path("/proc/self/statm")
_COUNT_OF_FILES = 2
_LEAST_BYTES = 1_000_000_000
_BYTES_A_POINT = 1_800
"""So much of mapped files may count as this process's: not all lists of keywords, of 2 kB a point, at once.

A million points then take 2.6 GB instead of 3.5 to 4, and a search a sixth more CPU at the most, for pages that it
finds in the cache.
"""


def release(folder: Path) -> None:
    """Let go of the pages of segments below `folder`: mapped files, shared with the system's cache.

    Nothing is lost: the cache keeps them, and gives back what is touched again. Segments are mapped and unmapped
    by the calling thread only; the log, which the engine's own thread maps, is left alone.
    """
    if sys.platform != "linux":
        return
    for start, end, _ in _segments(folder):
        _advise(start, end, _MADV_DONTNEED)


class Pages:
    """What searches of one shard go through, brought into memory before they ask: in steps, while nobody does.

    Nothing, where it is more than a gigabyte, or the system is not Linux 5.14 or later. What `Mapped` lets go of,
    because all shards' pages are too many, is not brought again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clear()

    def clear(self) -> None:
        """After the writes that let go of them: all are brought anew."""
        self._left: list[tuple[int, int, int]] | None = None

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to bring."""
        return self._left == []

    def bring(self) -> None:
        """A little more."""
        if self._left is None:
            self._left = self._steps()
        elif self._left:
            _advise(*self._left.pop())

    def _steps(self) -> list[tuple[int, int, int]]:
        if sys.platform != "linux":
            return []
        files = [
            (start, end, advice)
            for start, end, path in _segments(self._folder)
            for part, advice in _SEARCHED
            if part in path
        ]
        if sum(end - start for start, end, _ in files) > _MOST_BYTES:
            return []
        return [
            (at, min(at + _STEP_BYTES, end), advice)
            for start, end, advice in files
            for at in range(start, end, _STEP_BYTES)
        ]


def _segments(folder: Path) -> Iterator[tuple[int, int, str]]:
    """Where files of segments below `folder` are mapped, and their paths."""
    below = f"{folder.resolve()}/"
    for mapped in _MAPS.read_text(errors="surrogateescape").splitlines():
        fields = mapped.split(maxsplit=_PATH_FIELD)
        if len(fields) <= _PATH_FIELD or not fields[1].endswith("s"):
            continue
        if fields[_PATH_FIELD].startswith(below) and _SEGMENTS in fields[_PATH_FIELD]:
            start, end = (int(place, 16) for place in fields[0].split("-"))
            yield start, end, fields[_PATH_FIELD]


def _advise(start: int, end: int, advice: int) -> None:
    """Take it or leave it: what is no longer mapped, or too new an advice, changes nothing."""
    ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), advice)


def mapped_bytes() -> int:
    """How much of mapped files, shared libraries among them, counts as this process's; 0 where nothing tells."""
    if sys.platform != "linux":
        return 0
    return int(_COUNTS.read_text().split()[_COUNT_OF_FILES]) * mmap.PAGESIZE


class Mapped:
    """Pages of segments below `folder`, let go of when they are too many for the points that there are."""

    def __init__(
        self,
        folder: Path,
        points: Callable[[], int],
        *,
        least_bytes: int = _LEAST_BYTES,
        bytes_a_point: int = _BYTES_A_POINT,
    ) -> None:
        self._folder = folder
        self._points = points
        self._least_bytes = least_bytes
        self._bytes_a_point = bytes_a_point
        self._left = 0

    def bound(self) -> None:
        """Look, and let go, for up to 0.14 s, between two calls. What `release` leaves is not looked at again."""
        now = mapped_bytes()
        self._left = min(self._left, now)
        came = now - self._left
        if came > self._least_bytes and came > self._bytes_a_point * self._points():
            release(self._folder)
            self._left = mapped_bytes()


def trim() -> None:
    """Give back to the system what this process has freed: half a gigabyte, of a shard of 100,000 points."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # the GNU C library has it, others have no need
    if give_back is not None:
        give_back(0)
