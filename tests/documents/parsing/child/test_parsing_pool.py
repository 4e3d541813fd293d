import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError, model_validator

import muniment.documents.parsing.pool as pool_module
from muniment.documents.contract import FileBroken, ParserLimit
from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.child.process import Child
from muniment.documents.parsing.child.task import ParseTask
from muniment.documents.parsing.model import Chunked, Line, Parsed
from muniment.documents.parsing.pool import Parsers, parsers
from muniment.kernel.problems import Unavailable

QUICK = ParserSettings(parser_seconds=20)
EMPTY = Parsed(text="x", media_type="text/plain")


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note"
    path.write_text("# Note\n\nThe probe is warm.\n")
    return path


async def read(pool: Parsers, path: Path) -> str:
    return (await pool.parse(path, name="note.md", media_type=None)).text


async def hanging(pool: Parsers, note: Path, count: int) -> list[asyncio.Task[str]]:
    """So many readings, of which the first ones hang in the children that the pool usually has."""
    usual = pool._settings.parser_processes
    await asyncio.gather(*(read(pool, note) for _ in range(usual)))
    assert len(pool._children) == usual
    for child in pool._children:
        assert child.pid is not None
        os.kill(child.pid, signal.SIGSTOP)
    tasks = [asyncio.create_task(read(pool, note)) for _ in range(count)]
    while len(pool._files) < count - usual:  # noqa: ASYNC110 - the pool tells nobody who waits
        await asyncio.sleep(0.001)
    return tasks


async def test_files_are_parsed_and_chunked_in_one_child(note: Path, tokenizer_file: Path) -> None:
    async with parsers(QUICK) as pool:
        parsed = await pool.parse(note, name="note.md", media_type=None)
        first = [child.pid for child in pool._children]
        chunked = await pool.chunk(parsed, title="Note", tokenizer=tokenizer_file, max_tokens=256)
        assert [child.pid for child in pool._children] == first
    assert parsed.title == "Note"
    assert [(c.start, c.end, c.section) for c in chunked.chunks] == [(0, len(parsed.text.rstrip()), ("Note",))]


@given(
    st.lists(
        st.builds(
            Line,
            start=st.integers(0, 2**32 - 1),
            end=st.integers(0, 2**32 - 1),
            page=st.integers(1, 2**32 - 1),
            x0=st.floats(0, 1),
            y0=st.floats(0, 1),
            x1=st.floats(0, 1),
            y1=st.floats(0, 1),
            first=st.none() | st.integers(0, 2**62),
        )
    )
)
def test_lines_cross_the_pipe_as_they_are(lines: list[Line]) -> None:
    parsed = Parsed(text="x", media_type="text/plain", lines=tuple(lines))
    assert Parsed.model_validate_json(parsed.model_dump_json()) == parsed
    with pytest.raises(ValidationError, match="cut short"):
        Parsed.model_validate_json('{"text": "x", "media_type": "a", "lines": "AAAA"}')


