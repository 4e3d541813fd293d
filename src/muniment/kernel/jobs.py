"""Jobs: work that outlives a process. Rows in the room's own database, taken by workers on a lease."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal, get_args

import structlog
from pydantic import BaseModel, JsonValue
from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Update,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.kernel.backoff import backoff_seconds, repeat
from muniment.kernel.database import Database, Json, UtcTime, after_commit
from muniment.kernel.guard import only_problems, uninterrupted
from muniment.kernel.ids import new_id
from muniment.kernel.model import Model, Time, now
from muniment.kernel.problems import Problem

_log = structlog.get_logger(__name__)

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
JOB_STATES: tuple[JobState, ...] = get_args(JobState)


class JobMissing(Problem, status=404):
    """No job of that id."""


class WorkerLost(Problem, status=500):
    """Every worker that took the job up died or stalled over it."""


class Job(Model):
    """A kind of work, its request, and how far it has come.

    `subject` is what the room filters by and workers are fair between, such as a collection's id. A `failed`
    job is a dead letter: it is kept with its `problem` until someone retries it.
    """

    id: str
    kind: str
    subject: str
    request: dict[str, JsonValue]
    state: JobState = "queued"
    attempts: int = 0
    max_attempts: int
    next_attempt_at: Time
    progress_done: int = 0
    progress_total: int = 0
    problem: dict[str, JsonValue] | None = None
    created_at: Time
    started_at: Time | None = None
    ended_at: Time | None = None


Handler = Callable[[Job], Awaitable[None]]
"""Does a job of one kind; raises a Problem when it cannot."""

_FIELDS = tuple(Job.model_fields)
_FREE: dict[str, Any] = {"leased_by": None, "leased_until": None}


def job_table(metadata: MetaData) -> Table:
    """The table `jobs`; in a room's first migration: `job_table(MetaData()).create(op.get_bind())`."""
    return Table(
        "jobs",
        metadata,
        Column("id", String, primary_key=True),
        Column("kind", String, nullable=False),
        Column("subject", String, nullable=False),
        Column("request", Json, nullable=False),
        Column("state", String, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("max_attempts", Integer, nullable=False),
        Column("next_attempt_at", UtcTime, nullable=False),
        Column("progress_done", Integer, nullable=False),
        Column("progress_total", Integer, nullable=False),
        Column("problem", Json),
        Column("created_at", UtcTime, nullable=False),
        Column("started_at", UtcTime),
        Column("ended_at", UtcTime),
        Column("leased_by", String),
        Column("leased_until", UtcTime),
        # Leads a worker from subject to subject without reading past those it has no room for.
        Index("jobs_due", "state", "subject", "next_attempt_at", "id"),
    )


class Jobs:
    """The jobs of one room. Methods with a `connection` are part of the caller's transaction."""

    def __init__(self, database: Database, table: Table, *, prefix: str, max_attempts: int = 5) -> None:
        self.database = database
        self.table = table
        self.stirred = asyncio.Event()
        """Set whenever there may be something for a worker to do."""
        self._prefix, self._max_attempts = prefix, max_attempts

    async def enqueue(
        self,
        connection: AsyncConnection,
        kind: str,
        request: BaseModel,
        *,
        subject: str = "",
        max_attempts: int | None = None,
        job_id: str | None = None,
        ahead: bool = False,
    ) -> str:
        """Ask for work, and get the job's id; it starts once the caller's transaction is committed.

        `job_id`: the id to give it, where one was promised already. `ahead`: before what waits for that subject.
        """
        job = Job(
            id=job_id or new_id(self._prefix),
            kind=kind,
            subject=subject,
            request=request.model_dump(mode="json"),
            max_attempts=max_attempts or self._max_attempts,
            next_attempt_at=datetime.min.replace(tzinfo=UTC) if ahead else now(),
            created_at=now(),
        )
        await connection.execute(insert(self.table), job.model_dump())
        after_commit(connection, self.stirred.set)
        return job.id

    async def get(self, connection: AsyncConnection, job_id: str) -> Job:
        """The job of that id.

        Raises JobMissing.
        """
        query = select(self.table).where(self.table.c.id == job_id)
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise JobMissing(f"no job {job_id}", job=job_id)
        return as_job(row)

    async def count(self, connection: AsyncConnection) -> dict[JobState, int]:
        """How many jobs are in each state."""
        query = select(self.table.c.state, func.count()).group_by(self.table.c.state)
        found = {row[0]: row[1] for row in await connection.execute(query)}
        return {state: found.get(state, 0) for state in JOB_STATES}

    async def retry(self, connection: AsyncConnection, job_id: str) -> Job:
        """Queue a failed or cancelled job anew, with all its attempts; any other is left as it is.

        Raises JobMissing.
        """
        fresh = {"state": "queued", "attempts": 0, "problem": None, "ended_at": None, "next_attempt_at": now()}
        await self._change(connection, job_id, ("failed", "cancelled"), fresh)
        after_commit(connection, self.stirred.set)
        return await self.get(connection, job_id)

    async def cancel(self, connection: AsyncConnection, job_id: str) -> Job:
        """Take the job back; a running one is interrupted, an ended one is left as it is.

        Raises JobMissing.
        """
        ended = {"state": "cancelled", "ended_at": now(), **_FREE}
        await self._change(connection, job_id, ("queued", "running"), ended)
        after_commit(connection, self.stirred.set)
        return await self.get(connection, job_id)

    async def end_leases(self) -> None:
        """Take up at once what a killed worker left: for whoever knows that no other worker is alive."""
        running = update(self.table).where(self.table.c.state == "running").values(leased_until=now())
        async with self.database.write() as connection:
            await connection.execute(running)

    async def progress(self, job_id: str, done: int, total: int) -> None:
        """Note, in a transaction of its own, how far a running job is."""
        async with self.database.write() as connection:
            await self._change(connection, job_id, ("running",), {"progress_done": done, "progress_total": total})

    async def _change(
        self, connection: AsyncConnection, job_id: str, states: Iterable[JobState], values: dict[str, Any]
    ) -> None:
        columns = self.table.c
        change = update(self.table).where(columns.id == job_id, columns.state.in_(states))
        await connection.execute(change.values(values))


def as_job(row: RowMapping) -> Job:
    """The job in a row of the table."""
    return Job.model_validate({name: row[name] for name in _FIELDS})


def _around(subject: Column[str], last: str | None, full: Iterable[str]) -> Iterator[list[ColumnElement[bool]]]:
    """Bounds of the subjects behind the last one, then of all: an index leads past the jobs of a full one."""
    for start in dict.fromkeys((last, None)):
        edges = [start, *sorted(s for s in full if start is None or s > start), None]
        for low, high in pairwise(edges):
            yield [*([] if low is None else [subject > low]), *([] if high is None else [subject < high])]


class Worker:
    """Does the jobs of one room, several at a time, taking subjects in turn; no subject has all the places.

    A job may be done twice, after a crash between the work and the note of it: handlers are idempotent. One
    that raises a retryable Problem is called again later, until the job's attempts are used up; any other
    failure ends the job. A worker that dies loses its leases when they run out, and the attempt counts.
    """

    def __init__(
        self,
        jobs: Jobs,
        handlers: Mapping[str, Handler],
        *,
        concurrency: int = 4,
        lease_seconds: float = 60.0,
        first_retry_seconds: float = 2.0,
        poll_seconds: float = 1.0,
    ) -> None:
        self._jobs, self._handlers, self._concurrency = jobs, handlers, concurrency
        self._lease = timedelta(seconds=lease_seconds)
        self._first_retry_seconds = first_retry_seconds
        self._poll_seconds = min(poll_seconds, lease_seconds / 3)
        self._name = new_id("worker")
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ended: dict[str, tuple[Job, Problem | None]] = {}
        self._beaten_at = now()
        self._last_subject: str | None = None

    async def run(self) -> None:
        """Work until cancelled; then what is unfinished is given back, and the attempt does not count."""
        jobs, poll = self._jobs, self._poll_seconds
        try:
            await repeat(self._turn, what="taking up jobs", stirred=jobs.stirred, poll_seconds=poll)
        finally:
            await uninterrupted(self._give_back())

    async def _turn(self) -> bool:
        """Note what has ended and take up what is due, in one transaction: a commit costs more than both."""
        at, ended = now(), dict(self._ended)
        # One that was cancelled and retried at once may still be ending here; it is taken up after that.
        busy = {*self._running, *ended}
        async with self._jobs.database.write() as connection:
            await self._record(connection, ended.values(), at)
            lost = await self._beat(connection, at)
            await self._recover(connection, at)
            taken = await self._claim(connection, at, busy)
        for job_id in ended:
            del self._ended[job_id]
        for job_id in lost:
            task = self._running.get(job_id)  # it may have ended while this was written
            if task is not None and not task.cancelling():  # once: a second time would cut off its clearing up
                task.cancel()
        for job in taken:
            self._running[job.id] = asyncio.create_task(self._work(job), name=job.subject)
        return False

    async def _work(self, job: Job) -> None:
        problem = None
        try:
            async with only_problems(f"the job {job.kind}"):
                await self._handlers[job.kind](job)
        except Problem as raised:
            problem = raised
        finally:
            del self._running[job.id]
            self._jobs.stirred.set()
        self._ended[job.id] = (job, problem)

    async def _record(
        self, connection: AsyncConnection, ended: Iterable[tuple[Job, Problem | None]], at: datetime
    ) -> None:
        done = [job.id for job, problem in ended if problem is None]
        if done:
            values: dict[str, Any] = {"state": "succeeded", "ended_at": at, "problem": None, **_FREE}
            await connection.execute(self._mine().where(self._jobs.table.c.id.in_(done)).values(values))
        for job, problem in ended:
            if problem is None:
                continue
            values = {"problem": problem.document(), **_FREE}
            if problem.retryable and job.attempts < job.max_attempts:
                wait = backoff_seconds(job.attempts, first=self._first_retry_seconds)
                wait = max(wait, problem.retry_after_seconds or 0)
                values |= {"state": "queued", "next_attempt_at": at + timedelta(seconds=wait)}
            else:
                values |= {"state": "failed", "ended_at": at}
            _log.warning(f"job.{values['state']}", job=job.id, kind=job.kind, problem=values["problem"])
            await connection.execute(self._mine().where(self._jobs.table.c.id == job.id).values(values))

    async def _beat(self, connection: AsyncConnection, at: datetime) -> set[str]:
        """Keep the leases of what is running; the ids that were cancelled or taken by another meanwhile."""
        running = set(self._running)
        if not running:
            return running
        columns = self._jobs.table.c
        query = select(columns.id).where(columns.leased_by == self._name, columns.state == "running")
        held = set((await connection.scalars(query)).all())
        if at - self._beaten_at > self._lease / 3:
            self._beaten_at = at
            change = self._mine().where(columns.id.in_(running))
            await connection.execute(change.values(leased_until=at + self._lease))
        return running - held

    async def _recover(self, connection: AsyncConnection, at: datetime) -> None:
        """Queue again what dead workers held, or give it up when its attempts are used up."""
        columns = self._jobs.table.c
        query = select(columns.id, columns.attempts >= columns.max_attempts)
        query = query.where(columns.state == "running", columns.leased_until < at)
        again = {"state": "queued", "next_attempt_at": at, **_FREE}
        problem = WorkerLost("its worker died or stalled at every attempt; see the log, then retry it").document()
        given_up = {"state": "failed", "ended_at": at, "problem": problem, **_FREE}
        for job_id, used_up in (await connection.execute(query.with_for_update(skip_locked=True))).all():
            _log.warning("job.worker_lost", job=job_id)
            change = update(self._jobs.table).where(columns.id == job_id)
            await connection.execute(change.values(given_up if used_up else again))

    async def _claim(self, connection: AsyncConnection, at: datetime, busy: set[str]) -> list[Job]:
        """Lease as many due jobs as there is room for, one per subject and round, and none of those `busy`.

        The last place is kept for a subject that has none of the others: whose jobs are long holds up nobody.
        """
        columns = self._jobs.table.c
        taken: dict[str, Job] = {}
        held = Counter(task.get_name() for task in self._running.values())
        due = (
            select(self._jobs.table)
            .where(columns.state == "queued", columns.next_attempt_at <= at)
            .where(columns.kind.in_(self._handlers))
            .order_by(columns.subject, columns.next_attempt_at, columns.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        while len(taken) + len(self._running) < self._concurrency:
            most = max(self._concurrency - 1, 1)
            full = [subject for subject, places in held.items() if places >= most]
            rest = due.where(columns.id.not_in({*taken, *busy}), columns.subject.not_in(full))
            for bounds in _around(columns.subject, self._last_subject, full):
                row = (await connection.execute(rest.where(*bounds))).mappings().one_or_none()
                if row is not None:
                    break
            else:
                break
            job = as_job(row)
            started = {"state": "running", "attempts": job.attempts + 1, "started_at": job.started_at or at}
            taken[job.id] = job.model_copy(update=started)
            self._last_subject = job.subject
            held[job.subject] += 1
        if taken:
            values = {
                "state": "running",
                "attempts": columns.attempts + 1,
                "started_at": func.coalesce(columns.started_at, at),
                "leased_by": self._name,
                "leased_until": at + self._lease,
            }
            await connection.execute(update(self._jobs.table).where(columns.id.in_(taken)).values(values))
        return list(taken.values())

    async def _give_back(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        at, attempts = now(), self._jobs.table.c.attempts
        queued = {"state": "queued", "attempts": attempts - 1, "next_attempt_at": at, **_FREE}
        try:
            async with only_problems("giving jobs back"), self._jobs.database.write() as connection:
                await self._record(connection, self._ended.values(), at)
                await connection.execute(self._mine().values(queued))
        except Problem as problem:
            _log.warning("jobs.not_given_back", problem=problem.document())

    def _mine(self) -> Update:
        columns = self._jobs.table.c
        return update(self._jobs.table).where(columns.leased_by == self._name, columns.state == "running")
