"""Which pages of mapped files count as this process's memory."""

import ctypes
import sys
from pathlib import Path

_MADV_DONTNEED = 4
_MAPS = Path("/proc/self/maps")
_PATH_FIELD = 5
_SEGMENTS = "/segments/"


def release(folder: Path) -> None:
    """Let go of the pages of segments below `folder`: mapped files, shared with the system's cache.

    Nothing is lost: the cache keeps them, and gives back what is touched again. Segments are mapped and unmapped
    by the calling thread only; the log, which the engine's own thread maps, is left alone.
    """
    if sys.platform != "linux":
        return
    libc, below = ctypes.CDLL(None), f"{folder.resolve()}/"
    for mapped in _MAPS.read_text(errors="surrogateescape").splitlines():
        fields = mapped.split(maxsplit=_PATH_FIELD)
        if len(fields) <= _PATH_FIELD or not fields[1].endswith("s"):
            continue
        if fields[_PATH_FIELD].startswith(below) and _SEGMENTS in fields[_PATH_FIELD]:
            start, end = (int(place, 16) for place in fields[0].split("-"))
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)


def trim() -> None:
    """Give back to the system what this process has freed: half a gigabyte, of a shard of 100,000 points."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # the GNU C library has it, others have no need
    if give_back is not None:
        give_back(0)
