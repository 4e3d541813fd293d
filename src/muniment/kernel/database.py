"""One database per room: a SQLite file or a PostgreSQL database, behind two verbs, read and write."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import JSON, AsyncAdaptedQueuePool, DateTime, Dialect, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator

from muniment.kernel import sqlite
from muniment.kernel.extras import late
from muniment.kernel.guard import uninterrupted
from muniment.kernel.ids import new_id
from muniment.kernel.migrations import upgrade
from muniment.kernel.problems import Invalid, Problem, Unavailable

_READERS, _READER_STATEMENTS = 8, 128
_HOOKS, _CHANGES = "after_commit", "changes"


class ReadOnly(Problem, status=500):
    """The data folder or database does not let Muniment write."""


class Damaged(Problem, status=500):
    """The database file is not whole; a backup has to be restored."""


class UtcTime(TypeDecorator[datetime]):
    """An instant: aware in Python, timestamptz in PostgreSQL, sortable UTC text in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC for the engine; a naive datetime is a ValueError, since nobody knows when it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True, astext_type=Text()), "postgresql")
"""A JSON value; None is NULL."""


class Database:
    """The database of one room. Made by `open_database`."""

    def __init__(
        self, dialect: Literal["sqlite", "postgresql"], *, readers: AsyncEngine, writers: AsyncEngine
    ) -> None:
        self.dialect = dialect
        self._readers, self._writers = readers, writers
        self._life, self._writes = new_id("life"), 0

    @property
    def own_mark(self) -> str | None:
        """The mark, where it is known unasked: a file is written by one process alone."""
        return f"{self._life}.{self._writes}" if self.dialect == "sqlite" else None

    async def mark(self) -> str:
        """Equal marks mean that no row was changed between them."""
        if (own := self.own_mark) is not None:
            return own
        async with self.read() as connection:
            return str(await connection.scalar(text("SELECT pg_current_snapshot()")))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One snapshot for all that is read inside; writing in it fails."""
        with _plain():
            async with _connected(self._readers) as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed and on disk at the end, rolled back when the body raises.

        SQLite has one writer at a time, and the others wait, so keep network calls out of the body.
        IntegrityError comes through for stores to catch: outside the body, which PostgreSQL has given up.
        """
        hooks, changed = list[Callable[[], None]](), True
        try:
            with _plain():
                async with _connected(self._writers) as connection:
                    connection.info[_HOOKS] = hooks
                    yield connection
                    changed = await self._changed(connection)
                    await connection.commit()
        finally:  # and not before the connection is given back: a commit goes on when its caller is cancelled
            self._writes += changed
        for hook in hooks:
            hook()

    async def _changed(self, connection: AsyncConnection) -> bool:
        """Whether SQLite has changed a row: who looks for work each second, and finds none, moves no mark."""
        changes = getattr((await connection.get_raw_connection()).driver_connection, "total_changes", 0)
        # It counts for itself, and what is noted with a connection is forgotten with it.
        before, connection.info[_CHANGES] = connection.info.get(_CHANGES), changes
        return before != changes


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    connection = engine.connect()
    try:
        await connection.start()
    except OSError as failure:
        raise Unavailable(
            f"the database cannot be reached: {failure}; does it run, and is database_url right?"
        ) from failure
    try:
        yield connection
    finally:
        # A connection whose close was cut off would hold its transaction open.
        await uninterrupted(connection.close())


def after_commit(connection: AsyncConnection, hook: Callable[[], None]) -> None:
    """Call `hook` once the transaction of this `write()` is committed; never when it is rolled back."""
    connection.info[_HOOKS].append(hook)


@asynccontextmanager
async def open_database(url: str, *, room: str, migrations: Path) -> AsyncIterator[Database]:
    """The database of `room`, created when absent, its schema brought up to date.

    `sqlite:////absolute/folder` keeps it in `<folder>/<room>.db`. `postgresql://user@host/…` names a server;
    the database is `muniment_<room>` there (`?prefix=` replaces `muniment`: several can share one server).
    Raises NewerVersion when a newer Muniment wrote it, and Unavailable, ReadOnly or Damaged as they are.
    """
    try:
        place = make_url(url)
    except ArgumentError as failure:
        raise Invalid(f"{url!r} is no database URL: {failure}") from failure
    async with AsyncExitStack() as stack:
        with _plain():
            match place.get_backend_name():
                case "sqlite":
                    database = _sqlite(place, room)
                case "postgresql":
                    database = await _postgresql(place, room)
                case other:
                    raise Invalid(f"{other} is no database Muniment knows: use sqlite or postgresql")
            stack.push_async_callback(database._readers.dispose)  # noqa: SLF001 - its own maker
            stack.push_async_callback(database._writers.dispose)  # noqa: SLF001
            await upgrade(database._writers, room=room, migrations=migrations)  # noqa: SLF001
        async with database.read():  # so that a reader's setup, which must not be cut off, has happened
            pass
        yield database


