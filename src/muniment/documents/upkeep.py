"""What is done behind the scenes: the index catches up, and what nobody reads any more goes."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, delete, exists, or_, select, update

from muniment.collections.contract import HISTORY, Collections, IndexRef, Lookup, Purged
from muniment.documents import copies, run_store
from muniment.documents.base import Clean, OfDocumentJob, Parts, PurgeJob, blob_key
from muniment.documents.building import forgotten
from muniment.documents.history import History
from muniment.documents.ingest_store import AT_WORK
from muniment.documents.store import documents, generations, jobs, uploads, versions
from muniment.kernel.jobs import Job
from muniment.kernel.logs import get_logger
from muniment.kernel.model import now

_log = get_logger(__name__)
_AT_ONCE = 200


class Upkeep:
    """Handles the jobs `access`, `clean` and `purge`, and sweeps."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._database, self._indexing = parts, parts.database, parts.indexing
        self._collections: Collections = parts.collections
        self._history = History(parts)

    async def access(self, job: Job) -> None:
        """Bring the index to what the tables say of a document, if the request that changed it could not."""
        await self._indexing.push(OfDocumentJob.model_validate(job.request).document)

    async def clean(self, job: Job) -> None:
        """Remove points, and blobs where nothing reads them any more.

        A version that was given up may have been taken up again since: its points are not ours to remove, unless
        it stands in another index.
        """
        what = Clean.model_validate(job.request)
        # What was current once is for the job `retire` to move.
        over = or_(
            versions.c.state == "failed", and_(versions.c.state == "retired", versions.c.current_from.is_(None))
        )
        query = select(versions.c.id, versions.c.index_name).where(versions.c.id.in_(what.versions), ~over)
        async with self._database.read() as connection:
            alive = {row.id: row.index_name for row in await connection.execute(query)}
        dead = tuple(version for version in what.versions if version not in alive)
        moved = tuple(version for version, index in alive.items() if index != what.index)
        if dead:
            await clean(self._parts, what.model_copy(update={"versions": dead}))
        if moved:
            await clean(self._parts, what.model_copy(update={"versions": moved, "blobs": False}))

    async def purge(self, job: Job) -> None:
        """Remove all documents of a deleted collection, then say so."""
        collection = PurgeJob.model_validate(job.request).collection
        of_collection = documents.c.collection == collection
        query = select(versions.c.index_name).distinct().join(documents).where(of_collection)
        async with self._database.read() as connection:
            known = {name.removesuffix(HISTORY) for name in (await connection.scalars(query)).all() if name}
        indexes = [index + ending for index in sorted(known) for ending in ("", HISTORY)]
        done = 0
        while True:
            async with self._database.read() as connection:
                some = (
                    await connection.scalars(select(documents.c.id).where(of_collection).limit(_AT_ONCE))
                ).all()
                gone = versions.c.document.in_(some)
                blobs = (await connection.scalars(select(versions.c.id).where(gone))).all()
            if not some:
                break
            for index in indexes:
                await self._indexing.remove(index, "document", some)
            for version in blobs:
                await self._parts.blobs.delete(blob_key(version))
            async with self._database.write() as connection:
                await connection.execute(delete(documents).where(documents.c.id.in_(some)))
            done += len(some)
            await self._parts.jobs.progress(job.id, done, done)
        for index in indexes:  # what became current between the removal of its points and that of its row
            await self._indexing.remove(index, "collection", [collection])
        async with self._database.write() as connection:
            await connection.execute(delete(generations).where(generations.c.collection == collection))
        await self._collections.purged(Purged(collection=collection))

    async def sweep(self) -> None:
        """Every so often, for ever."""
        settings = self._parts.settings
        old = timedelta(hours=settings.staging_hours)
        while True:
            await self._give_up_lost()
            await self._history.expire()
            await self._forget_dropped()
            async with self._database.write() as connection:
                before = now() - old
                await connection.execute(delete(uploads).where(uploads.c.created_at < before))
                # Nobody was given the id of a job that only keeps the index in step.
                done = (jobs.c.state == "succeeded", jobs.c.kind.in_(("access", "clean", "clear-index", "retire")))
                await connection.execute(delete(jobs).where(*done, jobs.c.ended_at < before))
            await self._trim()
            swept = await self._parts.blobs.sweep(old.total_seconds())
            if swept:
                _log.info("swept", staged=swept)
            await asyncio.sleep(settings.sweep_seconds)

    async def _forget_dropped(self) -> None:
        """Indexes that collections dropped while this room was cut off before it took note."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(generations))).all()
        ids = tuple(sorted({row.collection for row in rows}))
        refs = (await self._collections.lookup(Lookup(collections=ids))).items if ids else ()
        written = {(ref.id, index.name) for ref in refs for index in ref.written}
        for row in rows:
            gone = (row.collection, row.name) not in written
            if not gone or row.collection not in {ref.id for ref in refs}:
                continue  # of a deleted collection all is purged
            index = IndexRef(name=row.name, model=row.model, recipe=row.recipe, generation=row.generation)
            async with self._database.write() as connection:
                await forgotten(connection, self._parts, row.collection, index)

    async def _trim(self) -> None:
        """Forget runs that ended long ago, some at a time: others want to write as well."""
        before = now() - timedelta(days=self._parts.settings.run_days)
        while True:
            async with self._database.read() as connection:
                some = await run_store.outdated(connection, before, _AT_ONCE)
            if not some:
                return
            async with self._database.write() as connection:
                await run_store.forget(connection, some)

    async def _give_up_lost(self) -> None:
        """A version whose job ended without a word of it (its workers died) is failed, not at work for ever."""
        its_job = jobs.c.id == versions.c.run
        lost = and_(versions.c.state.in_(AT_WORK), jobs.c.state == "failed")
        columns = versions.c.id, versions.c.index_name, jobs.c.subject, jobs.c.problem.label("reason")
        query: Select[Any] = select(*columns)
        async with self._database.read() as connection:
            found = (await connection.execute(query.join(jobs, its_job).where(lost))).all()
        for row in found:
            # The job may have been retried since.
            still = update(versions).where(versions.c.id == row.id, exists().where(its_job, lost))
            async with self._database.write() as connection:
                done = await connection.execute(still.values(state="failed", problem=row.reason))
                if done.rowcount:
                    await copies.given_up(connection, self._parts.jobs, row, row.subject)


async def clean(parts: Parts, what: Clean) -> None:
    """Remove the points and blobs of versions; twice is as once."""
    if what.index is not None:
        await parts.indexing.remove(what.index, "version", what.versions)
    if what.blobs:
        for version in what.versions:
            await parts.blobs.delete(blob_key(version))
