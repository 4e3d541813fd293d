import asyncio
import ctypes
import sqlite3
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from kit.migrations import assert_migrations_match
from kit.rooms import LINES, METADATA, MIGRATIONS, open_ledger
from muniment.kernel import sqlite
from muniment.kernel.database import Damaged, ReadOnly, after_commit, open_database
from muniment.kernel.migrations import NewerVersion, revisions
from muniment.kernel.problems import Invalid, Unavailable

STATUS = Path("/proc/self/status")


async def test_ten_read_modify_writes_at_once_give_ten(database_url):
    async with open_ledger(database_url) as ledger:
        async with ledger.database.write() as connection:
            await connection.execute(insert(LINES), {"name": "a", "amount": 0})

        async def add_one():
            async with ledger.database.write() as connection:
                row = select(LINES.c.amount).with_for_update()
                amount = await connection.scalar(row)
                await asyncio.sleep(0)
                await connection.execute(update(LINES).values(amount=amount + 1))

        await asyncio.gather(*(add_one() for _ in range(10)))
        async with ledger.database.read() as connection:
            assert await connection.scalar(select(LINES.c.amount)) == 10


async def test_a_read_sees_one_snapshot(database_url):
    async with open_ledger(database_url) as ledger:
        count = select(func.count()).select_from(LINES)
        async with ledger.database.read() as reading:
            assert await reading.scalar(count) == 0
            async with ledger.database.write() as writing:
                await writing.execute(insert(LINES), {"name": "a", "amount": 1})
            assert await reading.scalar(count) == 0
        async with ledger.database.read() as reading:
            assert await reading.scalar(count) == 1


async def test_reads_in_turn_share_a_connection_that_knows_the_file(sqlite_url):
    async with open_ledger(sqlite_url) as ledger:

        async def reader() -> int:
            async with ledger.database.read() as connection:
                await connection.scalar(select(func.count()).select_from(LINES))
                return id((await connection.get_raw_connection()).driver_connection)

        assert len(set(await asyncio.gather(*(reader() for _ in range(8))))) > 1
        assert len({await reader() for _ in range(6)}) == 1


async def test_migrations_match(database_url):
    await assert_migrations_match(METADATA, MIGRATIONS, database_url)


def only_first(tmp_path):
    """The migrations as they were before the second one."""
    versions = tmp_path / "older" / "versions"
    versions.mkdir(parents=True)
    (versions / "0001_first.py").write_bytes((MIGRATIONS / "versions" / "0001_first.py").read_bytes())
    return versions.parent


async def test_a_schema_that_is_behind_is_brought_up_and_keeps_its_rows(database_url, tmp_path):
    older = only_first(tmp_path)
    async with (
        open_database(database_url, room="ledger", migrations=older) as database,
        database.write() as connection,
    ):
        await connection.execute(text("INSERT INTO lines (id, name, amount) VALUES (1, 'old', 5)"))
    async with open_ledger(database_url) as ledger, ledger.database.read() as connection:
        row = (await connection.execute(select(LINES))).one()
    assert (row.name, row.amount, row.extra) == ("old", 5, None)


async def test_a_newer_schema_is_refused_and_left_alone(database_url, tmp_path):
    async with open_ledger(database_url):
        pass
    with pytest.raises(NewerVersion, match=r"revision 0002.*up to 0001"):
        async with open_database(database_url, room="ledger", migrations=only_first(tmp_path)):
            pass
    async with open_ledger(database_url) as ledger, ledger.database.read() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "0002"


async def test_a_migration_that_fails_leaves_nothing_behind(database_url, tmp_path):
    migrations = only_first(tmp_path)
    (migrations / "versions" / "0002_broken.py").write_text(
        "from alembic import op\nrevision, down_revision = '0002', '0001'\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (id INTEGER)')\n    1 / 0\n"
    )
    with pytest.raises(ZeroDivisionError):
        async with open_database(database_url, room="ledger", migrations=migrations):
            pass
    (migrations / "versions" / "0002_broken.py").unlink()
    async with open_database(database_url, room="ledger", migrations=migrations) as database:
        with pytest.raises(DBAPIError, match="half"):
            async with database.read() as connection:
                await connection.execute(text("SELECT * FROM half"))


async def test_those_that_open_at_once_migrate_once(database_url):
    await asyncio.gather(*(open_and_close(database_url) for _ in range(4)))
    async with open_ledger(database_url) as ledger, ledger.database.read() as connection:
        found = await connection.execute(text("SELECT version_num FROM alembic_version"))
        assert found.scalars().all() == revisions(MIGRATIONS)[-1:]


