"""Runs as people see them: how far, since when, until when, and what is wrong."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import OPERATOR, CollectionMissing, Lookup
from muniment.documents import access, copies, ingest_store, registry, run_store
from muniment.documents.base import Base
from muniment.documents.contract import ById, ListRuns, Progress, Run, RunCancelled, RunMissing, RunNotOver
from muniment.documents.ingest_store import AT_WORK
from muniment.documents.store import runs
from muniment.kernel.caller import caller
from muniment.kernel.jobs import Job
from muniment.kernel.model import Page, now
from muniment.kernel.pages import decode_cursor, encode_cursor
from muniment.kernel.problems import Forbidden

_UNITS = {"ingest": "chunks", "reindex": "chunks"}


class Runs(Base):
    """The use cases of runs."""

    async def get_run(self, request: ById) -> Run:
        """One that the caller may see."""
        return (await self._shown_runs([await self._run(request.id)]))[0]

    async def list_runs(self, request: ListRuns) -> Page[Run]:
        """The newest first."""
        conditions: list[ColumnElement[bool]] = []
        if request.kind is not None:
            conditions.append(runs.c.kind == request.kind)
        if request.state is not None:
            conditions.append(run_store.in_state(request.state))
        if request.collection is not None:
            conditions.append(runs.c.collection == await self._known(request.collection))
        after = None if request.cursor is None else str(decode_cursor(request.cursor, str)[0])
        async with self._database.read() as connection:
            rows = await run_store.page(
                connection, caller(), conditions=conditions, after=after, limit=request.limit
            )
        shown = rows[: request.limit]
        more = len(rows) > request.limit
        return Page(items=await self._shown_runs(shown), next_cursor=encode_cursor(shown[-1].id) if more else None)

    async def _known(self, name: str) -> str:
        """The collection's id.

        Raises CollectionMissing where the caller sees neither it nor all runs.
        """
        who = caller()
        refs = (await self._parts.collections.lookup(Lookup(collections=(name,)))).items
        ref = next((r for r in refs if r.id not in who.withheld), None)
        if ref is not None:
            if ref.visible or not OPERATOR.isdisjoint(who.scopes):
                return ref.id
            async with self._database.read() as connection:
                if await registry.count_readable(connection, who, [ref.id]):
                    return ref.id
        raise CollectionMissing(f"no collection {name} that you may see", collection=name)

    async def retry_run(self, request: ById) -> Run:
        """Go on where it stood; of a batch, with those that did not succeed."""
        run = await self._to_run(request.id)
        if run.state in run_store.OPEN:
            raise RunNotOver(f"{run.id} is still {run.state}: wait for its end, or cancel it", run=run.id)
        async with self._database.write() as connection:
            for job_id in await _jobs_of(connection, run):
                job = await self._jobs.get(connection, job_id)
                if job.state not in {"failed", "cancelled"}:
                    continue
                await self._requeue(connection, job)
        return await self.get_run(request)

    async def _requeue(self, connection: AsyncConnection, job: Job) -> None:
        if job.kind == "ingest":
            await _resume(connection, str(job.request["version"]), job.id)
        await self._jobs.retry(connection, job.id)

    async def cancel_run(self, request: ById) -> Run:
        """What is current stays so."""
        run = await self._to_run(request.id)
        if run.state not in run_store.OPEN:
            raise RunNotOver(f"{run.id} has {run.state} already", run=run.id)
        if run.kind == "purge":
            raise Forbidden("a deleted collection's purge cannot be called off", run=run.id)
        async with self._database.read() as connection:
            job_ids = list(await _jobs_of(connection, run))
        for job_id in job_ids:
            # Version before job, and one at a time: the order in which a worker takes hold of them.
            async with self._database.write() as connection:
                job = await self._jobs.get(connection, job_id)
                if job.state in run_store.OPEN and job.kind == "ingest":
                    await self._give_up(connection, str(job.request["version"]), job.subject)
                await self._jobs.cancel(connection, job_id)
        return await self.get_run(request)

    async def _give_up(self, connection: AsyncConnection, version: str, collection: str) -> None:
        work = await ingest_store.work(connection, version)
        problem = RunCancelled("its run was cancelled; retry the run, or upload it again").document()
        values = {"state": "failed", "problem": problem}
        if work is None or not await registry.change_version(connection, version, values, states=AT_WORK):
            return
        await copies.given_up(connection, self._jobs, work.version, collection)

    async def _run(self, run_id: str) -> Row[Any]:
        """Raises RunMissing for what the caller may not see, too.

        A purge has nobody's name on it, and its id cannot be guessed: who was given it sees it.
        """
        who = caller()
        async with self._database.read() as connection:
            run = await run_store.get(connection, run_id)
            document = None
            if run is not None and run.document is not None:
                document = await registry.document(connection, run.document)
        if run is not None:
            operator = not OPERATOR.isdisjoint(who.scopes)
            if operator or run.principal == who.principal or run.kind == "purge":
                return run
            if document is not None and access.may_read(access.holding(document), who):
                return run
        raise RunMissing(f"no run {run_id} that you may see", run=run_id)

    async def _to_run(self, run_id: str) -> Row[Any]:
        """Raises Forbidden for who neither began it nor may change its document nor administers."""
        who = caller()
        run = await self._run(run_id)
        if "collections:admin" in who.scopes:
            return run
        who.require("documents:write")
        row = None
        if run.document is not None:
            async with self._database.read() as connection:
                row = await registry.document(connection, run.document)
        if row is None and run.principal == who.principal:
            return run
        # Who began it and has lost the document since may no longer change what becomes of it.
        if row is not None and access.may_read(access.holding(row), who) and (await self._found(row)).writable:
            return run
        raise Forbidden("only who began a run, or may change its document, may do this", run=run_id)

    async def _shown_runs(self, rows: Sequence[Row[Any]]) -> tuple[Run, ...]:
        names = await self._named({row.collection for row in rows})
        batches = [row.id for row in rows if row.kind == "batch"]
        tallies: dict[str, list[Row[Any]]] = {}
        problems: dict[str, dict[str, Any]] = {}
        if batches:
            async with self._database.read() as connection:
                tallies = await run_store.tallies(connection, batches)
                failed = [batch for batch, some in tallies.items() if any(row.state == "failed" for row in some)]
                problems = await run_store.first_problems(connection, failed) if failed else {}
        return tuple(
            _batch(row, names.get(row.collection), tallies.get(row.id, []), problems.get(row.id))
            if row.kind == "batch"
            else _job(row, names.get(row.collection))
            for row in rows
        )


async def _jobs_of(connection: AsyncConnection, run: Row[Any]) -> Sequence[str]:
    return await run_store.members(connection, run.id) if run.kind == "batch" else [run.id]


async def _resume(connection: AsyncConnection, version: str, run: str) -> None:
    """Put a version that was given up back to where its work stood; from now on it is this run's."""
    row = await registry.version(connection, version)
    if row is None or row.state != "failed":
        return
    values: dict[str, Any] = {"state": "chunked", "problem": None, "indexed_chunks": 0, "run": run}
    if not row.chunks:
        values["state"] = "received"
        await ingest_store.drop_text(connection, version)
    if row.run != run:
        await run_store.supersede(connection, row.run)
    await registry.change_version(connection, version, values, states=("failed",))