async def test_others_are_served_while_a_large_answer_is_checked(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("The probe is warm.\n\n" * 200_000)
    threads: set[int] = set()

    class Noting(Parsed):
        @model_validator(mode="after")
        def note(self) -> "Noting":
            threads.add(threading.get_ident())
            return self

    async with parsers(ParserSettings(parser_seconds=60)) as pool:
        task = ParseTask(path=tmp_path / "large", name="a.txt", media_type=None, seconds=60)
        assert len((await pool._ask(task, Noting, pool._files)).text) == 4_000_000
    assert threading.get_ident() not in threads


async def test_a_problem_of_the_child_is_raised_here(tmp_path: Path) -> None:
    (tmp_path / "zip").write_bytes(b"PK\x03\x04")
    os.mkfifo(tmp_path / "pipe")
    async with parsers(QUICK) as pool:
        with pytest.raises(FileBroken, match="archive"):
            await pool.parse(tmp_path / "zip", name="a.docx", media_type=None)
        with pytest.raises(Unavailable, match="No such file"):
            await pool.parse(tmp_path / "gone", name="a.txt", media_type=None)
        with pytest.raises(FileBroken, match="no regular file"):
            await pool.parse(tmp_path / "pipe", name="a.txt", media_type=None)


async def test_a_file_that_takes_too_long(note: Path) -> None:
    async with parsers(ParserSettings(parser_seconds=1, parser_processes=1)) as pool:
        (task,) = await hanging(pool, note, 1)
        with pytest.raises(ParserLimit, match="longer than 1") as caught:
            await task
        assert caught.value.extra["limit"] == "time"
        assert "warm" in await read(pool, note)


async def test_files_that_hang_hold_up_no_others(note: Path) -> None:
    async with parsers(ParserSettings(parser_processes=2, parser_processes_most=5)) as pool:
        slow = await hanging(pool, note, 3)
        async with asyncio.timeout(14):
            good = await asyncio.gather(*(read(pool, note) for _ in range(20)))
        assert len(good) == 20
        hung = [task for task in slow if not task.done()]
        assert len(hung) == 2, "those in the children that were stopped, whichever these had"
        assert 3 <= len(pool._children) <= 4  # a slow start is taken for a slow file
        for task in hung:
            task.cancel()


async def test_what_is_parsed_is_chunked_while_every_parser_hangs(note: Path, tokenizer_file: Path) -> None:
    async with parsers(ParserSettings(parser_processes=1, parser_processes_most=2)) as pool:
        parsed = await pool.parse(note, name="note.md", media_type=None)
        slow = await hanging(pool, note, 2)
        async with asyncio.timeout(14):
            await pool.chunk(parsed, title="Note", tokenizer=tokenizer_file, max_tokens=256)
        assert not any(task.done() for task in slow)
        for task in slow:
            task.cancel()


async def test_idle_children_end_but_for_a_small_one(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "IDLE_SECONDS", 0.02)
    async with parsers(ParserSettings(parser_processes=3)) as pool:
        await asyncio.gather(*(read(pool, note) for _ in range(3)))
        while pool._sweep or pool._ending:  # noqa: ASYNC110 - nor when it rests
            await asyncio.sleep(0.01)
        (left,) = pool._children
        assert left.pid
        assert 0 < left.held_mb <= pool_module.SMALL_MB


async def test_a_file_that_takes_too_much_memory(tmp_path: Path, note: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(2_000_000_000)
    async with parsers(ParserSettings(parser_memory_mb=512, parser_file_mb=3000)) as pool:
        with pytest.raises(ParserLimit) as caught:
            await pool.parse(large, name="large.htm", media_type=None)
        assert caught.value.extra["limit"] == "memory"
        assert "warm" in await read(pool, note)


async def test_a_file_that_is_too_large_to_be_read_whole(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(2_000_000_000)
    async with parsers(QUICK) as pool:
        with pytest.raises(ParserLimit, match="150 MB") as caught:
            await pool.parse(large, name="large.htm", media_type=None)
    assert caught.value.extra["limit"] == "size"


async def test_a_file_that_gives_too_much(tmp_path: Path, note: Path) -> None:
    (tmp_path / "much").write_text("word " * 300_000)
    async with parsers(ParserSettings(parser_output_mb=1)) as pool:
        with pytest.raises(ParserLimit) as caught:
            await pool.parse(tmp_path / "much", name="much.txt", media_type=None)
        assert caught.value.extra["limit"] == "output"
        assert "warm" in await read(pool, note)


async def test_a_dead_child_is_replaced(note: Path) -> None:
    async with parsers(QUICK) as pool:
        await read(pool, note)
        pid = pool._children[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert "warm" in await read(pool, note)


async def hang(pool: Parsers, pipe: Path) -> tuple[asyncio.Task[Chunked], int]:
    """A task in a fresh child that waits for a pipe, and the pipe's end that it waits for."""
    os.mkfifo(pipe)
    task = asyncio.create_task(pool.chunk(EMPTY, title="", tokenizer=pipe, max_tokens=256))
    # The pipe opens for writing when the child has opened it for reading.
    return task, await asyncio.to_thread(os.open, pipe, os.O_WRONLY)


async def test_a_child_that_dies_at_work_says_that_the_file_is_broken(tmp_path: Path, note: Path) -> None:
    async with parsers(QUICK) as pool:
        task, writer = await hang(pool, tmp_path / "never")
        pid = pool._children[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGSEGV)
        with pytest.raises(FileBroken, match="failed on this file"):
            await task
        os.close(writer)
        assert "warm" in await read(pool, note)


async def test_a_cancelled_task_leaves_a_free_child(tmp_path: Path, note: Path) -> None:
    async with parsers(QUICK) as pool:
        task, writer = await hang(pool, tmp_path / "never")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        os.close(writer)
        assert "warm" in await read(pool, note)


async def test_closing_ends_what_is_being_parsed_and_what_waits(tmp_path: Path, note: Path) -> None:
    async with parsers(ParserSettings(parser_processes=1)) as pool:
        task, writer = await hang(pool, tmp_path / "never")
        waiting = asyncio.create_task(read(pool, note))
        await asyncio.sleep(0)
    for left in (task, waiting):
        with pytest.raises(Unavailable):
            await left
    os.close(writer)
    assert pool._children[0].pid is None


def test_time_grows_with_the_file() -> None:
    settings = ParserSettings(parser_seconds=10, parser_seconds_per_mb=4, parser_seconds_most=100)
    assert [settings.seconds_for(size) for size in (0, 5_000_000, 10**9)] == [10, 30, 100]


ASKING = """
import sys, time
from muniment.documents.parsing.child import __main__ as child
def slow(source):
    for _ in range(3):
        source.more_time(float(sys.argv[3]))
        time.sleep(0.3)
    print("noise " * 100_000)
    return child.boxes.__globals__["Boxes"](boxes=())
child.parse = slow
child.main(int(sys.argv[1]), child.Limits.model_validate_json(sys.argv[2]))
"""


async def asking(note: Path, monkeypatch: pytest.MonkeyPatch, asked: float, most: float) -> bytes:
    """What a child answers that works for 0.9 seconds, is given 0.5, and asks for so many."""
    start = asyncio.create_subprocess_exec

    async def other(python: str, *arguments: str, **options: object) -> asyncio.subprocess.Process:
        return await start(python, "-c", ASKING, *arguments[-2:], str(asked), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", other)
    child = Child(ParserSettings(parser_seconds=0.1, parser_seconds_most=most))
    task = ParseTask(path=note, name=None, media_type=None, seconds=0.5).model_dump_json().encode()
    try:
        return await child.ask(task, 0.5)
    finally:
        await child.end()


async def test_slow_work_may_ask_for_more_time(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await asking(note, monkeypatch, 1, 60) == b'{"boxes":[]}'


async def test_the_time_that_is_asked_for_has_a_bound(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParserLimit) as caught:
        await asking(note, monkeypatch, 60, 0.6)
    assert caught.value.extra["limit"] == "time"


CONFINED = """
import os, socket, sys
from muniment.documents.parsing.child.confinement import confine
path = sys.argv[1]
if user := int(sys.argv[3]):
    os.setgid(user)
    os.setuid(user)
confine(2**31)
def tell(what, do):
    try:
        do()
    except OSError:
        print("cannot", what)
def write():
    with open(path, "r+b") as file:
        file.write(b"x")
tell("write", write)
if sys.platform == "linux":
    tell("remove", lambda: os.remove(path))
    tell("make", lambda: os.mkdir(path + ".d"))
    tell("connect", lambda: socket.socket().connect(("127.0.0.1", int(sys.argv[2]))))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the confinement is Linux's")
@pytest.mark.parametrize("user", [0, 65_534])
def test_a_child_changes_nothing_and_reaches_nobody(tmp_path: Path, user: int) -> None:
    if os.getuid() and user:
        pytest.skip("only root may become another user")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        path = Path(tempfile.mkdtemp()) / "x" if user else tmp_path / "x"
        path.write_bytes(b"as it was")
        if user:
            os.chown(path.parent, user, user)
            os.chown(path, user, user)
        done = subprocess.run(
            [sys.executable, "-c", CONFINED, path, str(port), str(user)],
            capture_output=True,
            text=True,
            check=True,
        )
    assert path.read_bytes() == b"as it was"
    assert done.stdout.split("\n") == [
        "cannot write",
        "cannot remove",
        "cannot make",
        "cannot connect",
        "",
    ]


PARENT = """
import asyncio, sys
from pathlib import Path
from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.pool import parsers

async def main():
    async with parsers(ParserSettings()) as pool:
        await pool.parse(Path(sys.argv[1]), name="a.md", media_type=None)
        print(pool._children[0].pid, flush=True)
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
