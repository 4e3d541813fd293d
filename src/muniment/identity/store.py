"""Identity's tables, and what is asked of those about users and groups."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    UniqueConstraint,
    case,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.identity.contract import EVERYONE
from muniment.kernel.database import Json, UtcTime
from muniment.kernel.ids import new_id

MIGRATIONS = Path(__file__).parent / "migrations"
AT_ONCE = 10_000
"""Values in one list of a query: engines take some ten thousands, and requests may name more."""

metadata = MetaData()
state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", String, nullable=False),
    Column("ended", String, nullable=False),
)
users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("password_hash", String, nullable=False),
    Column("roles", Json, nullable=False),
    # Says again what `roles` says, so that admins can be counted in SQL.
    Column("admin", Boolean, nullable=False),
    Column("clearance", String, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
groups = Table(
    "groups",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
)
memberships = Table(
    "memberships",
    metadata,
    Column("group_id", String, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("member_id", String, primary_key=True, index=True),
)
sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("user_id", String, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", UtcTime, nullable=False, index=True),
)
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("digest", String, primary_key=True),
    Column("session_id", String, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("used", Boolean, nullable=False),
)
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("user_id", String, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", String, nullable=False),
    Column("digest", String, nullable=False, unique=True),
    Column("scopes", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    UniqueConstraint("user_id", "name"),
)
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String, primary_key=True),
    Column("private", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)


class Mark(NamedTuple):
    """What moves whenever an answer to `authenticate` may.

    `epoch` moves with what principals may do. `ended` moves with the end of a session, which changes nobody's
    entitlement and must not empty everybody's caches.
    """

    epoch: str
    ended: str


_MARK = select(state.c.epoch, state.c.ended).where(state.c.id == 1)
"""Built once: every request asks it, and making it anew costs as much as running it."""


async def mark(connection: AsyncConnection) -> Mark:
    """The present mark."""
    row = (await connection.execute(_MARK)).one()
    return Mark(row.epoch, row.ended)


async def begin_change(connection: AsyncConnection) -> None:
    """Move the epoch: the first statement of every change to what a principal may do.

    Its lock on the row makes such changes wait for one another, so that each sees all before it. Values are
    never used twice, so that a cache cannot mistake a restored backup for what it knows.
    """
    await connection.execute(update(state).values(epoch=new_id("epoch")))


async def sessions_ended(connection: AsyncConnection) -> None:
    """Note that access tokens which looked good are good no more."""
    await connection.execute(update(state).values(ended=new_id("ended")))


async def find(connection: AsyncConnection, table: Table, who: str) -> Row[Any] | None:
    """The user or group of that id, else of that name."""
    c = table.c
    query = select(table).where(or_(c.id == who, c.name == who)).order_by(case((c.id == who, 0), else_=1))
    return (await connection.execute(query.limit(1))).first()


async def by_name(connection: AsyncConnection, table: Table, name: str) -> Row[Any] | None:
    """The user or group of that name."""
    return (await connection.execute(select(table).where(table.c.name == name))).first()


async def by_id(connection: AsyncConnection, table: Table, identifier: str) -> Row[Any] | None:
    """The row of that id."""
    return (await connection.execute(select(table).where(table.c.id == identifier))).first()


async def page(
    connection: AsyncConnection, query: Select[Any], table: Table, *, after: str, limit: int
) -> tuple[Sequence[Row[Any]], bool]:
    """The next rows of `query` in order of id, which is order of making, and whether more follow."""
    query = query.where(table.c.id > after).order_by(table.c.id).limit(limit + 1)
    rows = (await connection.execute(query)).all()
    return rows[:limit], len(rows) > limit


async def any_admin_but(connection: AsyncConnection, user_id: str) -> bool:
    """Whether somebody else administers."""
    query = select(users.c.id).where(users.c.admin, users.c.id != user_id).limit(1)
    return (await connection.execute(query)).first() is not None


async def ids_by_name(connection: AsyncConnection, table: Table, names: Iterable[str]) -> dict[str, str]:
    """Ids of those that exist."""
    found: dict[str, str] = {}
    wanted = sorted(set(names))
    for start in range(0, len(wanted), AT_ONCE):
        query = select(table.c.name, table.c.id).where(table.c.name.in_(wanted[start : start + AT_ONCE]))
        found |= {row.name: row.id for row in await connection.execute(query)}
    return found


async def subject_names(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, str]:
    """`user:<name>` or `group:<name>` of those that exist."""
    wanted = set(ids)
    found: dict[str, str] = {}
    for kind, table in (("user", users), ("group", groups)):
        query = select(table.c.id, table.c.name).where(table.c.id.in_(wanted))
        found |= {row.id: f"{kind}:{row.name}" for row in await connection.execute(query)}
    return found


async def groups_above(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, str]:
    """Every group that holds one of `ids`, directly or through other groups: names by id."""
    above = (
        select(memberships.c.group_id).where(memberships.c.member_id.in_(set(ids))).cte("above", recursive=True)
    )
    # UNION, not UNION ALL: a group that is reached on two ways is walked once.
    above = above.union(select(memberships.c.group_id).join(above, memberships.c.member_id == above.c.group_id))
    query = select(groups.c.id, groups.c.name).where(groups.c.id.in_(select(above.c.group_id)))
    return {row.id: row.name for row in await connection.execute(query)}


async def groups_of(connection: AsyncConnection, user_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each user that is in any, the names of the groups it is in directly."""
    wanted = set(user_ids)
    query = (
        select(memberships.c.member_id, groups.c.name)
        .join(groups, groups.c.id == memberships.c.group_id)
        .where(memberships.c.member_id.in_(wanted))
        .order_by(groups.c.name)
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in await connection.execute(query):
        found[row.member_id] = (*found.get(row.member_id, ()), row.name)
    return found


async def members_of(connection: AsyncConnection, group_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each group that has any, its direct members as subjects, in order of name."""
    query = select(memberships).where(memberships.c.group_id.in_(set(group_ids)))
    rows = (await connection.execute(query)).all()
    names = await subject_names(connection, (row.member_id for row in rows))
    found: dict[str, tuple[str, ...]] = {}
    for subject, group_id in sorted((names[row.member_id], row.group_id) for row in rows):
        found[group_id] = (*found.get(group_id, ()), subject)
    return found


async def put_in_groups(connection: AsyncConnection, user_id: str, group_ids: Iterable[str]) -> None:
    """Make these, and no others, the groups that the user is in directly; everyone is in `everyone` anyway."""
    await connection.execute(delete(memberships).where(memberships.c.member_id == user_id))
    rows = [{"group_id": g, "member_id": user_id} for g in sorted(set(group_ids) - {EVERYONE})]
    if rows:
        await connection.execute(insert(memberships), rows)


async def remove_subject(connection: AsyncConnection, table: Table, subject_id: str) -> None:
    """Forget a user or group, with all that hangs on it."""
    await connection.execute(delete(memberships).where(memberships.c.member_id == subject_id))
    await connection.execute(delete(table).where(table.c.id == subject_id))
