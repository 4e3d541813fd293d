import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.documents.contract import (
    FileBroken,
    FileEmpty,
    FileEncrypted,
    FormatUnknown,
    NotText,
    ParserLimit,
)
from muniment.documents.parsing.model import ParserSettings
from muniment.documents.parsing.pool import Parsers, parsers
from muniment.kernel.problems import Problem, Unavailable

QUICK = ParserSettings(parser_seconds=20)


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note"
    path.write_text("# Note\n\nThe probe is warm.\n")
    return path


async def read(pool: Parsers, path: Path) -> str:
    return (await pool.parse(path, name="note.md", media_type=None)).text


async def test_files_are_parsed_and_chunked_in_one_child(note: Path, tokenizer_file: Path) -> None:
    async with parsers(QUICK) as pool:
        parsed = await pool.parse(note, name="note.md", media_type=None)
        first = pool._children[0]._process
        chunked = await pool.chunk(parsed, title="Note", tokenizer=tokenizer_file, max_tokens=256)
        assert pool._children[0]._process is first
    assert parsed.title == "Note"
    assert [(c.start, c.end, c.section) for c in chunked.chunks] == [(0, len(parsed.text.rstrip()), ("Note",))]


async def test_a_problem_of_the_child_is_raised_here(tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(b"PK\x03\x04")
    async with parsers(QUICK) as pool:
        with pytest.raises(FileBroken, match="archive"):
            await pool.parse(tmp_path / "zip", name="a.docx", media_type=None)
        with pytest.raises(Unavailable, match="No such file"):
            await pool.parse(tmp_path / "gone", name="a.txt", media_type=None)


async def test_a_file_that_takes_too_long_delays_no_other(tmp_path: Path, note: Path) -> None:
    slow = tmp_path / "slow.html"
    slow.write_text("<div>" * 2_000_000)
    async with parsers(ParserSettings(parser_seconds=1)) as pool:
        first = asyncio.create_task(pool.parse(slow, name="slow.html", media_type=None))
        second = asyncio.create_task(read(pool, note))
        with pytest.raises(ParserLimit, match="1 seconds") as caught:
            await first
        assert caught.value.extra["limit"] == "time"
        assert "warm" in await second


async def test_a_file_that_takes_too_much_memory(tmp_path: Path, note: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(2_000_000_000)
    async with parsers(ParserSettings(parser_memory_mb=512)) as pool:
        with pytest.raises(ParserLimit) as caught:
            await pool.parse(large, name="large.htm", media_type=None)
        assert caught.value.extra["limit"] == "memory"
        assert "warm" in await read(pool, note)


async def test_a_dead_child_is_replaced(note: Path) -> None:
    async with parsers(QUICK) as pool:
        await read(pool, note)
        process = pool._children[0]._process
        assert process is not None
        process.kill()
        assert "warm" in await read(pool, note)


async def test_a_child_that_dies_at_work_says_that_the_file_is_broken(tmp_path: Path, note: Path) -> None:
    pipe = tmp_path / "never"
    os.mkfifo(pipe)
    async with parsers(QUICK) as pool:
        task = asyncio.create_task(pool.parse(pipe, name="a.txt", media_type=None))
        # The pipe opens for writing when the child has opened it for reading.
        writer = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
        process = pool._children[0]._process
        assert process is not None
        process.send_signal(signal.SIGSEGV)
        with pytest.raises(FileBroken, match="failed on this file"):
            await task
        os.close(writer)
        assert "warm" in await read(pool, note)


async def test_a_cancelled_task_leaves_a_free_child(tmp_path: Path, note: Path) -> None:
    pipe = tmp_path / "never"
    os.mkfifo(pipe)
    async with parsers(QUICK) as pool:
        task = asyncio.create_task(pool.parse(pipe, name="a.txt", media_type=None))
        writer = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        os.close(writer)
        assert "warm" in await read(pool, note)


async def test_closing_ends_what_is_being_parsed(tmp_path: Path) -> None:
    pipe = tmp_path / "never"
    os.mkfifo(pipe)
    async with parsers(QUICK) as pool:
        task = asyncio.create_task(pool.parse(pipe, name="a.txt", media_type=None))
        writer = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
    with pytest.raises(Unavailable):
        await task
    os.close(writer)
    assert pool._children[0]._process is None


CONFINED = """
import socket, sys
from muniment.documents.parsing.confinement import confine
confine(2**31)
try:
    with open(sys.argv[1], "wb") as file:
        file.write(b"x")
except OSError:
    print("cannot write")
"""


def test_a_child_cannot_write(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, tmp_path / "x"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "cannot write\n"


PARENT = """
import asyncio, sys
from pathlib import Path
from muniment.documents.parsing.model import ParserSettings
from muniment.documents.parsing.pool import parsers

async def main():
    async with parsers(ParserSettings()) as pool:
        await pool.parse(Path(sys.argv[1]), name="a.md", media_type=None)
        print(pool._children[0]._process.pid, flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
def test_children_die_with_their_parent(note: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, note], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        ended, _, _ = select.select([child], [], [], 10)
        os.close(child)
        assert ended


EXPECTED: dict[str, tuple[type[Problem], ...]] = {
    "encrypted": (FileEncrypted,),
    "corrupt": (FileBroken, FileEmpty),
    "edge": (FileEmpty,),
    "xfa": (),
    "encoding": (NotText, FormatUnknown),
}


async def test_hostile_files_get_a_reason_and_harm_nothing(evaldata: Path, note: Path) -> None:
    folder = evaldata / "parsing_hostile"
    if not folder.is_dir():
        pytest.skip("the evaluation data parsing_hostile is not here")
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    async with parsers(QUICK) as pool:
        for row in rows:
            if row["kind"] not in EXPECTED or row["bytes"] > 100_000:
                continue
            try:
                await pool.parse(folder / "files" / row["file"], name=row["file"], media_type=None)
            except EXPECTED[row["kind"]]:
                continue
            assert row["kind"] != "encrypted"
        assert "warm" in await read(pool, note)
