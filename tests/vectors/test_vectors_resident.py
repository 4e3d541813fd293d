"""Pages of mapped files are let go of, and nothing that was written to them is."""

import mmap
import re
import sys
from pathlib import Path

import pytest

from muniment.vectors.engine.edge.resident import Mapped, Pages, mapped_bytes, release

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


def test_lists_of_keywords_are_brought_in_ahead(tmp_path: Path) -> None:
    lists, others = (tmp_path / "shard" / "segments" / "a" / name for name in ("inverted_index.dat", "matrix.dat"))
    lists.parent.mkdir(parents=True)
    pages = Pages(tmp_path / "shard")
    with mapped(lists) as inside, mapped(others):
        release(tmp_path)
        assert resident_kb(lists) == 0
        while not pages.complete:
            pages.bring()
        assert resident_kb(lists) == SIZE // 1024
        assert resident_kb(others) == 0
        release(tmp_path)
        pages.clear()
        assert not pages.complete
        inside.close()
        while not pages.complete:  # what is gone by then is nothing to bring
            pages.bring()


def test_what_is_mapped_is_let_go_of_once_it_is_much_for_the_points(tmp_path: Path) -> None:
    segment, log = tmp_path / "shard" / "segments" / "a", tmp_path / "log"
    segment.parent.mkdir(parents=True)
    points = 3
    bound = Mapped(tmp_path, lambda: points, least_bytes=SIZE // 2, bytes_a_point=SIZE // 2)
    bound.bound()  # what the process had before, libraries and all, is no longer counted
    with mapped(segment) as inside, mapped(log) as outside:
        inside[:] = outside[:] = b"x" * SIZE
        points = 5
        bound.bound()
        assert resident_kb(segment) == SIZE // 1024  # little, for so many
        points = 3
        bound.bound()
        assert resident_kb(segment) == 0
        before = mapped_bytes()
        assert inside[:] == b"x" * SIZE
        assert mapped_bytes() > before
        bound.bound()
        assert resident_kb(segment) == SIZE // 1024  # what was left in place is no reason
