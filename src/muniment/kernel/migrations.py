"""Bringing a room's schema up to date: Alembic's revisions, linear, without alembic.ini or env.py.

`<room>/migrations/versions/0001_first.py` says `revision = "0001"`, `down_revision = None` and `upgrade()`.
Imported only when there is something to do, since Alembic costs 0.7 s to import.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from muniment.kernel.extras import late
from muniment.kernel.problems import Problem


class NewerVersion(Problem, status=500):
    """The data was written by a newer Muniment than this one."""


def revisions(migrations: Path) -> list[str]:
    """The revision ids in `migrations`, oldest first, read from the names of the files."""
    return sorted(file.name.partition("_")[0] for file in (migrations / "versions").glob("[0-9]*_*.py"))


async def upgrade(engine: AsyncEngine, *, room: str, migrations: Path) -> None:
    """Bring the schema to the newest revision, in one transaction.

    Raises NewerVersion when it is at one that this code does not know; nothing is touched then.
    """
    known = revisions(migrations)
    async with engine.connect() as connection:
        if await connection.run_sync(_revision) == known[-1]:
            return
        if connection.dialect.name == "postgresql":  # two replicas may start at once; SQLite has one writer anyway
            await connection.execute(text("SELECT pg_advisory_xact_lock(7283945)"))
        current = await connection.run_sync(_revision)
        if current is not None and current not in known:
            raise NewerVersion(
                f"the data of {room} is at revision {current}, this Muniment knows up to {known[-1]}: "
                "start the newer version, or restore a backup made with this one",
                room=room,
            )
        if current != known[-1]:
            await connection.run_sync(_run, migrations, current or "base")
        await connection.commit()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _run(connection: Connection, migrations: Path, current: str) -> None:
    scripts = late("alembic.script").ScriptDirectory(str(migrations))
    context = late("alembic.runtime.migration").MigrationContext.configure(connection)
    with late("alembic.operations").Operations.context(context):
        for script in reversed(list(scripts.iterate_revisions("head", current))):
            script.module.upgrade()
    context.stamp(scripts, "head")