def _job(row: Row[Any], collection: str | None) -> Run:
    waits = row.state == "queued" and row.attempts > 0
    return Run(
        id=row.id,
        kind=row.kind,
        state=row.state,
        progress=Progress(
            done=row.progress_done, total=row.progress_total or None, unit=_UNITS.get(row.kind, "documents")
        ),
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at if waits else None,
        eta_seconds=_eta(row.state, row.started_at, row.progress_done, row.progress_total),
        problem=row.problem,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        collection=collection,
        document=row.document,
    )


def _batch(
    row: Row[Any], collection: str | None, tally: Sequence[Row[Any]], problem: dict[str, Any] | None
) -> Run:
    total = sum(part.jobs for part in tally)
    done = sum(part.jobs for part in tally if part.state not in run_store.OPEN)
    started = min((part.started_at for part in tally if part.started_at), default=None)
    ends = [part.ended_at for part in tally if part.ended_at]
    return Run(
        id=row.id,
        kind=row.kind,
        state=row.state,
        progress=Progress(done=done, total=total, unit="documents"),
        attempts=1 if started else 0,
        next_attempt_at=None,
        eta_seconds=_eta(row.state, started, done, total),
        problem=problem,
        created_at=row.created_at,
        started_at=started,
        ended_at=max(ends) if ends and row.state not in run_store.OPEN else None,
        collection=collection,
        document=None,
    )


def _eta(state: str, started_at: datetime | None, done: int, total: int) -> float | None:
    """What is left at the pace so far; nobody knows before something is done."""
    if state != "running" or started_at is None or not done:
        return None
    pace = (now() - started_at).total_seconds() / done
    return round(pace * max(total - done, 0), 1)
