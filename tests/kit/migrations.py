"""A room's migrations: whether they say the same as its tables, and their result without their cost."""

from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, event, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from muniment.kernel.database import open_database
from muniment.kernel.migrations import revisions, upgrade


async def assert_migrations_match(metadata: MetaData, migrations: Path, url: str) -> None:
    """Run `migrations` on a fresh database at `url`, and compare what they made with `metadata`."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with (
        open_database(url, room="migrated", migrations=migrations) as database,
        database.read() as connection,
    ):
        assert await connection.run_sync(differences) == []


Statements = list[tuple[str, Any]]
_known: dict[tuple[str, Path, tuple[str, ...]], Statements] = {}


async def upgrade_by_rote(engine: AsyncEngine, *, room: str, migrations: Path) -> None:
    """As `upgrade`; what it said to an empty database is said again to the next one, without Alembic."""
    key = (engine.dialect.name, migrations, tuple(revisions(migrations)))
    async with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(7283945)"))
        empty = await connection.run_sync(lambda c: not inspect(c).has_table("alembic_version"))
        if empty and key in _known:
            for statement, parameters in _known[key]:
                await connection.exec_driver_sql(statement, parameters)
            await connection.commit()
            return
    said: Statements = []

    def hear(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        if statement.lstrip().startswith(("CREATE", "INSERT", "ALTER", "UPDATE", "DROP", "DELETE")):
            said.append((statement, parameters))

    heard = engine.sync_engine, "before_cursor_execute", hear
    event.listen(*heard)
    try:
        await upgrade(engine, room=room, migrations=migrations)
    finally:
        event.remove(*heard)
    if empty and said:  # if none was: another has made it meanwhile
        _known[key] = said
