"""Whether a room's tables and its migrations say the same."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from muniment.kernel.database import open_database


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
