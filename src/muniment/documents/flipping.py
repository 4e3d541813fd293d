"""The moment in which a version becomes the current one, with all that changes in that moment."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from prometheus_client import Counter
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.documents import ingest_store, registry
from muniment.documents.attaching import Attaching, Enclosed
from muniment.documents.base import Clean, DocumentChanged, OfDocumentJob, Parts, Retire, blob_key
from muniment.documents.history import retired
from muniment.documents.indexing import document_payload, made_at, modified_at
from muniment.documents.ingest_store import AT_WORK, Work
from muniment.documents.target import Target
from muniment.kernel.blobs import BlobMissing
from muniment.kernel.jobs import Job
from muniment.kernel.model import now
from muniment.kernel.problems import Unavailable

_MOST_FLIPS = 1000

_ingested = Counter("muniment_documents_ingested", "Versions that became current.")


class Flip:
    """The last step of an ingestion: one transaction, so that nobody sees both versions, or none."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._database, self._indexing = parts, parts.database, parts.indexing

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
                    _ingested.inc()
                await self._settle(enclosed, attaching.adopted)
                return flipped
            await self._refresh(work, target)
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
        if fresh.acl_version != document.acl_version:
            return None
        before = await registry.version(connection, document.current)
        if before is not None and before.number > fresh.number:
            await ingest_store.step(connection, version, {"state": "retired"})
            clean = Clean(index=target.index_name, versions=(version,), blobs=False)
            await self._parts.jobs.enqueue(connection, "clean", clean, subject=document.collection)
            return True
        # Under the lock, and no earlier than what came before, whatever clocks say: at no time are two current.
        at = max(now(), fresh.created_at, *(() if before is None else (before.current_from,)))
        values = {"state": "current", "current_from": at, "indexed_chunks": fresh.chunks}
        if not await ingest_store.step(connection, version, values):
            return False  # cancelled since it was read
        if before is not None:
            await registry.change_version(connection, before.id, retired(document, before, at))
            retire = Retire(document=document.id, version=before.id, index=before.index_name)
            # Ahead of the documents that wait: until then every search meets the replaced version's points.
            await self._parts.jobs.enqueue(connection, "retire", retire, subject=document.collection, ahead=True)
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

    async def _refresh(self, work: Work, target: Target) -> None:
        """Tell the points what has changed since they were made."""
        async with self._database.read() as connection:
            fresh = await ingest_store.work(connection, work.version.id)
        if fresh is None:
            return
        seen = registry.seen(fresh.document, fresh.version)
        payload = document_payload(fresh.document, seen, fresh.version, whole=True)
        await self._indexing.set_version(target.index_name, fresh.version.id, payload)
        async with self._database.write() as connection:
            values = {"acl_version": fresh.document.acl_version}
            await ingest_store.step(connection, fresh.version.id, values)
