"""Collections' tables, and what is asked of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.access import Kind
from muniment.kernel.database import Json, UtcTime
from muniment.kernel.ids import new_id
from muniment.kernel.outbox import outbox_table

MIGRATIONS = Path(__file__).parent / "migrations"
AT_ONCE = 10_000
"""Values in one list of a query: engines take some ten thousands, and requests may name more."""

metadata = MetaData()
state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", String, nullable=False),
)
collections = Table(
    "collections",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("title", String),
    Column("description", String),
    Column("access_level", String, nullable=False),
    Column("language", String),
    Column("index_model", String, nullable=False),
    Column("index_recipe", String, nullable=False),
    Column("index_generation", Integer, nullable=False),
    # The second index, while there is one: all three or none.
    Column("standby_model", String),
    Column("standby_recipe", String),
    Column("standby_generation", Integer),
    # The highest generation there ever was: a number that comes again could name an index that is being cleared.
    Column("last_generation", Integer, nullable=False, server_default="1"),
    # The names of indexes that it had: what was retired there stays in their histories.
    Column("past_indexes", Json),
    # How its searches judge; null: as the server has it.
    Column("ranking", Json),
    Column("created_at", UtcTime, nullable=False),
    # How long retired versions are kept; null: as the server's setting says.
    Column("history_days", Integer),
    # A deleted collection stays, without a name to others, until its documents are purged.
    Column("deleted_at", UtcTime),
    Index(
        "collections_name",
        "name",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
)
_live = collections.c.deleted_at.is_(None)
standings = Table(
    "standings",
    metadata,
    Column("collection_id", String, ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String, primary_key=True),
    Column("subject_id", String, primary_key=True, index=True),
)
outbox = outbox_table(metadata)

People = Mapping[Kind, Iterable[str]]
"""Ids of subjects by what they are to a collection."""


_EPOCH = select(state.c.epoch).where(state.c.id == 1)
"""Built once: every request asks it, and making it anew costs as much as running it."""


async def epoch(connection: AsyncConnection) -> str:
    """The present epoch."""
    return str(await connection.scalar(_EPOCH))


async def begin_change(connection: AsyncConnection) -> None:
    """Move the epoch: the first statement of every change, whose lock makes changes wait for one another.

    Values are never used twice, so that a cache cannot mistake a restored backup for what it knows.
    """
    await connection.execute(update(state).values(epoch=new_id("epoch")))


async def named(connection: AsyncConnection, names: Iterable[str]) -> Sequence[Row[Any]]:
    """The living collections of those names or ids; other text finds nothing."""
    wanted = sorted({name for name in names if re.fullmatch(r"[a-z0-9_-]{1,64}", name)})
    rows: list[Row[Any]] = []
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        found = or_(collections.c.name.in_(some), collections.c.id.in_(some))
        rows += (await connection.execute(select(collections).where(_live, found))).all()
    return rows


async def page(
    connection: AsyncConnection, *, ids: Iterable[str] | None, after: str, limit: int
) -> tuple[Sequence[Row[Any]], bool]:
    """Living collections in order of name, all or those of `ids`, and whether more follow."""
    query = select(collections).where(_live, collections.c.name > after)
    if ids is not None:
        query = query.where(collections.c.id.in_(set(ids)))
    rows = (await connection.execute(query.order_by(collections.c.name).limit(limit + 1))).all()
    return rows[:limit], len(rows) > limit


async def add(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Add a collection."""
    await connection.execute(insert(collections), dict(row))


async def change(connection: AsyncConnection, collection: str, values: Mapping[str, Any]) -> None:
    """Change fields."""
    if values:
        row = update(collections).where(collections.c.id == collection)
        await connection.execute(row.values(dict(values)))


async def put_people(connection: AsyncConnection, collection: str, people: People) -> None:
    """Make these, and no others, what each kind says they are."""
    c = standings.c
    for kind, subjects in people.items():
        await connection.execute(delete(standings).where(c.collection_id == collection, c.kind == kind))
        rows = [
            {"collection_id": collection, "kind": kind, "subject_id": subject} for subject in sorted(set(subjects))
        ]
        if rows:
            await connection.execute(insert(standings), rows)


async def people_of(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, dict[Kind, tuple[str, ...]]]:
    """Ids of subjects by kind, for each collection that has any."""
    query = select(standings).where(standings.c.collection_id.in_(set(ids)))
    found: dict[str, dict[Kind, tuple[str, ...]]] = {}
    for row in await connection.execute(query):
        kinds = found.setdefault(row.collection_id, {})
        kinds[row.kind] = (*kinds.get(row.kind, ()), row.subject_id)
    return found


async def standings_of(connection: AsyncConnection, subjects: Iterable[str]) -> list[tuple[str, Kind]]:
    """What any of `subjects` is to which collection."""
    query = select(standings.c.collection_id, standings.c.kind).where(standings.c.subject_id.in_(set(subjects)))
    return [(row.collection_id, row.kind) for row in await connection.execute(query)]


async def bury(connection: AsyncConnection, collection: str, at: datetime) -> None:
    """Delete it: only a row without people stays, so that nobody's token opens it."""
    await change(connection, collection, {"deleted_at": at})
    await connection.execute(delete(standings).where(standings.c.collection_id == collection))


async def buried(connection: AsyncConnection) -> list[str]:
    """Ids of collections that are deleted and not yet purged."""
    query = select(collections.c.id).where(collections.c.deleted_at.is_not(None))
    return list((await connection.execute(query)).scalars())


async def forget(connection: AsyncConnection, collection: str) -> None:
    """Drop a deleted collection's row; a living one stays."""
    c = collections.c
    await connection.execute(delete(collections).where(c.id == collection, c.deleted_at.is_not(None)))


async def living(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """All that are not deleted."""
    return (await connection.execute(select(collections).where(_live))).all()