async def test_a_journal_that_another_one_holds_is_waited_for_and_no_longer(tmp_path, monkeypatch):
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("CREATE TABLE kept (id)")
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.1, other.execute, "COMMIT")
    await open_and_close(f"sqlite:///{tmp_path}")
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    began, threads = time.monotonic(), set(threading.enumerate())
    with pytest.raises(Unavailable):
        await open_and_close(f"sqlite:///{tmp_path}")
    assert time.monotonic() - began < 5
    other.close()
    for left in set(threading.enumerate()) - threads:  # one that answers a loop which is closed by then fails
        await asyncio.to_thread(left.join, 5)


async def open_and_close(url):
    async with open_ledger(url):
        pass


async def test_times_and_json_come_back_as_they_went(database_url):
    summer = datetime(2026, 7, 1, 12, 0, 0, 123456, timezone(timedelta(hours=2)))
    times = [summer, summer + timedelta(microseconds=1), datetime(2026, 7, 1, 10, 30, tzinfo=UTC)]
    extra = {"a": [1, 2.5, None, "ü"], "b": {}}
    async with open_ledger(database_url) as ledger:
        async with ledger.database.write() as connection:
            for number, at in enumerate(times):
                row = {"name": str(number), "amount": number, "noted_at": at, "extra": extra}
                await connection.execute(insert(LINES), row)
        async with ledger.database.read() as connection:
            found = (await connection.execute(select(LINES).order_by(LINES.c.noted_at))).all()
            later = select(func.count()).select_from(LINES).where(LINES.c.noted_at > summer)
            assert await connection.scalar(later) == 2
        assert [row.noted_at for row in found] == sorted(times)
        assert found[0].noted_at.utcoffset() == timedelta(0)
        assert found[0].extra == extra
        with pytest.raises(StatementError, match="without zone"):
            async with ledger.database.write() as connection:
                await connection.execute(update(LINES).values(noted_at=summer.replace(tzinfo=None)))


async def test_nothing_is_written_in_a_read_or_a_failed_write(database_url):
    line = insert(LINES).values(name="a", amount=1)
    called = []
    async with open_ledger(database_url) as ledger:
        with pytest.raises((ReadOnly, DBAPIError)):
            async with ledger.database.read() as connection:
                await connection.execute(line)
        with pytest.raises(IntegrityError):
            async with ledger.database.write() as connection:
                after_commit(connection, lambda: called.append("failed"))
                await connection.execute(line)
                await connection.execute(line)
        task = asyncio.create_task(write_and_hang(ledger.database, line))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with ledger.database.write() as connection:
            assert await connection.scalar(select(func.count()).select_from(LINES)) == 0
            after_commit(connection, lambda: called.append("committed"))
    assert called == ["committed"]


async def write_and_hang(database, statement):
    async with database.write() as connection:
        await connection.execute(statement)
        await asyncio.Event().wait()


async def test_every_reader_may_be_cancelled_in_the_middle(database_url):
    async with open_ledger(database_url) as ledger:

        async def read():
            async with ledger.database.read() as connection:
                for _ in range(1000):
                    await connection.execute(select(LINES))

        for _ in range(3):
            tasks = [asyncio.create_task(read()) for _ in range(20)]
            await asyncio.sleep(0.02)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(5), ledger.database.read() as connection:
            assert (await connection.execute(select(LINES))).all() == []


