"""Pages of mapped files are let go of, and nothing that was written to them is."""

import mmap
import re
import sys
from pathlib import Path

import pytest

from muniment.vectors.engine.resident import release

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is only told by the page under Linux")
SIZE = 1 << 20


def resident_kb(path: Path) -> int:
    told = Path("/proc/self/smaps").read_text()
    return int(re.findall(rf" {re.escape(str(path))}\n(?:.*\n)*?Rss: +(\d+) kB", told)[0])


def mapped(path: Path) -> mmap.mmap:
    path.write_bytes(bytes(SIZE))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), SIZE)


def test_written_pages_are_let_go_of_and_come_back(tmp_path: Path) -> None:
    segment, log = tmp_path / "shard" / "segments" / "a", tmp_path / "shard" / "log"
    segment.parent.mkdir(parents=True)
    with mapped(segment) as inside, mapped(log) as outside:
        for file in (inside, outside):
            file[:] = b"x" * SIZE
        assert resident_kb(segment) == SIZE // 1024
        release(tmp_path)
        assert resident_kb(segment) == 0
        assert resident_kb(log) == SIZE // 1024
        assert inside[:] == outside[:] == b"x" * SIZE
        assert segment.read_bytes() == b"x" * SIZE
