"""The outbox: events written in the transaction that makes them true, delivered afterwards, at least once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import sqlalchemy as sa
import structlog
from pydantic import BaseModel, JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.kernel.backoff import backoff_seconds, repeat
from muniment.kernel.database import Database, Json, UtcTime, after_commit
from muniment.kernel.deadline import deadline
from muniment.kernel.guard import only_problems, uninterrupted
from muniment.kernel.ids import new_id
from muniment.kernel.model import Model, Time, now
from muniment.kernel.problems import Problem

_log = structlog.get_logger(__name__)
_BATCH = 100


class Event(Model):
    """Something that has happened in a room: `document.created`."""

    id: str
    type: str
    at: Time
    data: dict[str, JsonValue]


Deliver = Callable[[Event], Awaitable[None]]
"""Hands an event to one subscriber; raises a Problem when the subscriber did not take it."""


def outbox_table(metadata: sa.MetaData) -> sa.Table:
    """The table `outbox`; in a room's first migration: `outbox_table(sa.MetaData()).create(op.get_bind())`."""
    return sa.Table(
        "outbox",
        metadata,
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", UtcTime, nullable=False),
        sa.Column("dead", sa.Boolean, nullable=False),
        sa.Column("problem", Json),
    )


class Outbox:
    """The events of one room that somebody has still to hear of; those given up stay in the table, marked dead."""

    def __init__(self, database: Database, table: sa.Table) -> None:
        self.database = database
        self.table = table
        self.stirred = asyncio.Event()
        """Set whenever there may be something to deliver."""

    async def put(self, connection: AsyncConnection, type: str, data: BaseModel) -> Event:  # noqa: A002 - the word
        """Tell of something; it is heard of once the caller's transaction is committed, and only then."""
        event = Event(id=new_id("evt"), type=type, at=now(), data=data.model_dump(mode="json"))
        row = {**event.model_dump(), "attempts": 0, "next_attempt_at": event.at, "dead": False}
        await connection.execute(sa.insert(self.table), row)
        after_commit(connection, self.stirred.set)
        return event

    async def dead(
        self, connection: AsyncConnection, *where: sa.ColumnElement[bool], limit: int
    ) -> Sequence[sa.RowMapping]:
        """Rows of events that were given up, which was at their `next_attempt_at`; newest first."""
        query = sa.select(self.table).where(self.table.c.dead, *where).order_by(self.table.c.id.desc())
        return (await connection.execute(query.limit(limit))).mappings().all()

    async def revive(self, connection: AsyncConnection, event_id: str) -> bool:
        """Deliver a dead event after all, with all its attempts; false when there is none."""
        one = sa.update(self.table).where(self.table.c.id == event_id, self.table.c.dead)
        done = await connection.execute(one.values(dead=False, attempts=0, next_attempt_at=now()))
        after_commit(connection, self.stirred.set)
        return bool(done.rowcount)

    async def drop(self, connection: AsyncConnection, event_id: str) -> bool:
        """Forget a dead event; false when there is none."""
        one = sa.delete(self.table).where(self.table.c.id == event_id, self.table.c.dead)
        return bool((await connection.execute(one)).rowcount)


class Dispatcher:
    """Delivers a room's events in their order, each to all subscribers of its type.

    An event that a subscriber does not take is tried again later, behind newer ones; after `max_attempts` it
    is a dead letter. A subscriber may hear of an event twice, after a crash.
    """

    def __init__(
        self,
        outbox: Outbox,
        subscribers: Mapping[str, Sequence[Deliver]],
        *,
        max_attempts: int = 12,
        first_retry_seconds: float = 1.0,
        patience_seconds: float = 30.0,
        poll_seconds: float = 1.0,
    ) -> None:
        self._outbox, self._subscribers = outbox, subscribers
        self._max_attempts, self._first_retry_seconds = max_attempts, first_retry_seconds
        self._patience_seconds, self._poll_seconds = patience_seconds, poll_seconds
        self._taken: dict[str, set[int]] = {}

    async def run(self) -> None:
        """Deliver until cancelled."""
        outbox, poll = self._outbox, self._poll_seconds
        await repeat(self._turn, what="delivering events", stirred=outbox.stirred, poll_seconds=poll)

    async def _turn(self) -> bool:
        """Deliver what is due; whether there may be more."""
        table = self._outbox.table
        due = sa.select(table).where(~table.c.dead, table.c.next_attempt_at <= now())
        query = due.order_by(table.c.seq).limit(_BATCH)
        async with self._alone() as mine:
            if not mine:
                return False
            async with self._outbox.database.read() as connection:
                rows = (await connection.execute(query)).mappings().all()
            ended: list[tuple[sa.RowMapping, Problem | None]] = []
            try:
                for row in rows:
                    problem = await self._deliver(_event(row))
                    ended.append((row, problem))
            finally:
                await uninterrupted(self._note(ended))
        return len(rows) == _BATCH

    async def _deliver(self, event: Event) -> Problem | None:
        """Why it was not taken, if it was not."""
        taken = self._taken.setdefault(event.id, set())
        what = f"the subscriber of {event.type}"
        for index, deliver in enumerate(self._subscribers.get(event.type, ())):
            if index in taken:
                continue
            try:
                async with only_problems(what), deadline(self._patience_seconds):
                    await deliver(event)
            except Problem as problem:
                return problem
            taken.add(index)
        del self._taken[event.id]
        return None

    async def _note(self, ended: Sequence[tuple[sa.RowMapping, Problem | None]]) -> None:
        """Trim what was delivered, and put off or give up what was not."""
        if not ended:
            return
        table = self._outbox.table
        async with self._outbox.database.write() as connection:
            delivered = [row["seq"] for row, problem in ended if problem is None]
            await connection.execute(sa.delete(table).where(table.c.seq.in_(delivered)))
            for row, problem in ended:
                if problem is None:
                    continue
                attempts = row["attempts"] + 1
                dead = attempts >= self._max_attempts
                wait = 0 if dead else backoff_seconds(attempts, first=self._first_retry_seconds)
                values = {
                    "attempts": attempts,
                    "dead": dead,
                    "problem": problem.document(),
                    "next_attempt_at": now() + timedelta(seconds=wait),
                }
                await connection.execute(sa.update(table).where(table.c.seq == row["seq"]).values(values))
                _log.warning("event.not_taken", id=row["id"], type=row["type"], **values)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[bool]:
        """Whether this is the one dispatcher of the room at work: two would break the order."""
        if self._outbox.database.dialect == "sqlite":
            yield True
            return
        async with self._outbox.database.write() as connection:
            yield bool(await connection.scalar(sa.text("SELECT pg_try_advisory_xact_lock(7283946)")))


def _event(row: sa.RowMapping) -> Event:
    return Event(id=row["id"], type=row["type"], at=row["at"], data=row["data"])
