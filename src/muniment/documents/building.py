"""Filling an index beside the present one, and clearing one that nobody searches any more."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import islice
from time import monotonic
from typing import Any

from sqlalchemy import Row, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import IndexDelayed, IndexIncomplete, IndexRef
from muniment.documents import copies
from muniment.documents.base import Parts
from muniment.documents.copying import Copying
from muniment.documents.ingest_store import AT_WORK
from muniment.documents.store import documents, generations, jobs, versions
from muniment.kernel.guard import only_problems
from muniment.kernel.jobs import Job
from muniment.kernel.model import Model, now
from muniment.kernel.problems import Problem

_AT_ONCE = 4
"""Documents that are copied at the same time, so that their chunks are embedded together; uploads leave one."""

_MOST_LATER = 20
"""Documents that fail for a passing reason before all that is left waits."""

_PASSES = 3
"""What became current in the moment in which the build began may have been overlooked by the first."""

_TOLD = 20
_COUNTED_SECONDS = 2.0
_CLEARED = 100


class OfIndexJob(Model):
    """The request of the jobs `build-index` and `clear-index`."""

    collection: str
    index: IndexRef


class Building:
    """Handles the jobs `build-index` and `clear-index`."""

    def __init__(self, parts: Parts, copying: Copying) -> None:
        self._parts, self._database, self._copying = parts, parts.database, copying

    async def build(self, job: Job) -> None:
        """Every document that is not in the index, one after another; again goes on with those still missing.

        One that fails stops no other. Raises IndexIncomplete, IndexDelayed.
        """
        what = OfIndexJob.model_validate(job.request)
        failed: dict[str, Problem] = {}
        for _ in range(_PASSES):
            if not await self._pass(job, what, failed):
                break
        total = await self._count(job, what)
        if failed:
            raise _incomplete(failed, total)

    async def _pass(self, job: Job, what: OfIndexJob, failed: dict[str, Problem]) -> bool:
        """Go through what is missing, once; false where that was nothing, or too much has failed to go on."""
        after, counted, found = "", 0.0, False
        while some := await self._next(what, after):
            if monotonic() - counted > _COUNTED_SECONDS:
                await self._count(job, what)
                counted = monotonic()
            after = some[-1].id
            fresh = [row for row in some if row.id not in failed]
            found = found or bool(fresh)
            problems = await asyncio.gather(*(self._copied(row, what.index) for row in fresh))
            failed |= {row.id: problem for row, problem in zip(fresh, problems, strict=True) if problem}
            if sum(problem.retryable for problem in failed.values()) >= _MOST_LATER:
                return False
        return found

    async def _next(self, what: OfIndexJob, after: str) -> Sequence[Row[Any]]:
        """The next few; none when all are there, or the index was dropped."""
        async with self._database.read() as connection:
            if what.index.name not in await copies.written(connection, what.collection):
                return ()
            busy = await connection.scalar(select(exists().where(versions.c.state.in_(AT_WORK))))
            most = 1 if busy else _AT_ONCE
            return await copies.lacking(connection, what.collection, what.index.name, after=after, limit=most)

    async def _copied(self, document: Row[Any], index: IndexRef) -> Problem | None:
        try:
            async with only_problems("the copying"):
                await self._copying.copy(document.current, index)
        except Problem as problem:
            return problem
        return None

    async def _count(self, job: Job, what: OfIndexJob) -> int:
        async with self._database.read() as connection:
            done, total = await copies.progress(connection, what.collection, what.index.name)
        await self._parts.jobs.progress(job.id, done, total)
        return total

    async def clear(self, job: Job) -> None:
        """Remove what stands in the index and elsewhere too; what is on its way into the history goes on."""
        what = OfIndexJob.model_validate(job.request)
        here = versions.c.index_name == what.index.name, documents.c.collection == what.collection
        held = versions.c.state.in_(("current", copies.STANDING, copies.FILLING))
        after = ""
        while True:
            query = select(versions).join(documents).where(*here, held, versions.c.id > after)
            async with self._database.write() as connection:
                rows = (await connection.execute(query.order_by(versions.c.id).limit(_CLEARED))).all()
                if not rows or what.index.name in await copies.written(connection, what.collection):
                    return
                # A current version's own passages are kept where they are the only ones.
                gone = [
                    row
                    for row in rows
                    if row.copy_of is not None or len(await copies.standing(connection, row.id)) > 1
                ]
                await copies.strip(connection, self._parts.jobs, gone, what.collection)
            after = rows[-1].id


def _incomplete(failed: Mapping[str, Problem], total: int) -> Problem:
    """Titles only: what a problem says in detail may be for the document's readers."""
    told = [
        {"document": document, "title": problem.document()["title"]}
        for document, problem in islice(failed.items(), _TOLD)
    ]
    names = ", ".join(f"{one['document']} ({one['title']})" for one in told[:3])
    more = " and others" if len(failed) > len(told[:3]) else ""
    says = f"{len(failed)} of {total} documents could not be put into the index: {names}{more}"
    if any(problem.retryable for problem in failed.values()):
        return IndexDelayed(f"{says}; they are tried again", documents=told, failed=len(failed))
    return IndexIncomplete(f"{says}; mend them and retry the run", documents=told, failed=len(failed))


async def forgotten(connection: AsyncConnection, parts: Parts, collection: str, index: IndexRef) -> None:
    """An index that was dropped: nothing is written there any more, and a job clears it."""
    row = generations.c.collection == collection, generations.c.name == index.name
    run = await connection.scalar(select(generations.c.run).where(*row))
    await connection.execute(delete(generations).where(*row))
    # What has ended stays as it is, and may be forgotten already.
    if run is not None and await connection.scalar(select(jobs.c.id).where(jobs.c.id == run)):
        await parts.jobs.cancel(connection, run)
    what = OfIndexJob(collection=collection, index=index)
    job = await parts.jobs.enqueue(connection, "clear-index", what, subject=collection)
    later = now() + timedelta(seconds=parts.settings.dropped_index_seconds)
    await connection.execute(update(jobs).where(jobs.c.id == job).values(next_attempt_at=later))