def _sqlite(place: URL, room: str) -> Database:
    folder = Path(place.database or "")
    if not folder.is_absolute():
        raise Invalid(f"{place} must name an absolute folder: sqlite:////var/lib/muniment")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise ReadOnly(f"the data folder {folder} cannot be made: {failure.strerror}") from failure
    file = folder / f"{room}.db"

    def engine(size: int, kept: int, begin: str, *pragmas: str) -> AsyncEngine:
        return create_async_engine(
            "sqlite+aiosqlite://",
            async_creator=lambda *_, **__: sqlite.Connection(file, begin=begin, pragmas=pragmas, kept=kept),
            poolclass=AsyncAdaptedQueuePool,
            pool_size=size,
            max_overflow=0,
            pool_use_lifo=True,  # the connection used last has its pages and statements still at hand
        )

    return Database(
        "sqlite",
        readers=engine(_READERS, _READER_STATEMENTS, "BEGIN", "query_only=ON"),
        # To prepare a statement anew costs some microseconds, a kept one as much memory as the longest text has.
        writers=engine(1, 0, "BEGIN IMMEDIATE", "journal_mode=WAL", "synchronous=FULL"),
    )


async def _postgresql(place: URL, room: str) -> Database:
    late("asyncpg", extra="postgres")
    options = dict(place.query)
    name = f"{options.pop('prefix', 'muniment')}_{room}"
    server = place.set(drivername="postgresql+asyncpg", query=options, database=place.database or "postgres")
    engine = create_async_engine(server.set(database=name), pool_pre_ping=True)
    try:
        async with _connected(engine):
            pass
    except DBAPIError as failure:
        if _sqlstate(failure) != "3D000":  # invalid_catalog_name
            await engine.dispose()
            raise
        await _create(server, name)
    return Database(
        "postgresql",
        readers=engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
        writers=engine,
    )


async def _create(server: URL, name: str) -> None:
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    quoted = engine.dialect.identifier_preparer.quote(name)
    try:
        async with _connected(engine) as connection:
            await connection.execute(text(f"CREATE DATABASE {quoted}"))
    except DBAPIError as failure:
        if _sqlstate(failure) not in {"42P04", "23505"}:  # another process has just made it
            raise
    finally:
        await engine.dispose()


_SQLITE: dict[int, tuple[type[Problem], str]] = {
    5: (Unavailable, "the database is locked by another writer; try again"),
    8: (ReadOnly, "the database cannot be written; check the rights on the data folder"),
    10: (Unavailable, "the disk failed on the database; check it"),
    11: (Damaged, "the database file is damaged; restore it from a backup"),
    13: (Unavailable, "the disk is full; free some space and try again"),
    14: (ReadOnly, "the database file cannot be opened; check the rights on the data folder"),
    26: (Damaged, "the database file is not a SQLite database; restore it from a backup"),
}
_POSTGRESQL = {
    "08": "the connection to the database broke",
    "28": "the database refuses this user; check the URL's user and password",
    "40": "two transactions got in each other's way",
    "53": "the database has no room or connections left",
    "55": "the database is locked by another writer",
    "57": "the database is shutting down or starting",
    "58": "the database's disk failed",
}


@contextmanager
def _plain() -> Iterator[None]:
    """What the engine cannot do at present, as Problems; what a store got wrong or may catch, as it is."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as failure:
        problem = _problem(failure)
        if problem is None:
            raise
        raise problem from failure
    except PoolTimeout as failure:
        raise Unavailable("too many wait for the database; try again") from failure


def _problem(failure: DBAPIError) -> Problem | None:
    code = getattr(failure.orig, "sqlite_errorcode", None)
    if code is not None:
        kind, detail = _SQLITE.get(code & 0xFF, (None, ""))
        return kind(detail) if kind else None
    state = _sqlstate(failure)
    if state == "25006":  # read_only_sql_transaction
        return ReadOnly("the database takes no writes here")
    if failure.connection_invalidated:
        state = "08"
    return Unavailable(_POSTGRESQL[state[:2]] + "; try again") if state[:2] in _POSTGRESQL else None


def _sqlstate(failure: DBAPIError) -> str:
    return getattr(failure.orig, "sqlstate", None) or ""
