"""SQLite connections for SQLAlchemy that begin our transactions, and cost one thread switch a statement."""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import aiosqlite

BUSY_SECONDS = 10.0
_AGAIN_SECONDS = 0.01


class Connection(aiosqlite.Connection):
    """A connection in a thread of its own, whose first statement after a commit or rollback begins with `begin`.

    Python's driver begins nothing at SELECT, so that two reads in a row could see two states of the data. It keeps
    `kept` statements to run them again, each with the values that it ran with last, however large they are.
    """

    def __init__(self, file: Path, *, begin: str, pragmas: Sequence[str], kept: int) -> None:
        def connect() -> sqlite3.Connection:
            made = sqlite3.connect(
                file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=kept
            )
            for pragma in ("foreign_keys=ON", *pragmas):
                _set(made, pragma)
            return made

        super().__init__(connect, iter_chunk_size=64)
        self._begin, self._thread.daemon = begin, True

    def cursor(self) -> "_Cursor":  # type: ignore[override]  # SQLAlchemy wants it at once, and enters it
        """A cursor, without asking the thread for one."""
        return _Cursor(self)

    async def create_function(self, *_: Any, **__: Any) -> None:
        """Nothing: SQLAlchemy's REGEXP is not used, and a connection cancelled over it would be lost, unclosed."""

    async def run(self, how: Any, sql: str, parameters: Any) -> tuple[sqlite3.Cursor, list[Any]]:
        """Run a statement and fetch its rows in one visit to the thread, where aiosqlite's cursor pays four."""

        def visit() -> tuple[sqlite3.Cursor, list[Any]]:
            if not self._conn.in_transaction:
                self._conn.execute(self._begin)
            cursor = how(self._conn.cursor(), sql, parameters)
            return cursor, cursor.fetchall() if cursor.description else []

        return await self._execute(visit)  # type: ignore[no-untyped-call, no-any-return]  # aiosqlite leaves it untyped


class _Cursor:
    """What SQLAlchemy asks of a cursor of aiosqlite."""

    arraysize = 1
    description: Any = None
    rowcount = -1
    lastrowid: int | None = None

    def __init__(self, connection: Connection) -> None:
        self._connection, self._rows = connection, list[Any]()

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self._keep(*await self._connection.run(sqlite3.Cursor.execute, sql, parameters))

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        self._keep(*await self._connection.run(sqlite3.Cursor.executemany, sql, parameters))

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def close(self) -> None:
        self._rows = []

    def _keep(self, cursor: sqlite3.Cursor, rows: list[Any]) -> None:
        self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        self._rows = rows


def _set(connection: sqlite3.Connection, pragma: str) -> None:
    """Ask again where SQLite says busy at once: to `journal_mode`, while others make the journal or leave it."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as failure:
            if failure.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return