async def test_another_writer_that_stays_is_unavailable(sqlite_url, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    async with open_ledger(sqlite_url) as one, open_ledger(sqlite_url) as other:
        async with one.database.write() as connection:
            await connection.execute(select(LINES))
            with pytest.raises(Unavailable, match="locked"):
                async with other.database.write() as waiting:
                    await waiting.execute(select(LINES))
        async with other.database.write() as connection:
            await connection.execute(insert(LINES), {"name": "a", "amount": 1})


@pytest.mark.skipif(not STATUS.exists(), reason="looks at /proc")
async def test_what_was_written_is_not_held(sqlite_url):
    """A statement that is kept holds the values that it ran with last: a large text, until the next one comes."""
    async with open_ledger(sqlite_url) as ledger:
        async with ledger.database.write() as connection:
            await connection.execute(insert(LINES), {"name": "a", "amount": 1})
        before = held_mb()
        async with ledger.database.write() as connection:
            await connection.execute(insert(LINES), {"name": "b" * 40_000_000, "amount": 1})
        assert held_mb() - before < 20


def held_mb():
    ctypes.CDLL(None).malloc_trim(0)  # what is free already does not count
    return (
        next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmRSS")) / 1024
    )


async def test_what_is_no_database(sqlite_url, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.db").write_bytes(b"This is no database at all." * 100)
    with pytest.raises(Damaged, match="backup"):
        await open_and_close(sqlite_url)
    with pytest.raises(ReadOnly, match="cannot be made"):
        await open_and_close(f"{sqlite_url}/ledger.db")
    for url in ("nonsense", "mysql://host/x", "sqlite:///relative"):
        with pytest.raises(Invalid):
            await open_and_close(url)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await open_and_close(f"postgresql://nobody@/?host={tmp_path}")
    for thread in threading.enumerate():  # of connections that came to nothing, which would outlive the loop
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 10)


async def test_a_full_disk_is_unavailable(sqlite_url):
    async with open_ledger(sqlite_url) as ledger:
        with pytest.raises(Unavailable, match="full"):
            async with ledger.database.write() as connection:
                await connection.execute(text("PRAGMA max_page_count=1"))
                for number in range(100):
                    await connection.execute(insert(LINES), {"name": f"{number}" * 500, "amount": 1})


async def test_alembic_is_not_imported_when_there_is_nothing_to_do(sqlite_url):
    await open_and_close(sqlite_url)
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from muniment.kernel.database import open_database\n"
        "async def main():\n"
        f"    async with open_database({sqlite_url!r}, room='ledger', migrations=Path({str(MIGRATIONS)!r})):\n"
        "        pass\n"
        "asyncio.run(main()); sys.exit('alembic' in sys.modules)"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    assert await child.wait() == 0


async def test_a_mark_moves_with_every_change_and_with_nothing_else(database_url):
    async with open_ledger(database_url) as ledger:
        async with ledger.database.write() as writing:
            await writing.execute(insert(LINES), {"name": "first", "amount": 1})
        for _ in range(100):  # in PostgreSQL it moves with what other tests write as well
            before = await ledger.database.mark()
            async with ledger.database.read() as reading:
                await reading.scalar(select(func.count()).select_from(LINES))
            if await ledger.database.mark() == before:
                break
        else:
            pytest.fail("to read moves it")
        if ledger.database.dialect == "sqlite":  # PostgreSQL counts every transaction that might have written
            async with ledger.database.write() as looking:
                await looking.execute(update(LINES).where(LINES.c.name == "nobody").values(amount=2))
            assert await ledger.database.mark() == before
        async with ledger.database.write() as writing:
            await writing.execute(insert(LINES), {"name": "a", "amount": 1})
        assert await ledger.database.mark() != before


async def test_a_mark_moves_after_a_change_that_was_rolled_back(sqlite_url):
    async with open_ledger(sqlite_url) as ledger:
        with suppress(LookupError):
            async with ledger.database.write() as writing:
                await writing.execute(insert(LINES), {"name": "a", "amount": 1})
                raise LookupError
        marks = [await ledger.database.mark()]
        async with ledger.database.write() as writing:
            await writing.execute(update(LINES).values(amount=2))
        marks.append(await ledger.database.mark())
        async with ledger.database.write() as writing:
            await writing.execute(insert(LINES), {"name": "b", "amount": 1})
        assert await ledger.database.mark() not in marks


async def test_a_mark_moves_on_a_new_connection_that_counts_from_the_start(sqlite_url):
    async with open_ledger(sqlite_url) as ledger:
        marks = []
        for name in ("a", "b", "c"):
            with suppress(LookupError):
                async with ledger.database.write() as lost:
                    await lost.execute(select(LINES))
                    await lost.invalidate()
                    raise LookupError
            async with ledger.database.write() as writing:
                await writing.execute(insert(LINES), {"name": name, "amount": 1})
            marks.append(await ledger.database.mark())
        assert len(set(marks)) == len(marks)


async def test_a_mark_moves_when_who_commits_is_cancelled(database_url):
    async with open_ledger(database_url) as ledger:
        marks = [await ledger.database.mark()]

        async def write():
            async with ledger.database.write() as connection:
                await connection.execute(insert(LINES), {"name": "a", "amount": 1})
                asyncio.get_running_loop().call_soon(task.cancel)

        task = asyncio.ensure_future(write())
        with pytest.raises(asyncio.CancelledError):
            await task
        marks.append(await ledger.database.mark())
        async with ledger.database.read() as reading:
            written = await reading.scalar(select(func.count()).select_from(LINES))
        assert not written or marks[0] != marks[1]
        if ledger.database.dialect == "sqlite":  # PostgreSQL's moves with what other tests write
            assert await ledger.database.mark() == marks[1]
