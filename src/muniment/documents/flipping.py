"""The moment in which a version becomes the current one, with all that changes in that moment."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from prometheus_client import Counter
from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.documents import copies, ingest_store, registry
from muniment.documents.attaching import Attaching, Enclosed
from muniment.documents.base import DocumentChanged, OfDocumentJob, Parts, Retire, blob_key
from muniment.documents.copies import FILLING
from muniment.documents.copying import Copying, stood
from muniment.documents.history import retired
from muniment.documents.indexing import document_payload, made_at, modified_at
from muniment.documents.ingest_store import AT_WORK, Work
from muniment.documents.target import Target
from muniment.kernel.blobs import BlobMissing
from muniment.kernel.jobs import Job
from muniment.kernel.model import now
from muniment.kernel.problems import Unavailable

_MOST_FLIPS = 1000

ingested = Counter("muniment_documents_ingested", "Versions that became current.")


class _Sets(NamedTuple):
    """A version and its copies, and the indexes in which it is to stand."""

    rows: Sequence[Row[Any]]
    wanted: frozenset[str]


class Flip:
    """The last step of an ingestion: one transaction, so that nobody sees both versions, or none."""

    def __init__(self, parts: Parts, copying: Copying) -> None:
        self._parts, self._database, self._indexing = parts, parts.database, parts.indexing
        self._copying = copying

    async def flip(self, job: Job, work: Work, target: Target, enclosed: Sequence[Enclosed]) -> bool:
        """Make the version the current one, with points that say what the tables say at that very moment."""
        for _ in range(_MOST_FLIPS):
            attaching = Attaching(self._parts, target.collection, enclosed)
            try:
                async with self._database.write() as connection:
                    flipped = await self._flipped(connection, job, work, target, attaching)
            except IntegrityError:
                continue  # an upload took the key that an attachment was to have
            if flipped is not None:
                if flipped:
                    ingested.inc()
                await self._settle(enclosed, attaching.adopted)
                return flipped
            await self._refresh(work)
        raise Unavailable("others keep changing the document or the keys of its attachments; it is tried again")

    async def _settle(self, enclosed: Sequence[Enclosed], adopted: Mapping[str, str]) -> None:
        """Bytes go where their versions look for them, unless the ingestion of these was faster."""
        for file in enclosed:
            version = adopted.get(file.staged.key)
            if version is None:
                await self._parts.blobs.delete(file.staged.key)
                continue
            with suppress(BlobMissing):
                await self._parts.blobs.adopt(file.staged.key, blob_key(version))

    async def _flipped(
        self, connection: AsyncConnection, job: Job, work: Work, target: Target, attaching: Attaching
    ) -> bool | None:
        """Whether it was done; None when the points are to be refreshed first."""
        version = work.version.id
        document = await registry.document(connection, work.document.id, lock=True)
        fresh = await registry.version(connection, version)
        if document is None or fresh is None or fresh.state not in AT_WORK:
            return False
        sets = await self._sets(connection, document, fresh)
        if sets is None:
            return None
        before = await registry.version(connection, document.current)
        if before is not None and before.number > fresh.number:
            await ingest_store.step(connection, version, {"state": "retired"})
            await copies.given_up(connection, self._parts.jobs, fresh, document.collection)
            return True
        # Under the lock, and no earlier than what came before, whatever clocks say: at no time are two current.
        at = max(now(), fresh.created_at, *(() if before is None else (before.current_from,)))
        values = {"state": "current", "current_from": at, "indexed_chunks": fresh.chunks}
        if not await ingest_store.step(connection, version, values):
            return False  # cancelled since it was read
        await self._settle_sets(connection, document, fresh, sets, at)
        if before is not None:
            await self._replace(connection, document, before, target, at)
        await ingest_store.progress(connection, job.id, fresh.chunks, fresh.chunks)
        seen = registry.seen(document, fresh)
        columns = registry.columns_of(
            seen, created_at=made_at(document.id), modified_at=modified_at(document, fresh)
        )
        await registry.change(connection, document.id, {**columns, "current": version})
        if attaching.enclosed or before is not None:
            await attaching.attach(connection, document, fresh)
        if seen.title != fresh.title:
            await self._parts.jobs.enqueue(
                connection,
                "reindex",
                OfDocumentJob(document=document.id),
                subject=document.collection,
            )
        event = "document.created" if before is None else "document.updated"
        what = DocumentChanged(
            id=document.id, collection=document.collection, key=document.key, version=fresh.number
        )
        await self._parts.outbox.put(connection, event, what)
        return True

    async def _sets(self, connection: AsyncConnection, document: Row[Any], version: Row[Any]) -> _Sets | None:
        """The version and its copies; None while one of the indexes lacks it, or knows what is older."""
        sets = await copies.sets_of(connection, version.id)
        wanted = await copies.written(connection, document.collection) or {version.index_name}
        whole = {row.index_name for row in sets if row.copy_of is None or row.indexed_chunks == row.chunks}
        stale = any(row.acl_version != document.acl_version for row in sets if row.index_name in wanted)
        return None if stale or not whole >= set(wanted) else _Sets(sets, frozenset(wanted))

    async def _settle_sets(
        self,
        connection: AsyncConnection,
        document: Row[Any],
        version: Row[Any],
        sets: _Sets,
        at: datetime,
    ) -> None:
        """Every copy stands from now on; what is in an index that was dropped meanwhile goes."""
        gone = [row for row in sets.rows if row.index_name not in sets.wanted]
        await copies.strip(connection, self._parts.jobs, gone, document.collection)
        for row in sets.rows:
            if row.index_name in sets.wanted and row.copy_of is not None:
                await registry.change_version(connection, row.id, stood(version, current_from=at))

    async def _replace(
        self, connection: AsyncConnection, document: Row[Any], before: Row[Any], target: Target, at: datetime
    ) -> None:
        """What was current until now is history: one set of its points moves there, others go."""
        over = retired(document, before, at)
        sets = await copies.sets_of(connection, before.id)
        kept = copies.searched(copies.whole(sets), target.collection)
        rest = [row for row in sets if kept is None or row.id != kept.id]
        gone = [row for row in rest if row.index_name is not None]
        await copies.strip(connection, self._parts.jobs, gone, document.collection)
        await registry.change_version(connection, before.id, over)
        if kept is not None:
            if kept.copy_of is not None:
                await registry.change_version(connection, kept.id, {**over, "said": before.said})
            retire = Retire(document=document.id, version=kept.id, index=kept.index_name)
            # Ahead of the documents that wait: until then every search meets the replaced version's points.
            await self._parts.jobs.enqueue(connection, "retire", retire, subject=document.collection, ahead=True)

    async def _refresh(self, work: Work) -> None:
        """Put what is missing into its index, and tell the points what has changed since they were made."""
        version = work.version.id
        async with self._database.read() as connection:
            wanted = await copies.written(connection, work.document.collection)
        for name in sorted(wanted):
            await self._copying.copy(version, wanted[name])
        async with self._database.read() as connection:
            fresh = await ingest_store.work(connection, version)
            sets = await copies.sets_of(connection, version)
        if fresh is None:
            return
        seen = registry.seen(fresh.document, fresh.version)
        payload = document_payload(fresh.document, seen, fresh.version, whole=True)
        for row in sets:
            if row.acl_version == fresh.document.acl_version:
                continue
            await self._indexing.set_version(row.index_name, row.id, payload)
            async with self._database.write() as connection:
                values = {"acl_version": fresh.document.acl_version}
                await registry.change_version(connection, row.id, values, states=(*AT_WORK, FILLING))
