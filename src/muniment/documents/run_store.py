"""Runs: jobs that people ask about, and batches, which end when all of their jobs have."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import OPERATOR
from muniment.documents.store import documents, jobs, readers, runs
from muniment.kernel.caller import Caller
from muniment.kernel.model import now

OPEN = ("queued", "running")
_member, _job = runs.alias("member"), jobs.alias("job")


def _some(*states: str) -> ColumnElement[bool]:
    """Whether a job of the batch is in one of the states."""
    return exists().where(_member.c.batch == runs.c.id, _job.c.id == _member.c.id, _job.c.state.in_(states))


_run_state: ColumnElement[str] = case(
    (runs.c.kind != "batch", jobs.c.state),
    (and_(_some(*OPEN), ~_some("running", "succeeded", "failed", "cancelled")), "queued"),
    (_some(*OPEN), "running"),
    (_some("failed"), "failed"),
    (_some("cancelled"), "cancelled"),
    else_="succeeded",
)
_ALL: Select[Any] = select(
    runs,
    _run_state.label("state"),
    *(
        jobs.c[name]
        for name in (
            "attempts", "next_attempt_at", "progress_done", "progress_total", "problem", "started_at", "ended_at",
        )
    ),
).select_from(runs.outerjoin(jobs, jobs.c.id == runs.c.id))  # fmt: skip


def visible(who: Caller) -> ColumnElement[bool]:
    """Those of the caller, of documents that the caller may read, and for operators all."""
    if not OPERATOR.isdisjoint(who.scopes):
        return runs.c.id.is_not(None)
    read = exists().where(readers.c.document == runs.c.document, readers.c.token.in_(sorted(who.tokens)))
    open_only = runs.c.collection.not_in(sorted(who.withheld))
    return or_(runs.c.principal == who.principal, and_(read, open_only))


async def put(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep runs; each has `id`, `kind`, `collection` and `principal`, and may have `batch` and `document`."""
    none = {"batch": None, "document": None, "created_at": now()}
    await connection.execute(insert(runs), [none | row for row in rows])


async def get(connection: AsyncConnection, run_id: str) -> Row[Any] | None:
    """The run of that id."""
    found: Row[Any] | None = (await connection.execute(_ALL.where(runs.c.id == run_id))).first()
    return found


async def page(
    connection: AsyncConnection,
    who: Caller,
    *,
    conditions: Sequence[ColumnElement[bool]],
    after: str | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """The newest runs that the caller may see, one more than the limit where there are as many."""
    query = _ALL.where(visible(who), *conditions).order_by(runs.c.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(runs.c.id < after)
    found: Sequence[Row[Any]] = (await connection.execute(query)).all()
    return found


def in_state(state: str) -> ColumnElement[bool]:
    """Those in that state."""
    fits: ColumnElement[bool] = _run_state == state
    return fits


async def members(connection: AsyncConnection, batch: str) -> Sequence[str]:
    """The ids of a batch's jobs."""
    return (await connection.scalars(select(runs.c.id).where(runs.c.batch == batch).order_by(runs.c.id))).all()


async def tallies(connection: AsyncConnection, batches: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """For each batch: its jobs by state, how many, when the first started and the last ended."""
    query = (
        select(
            runs.c.batch,
            jobs.c.state,
            func.count().label("jobs"),
            func.min(jobs.c.started_at).label("started_at"),
            func.max(jobs.c.ended_at).label("ended_at"),
        )
        .join(jobs, jobs.c.id == runs.c.id)
        .where(runs.c.batch.in_(batches))
        .group_by(runs.c.batch, jobs.c.state)
    )
    found: dict[str, list[Row[Any]]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.batch, []).append(row)
    return found


async def first_problems(connection: AsyncConnection, batches: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each batch with a failed job, the problem of its first one."""
    first = (
        select(func.min(runs.c.id))
        .join(jobs, jobs.c.id == runs.c.id)
        .where(runs.c.batch.in_(batches), jobs.c.state == "failed")
        .group_by(runs.c.batch)
    )
    query = select(runs.c.batch, jobs.c.problem).join(jobs, jobs.c.id == runs.c.id).where(runs.c.id.in_(first))
    return {row.batch: row.problem for row in await connection.execute(query)}


async def forget(connection: AsyncConnection, job_ids: Sequence[str]) -> None:
    """Drop jobs with their runs, and batches that are left without any."""
    own = select(runs.c.batch).where(runs.c.id.in_(job_ids), runs.c.batch.is_not(None)).distinct()
    batches = (await connection.scalars(own)).all()
    await connection.execute(delete(runs).where(runs.c.id.in_(job_ids)))
    await connection.execute(delete(jobs).where(jobs.c.id.in_(job_ids)))
    left = exists().where(_member.c.batch == runs.c.id)
    await connection.execute(delete(runs).where(runs.c.id.in_(batches), ~left))


async def supersede(connection: AsyncConnection, job_id: str) -> None:
    """A failed job whose work another one has taken up is no dead letter any more."""
    failed = update(jobs).where(jobs.c.id == job_id, jobs.c.state == "failed")
    await connection.execute(failed.values(state="cancelled"))


async def outdated(connection: AsyncConnection, before: datetime, limit: int) -> Sequence[str]:
    """Jobs that ended before then; of the failed ones those whose document is gone, which nobody can retry."""
    kept = jobs.outerjoin(runs, runs.c.id == jobs.c.id).outerjoin(documents, documents.c.id == runs.c.document)
    over = or_(
        and_(jobs.c.state.in_(("succeeded", "cancelled")), jobs.c.ended_at < before),
        and_(jobs.c.state == "failed", runs.c.document.is_not(None), documents.c.id.is_(None)),
    )
    return (await connection.scalars(select(jobs.c.id).select_from(kept).where(over).limit(limit))).all()
