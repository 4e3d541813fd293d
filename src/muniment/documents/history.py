"""Versions that were replaced: their points move to the history index, and go when their time is over."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import HISTORY, CollectionRef, Lookup
from muniment.documents import ingest_store, registry
from muniment.documents.base import DocumentsSettings, Parts, Retire, cleaning
from muniment.documents.embedder import points_of, texts_of
from muniment.documents.fields import Layer
from muniment.documents.indexing import access_payload, document_payload
from muniment.documents.ingest_store import Work
from muniment.documents.store import documents, versions
from muniment.kernel.deadline import MOST_SECONDS, deadline
from muniment.kernel.jobs import Job
from muniment.kernel.logs import get_logger
from muniment.kernel.model import now
from muniment.vectors.contract import EnsureIndex, FetchVectors, IndexMissing, Payload, Point, Upsert

_log = get_logger(__name__)
_SLICE = 256
"""Points that move at once."""

_AT_ONCE, _MOST_SLICES = 200, 50
"""Versions that are forgotten in one transaction, and transactions in one round."""


class History:
    """Handles the job `retire`, and forgets what is kept for longer than its collection wants."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._database = parts, parts.database
        self._indexing, self._vectors = parts.indexing, parts.indexing.vectors

    async def retire(self, job: Job) -> None:
        """Move a version's points; again is as once, and of a version that is gone none are left."""
        what = Retire.model_validate(job.request)
        moved = await self._moved(what)
        # Whoever still took the version for the current one wrote its points under this lock, or sees its error.
        async with self._indexing.lock(what.document):
            await self._indexing.remove(what.index, "version", [what.version])
        if not moved:
            await self._indexing.remove(what.index + HISTORY, "version", [what.version])

    async def _moved(self, what: Retire) -> bool:
        """Put the points into the history index; false when the version is, or is to be, gone."""
        async with self._database.read() as connection:
            work = await ingest_store.work(connection, what.version)
        if work is None:
            return False
        refs = (await self._parts.collections.lookup(Lookup(collections=(work.document.collection,)))).items
        if not refs:
            return False  # its documents are being purged
        if days_kept(refs[0], self._parts.settings) == 0:
            async with self._database.write() as connection:
                await self._forget(connection, work.document.collection, [work.version])
            return False
        if work.version.index_name == what.index:
            count = await self._copy(work.version, what, refs[0].language)
            return await self._noted(what, count, work.document.acl_version)
        return True

    async def _noted(self, what: Retire, count: int, acl_version: int) -> bool:
        """Name the history index as the version's, once its points there say who reads them at that moment."""
        history = what.index + HISTORY
        while True:
            async with self._database.write() as connection:
                document = await registry.document(connection, what.document, lock=True)
                if document is None:
                    return False
                if document.acl_version == acl_version:
                    values = {"index_name": history, "indexed_chunks": count}
                    return await registry.change_version(connection, what.version, values)
            acl_version = document.acl_version
            await self._indexing.set_version(history, what.version, access_payload(document))

    async def _copy(self, version: Row[Any], what: Retire, language: str | None) -> int:
        """Put the points into the history index, with the vectors that they have; how many there are."""
        copied = 0
        for start in range(0, version.chunks, _SLICE):
            async with self._database.read() as connection:
                some = await ingest_store.pieces(connection, version.id, range(start, start + _SLICE))
            if not some:
                break
            texts = texts_of(version.title, some)
            async with self._indexing.lock(what.document):
                async with self._database.read() as connection:
                    work = await ingest_store.work(connection, version.id)
                if work is None:
                    break
                points = points_of(version.id, some, texts, language=language, payload=_payload(work))
                with suppress(IndexMissing):  # somebody removed the index: there is nothing to move
                    copied += await self._copy_some(what.index, {point.id: point for point in points})
        if copied < version.chunks:
            _log.warning("history lacks points", version=version.id, chunks=version.chunks, points=copied)
        return copied

    async def _copy_some(self, index: str, points: Mapping[UUID, Point]) -> int:
        fetched = await self._vectors.fetch(FetchVectors(index=index, ids=tuple(points)))
        if not fetched.ids:
            return 0
        history, vectors = index + HISTORY, fetched.vectors
        await self._vectors.ensure(EnsureIndex(index=history, dimensions=vectors.shape[1], lean=True))
        async with deadline(MOST_SECONDS):
            found = tuple(points[point] for point in fetched.ids)
            await self._vectors.upsert(Upsert(index=history, points=found, vectors=vectors))
        return len(found)

    async def expire(self) -> None:
        """Forget what is over its time, so much of it at once."""
        query = select(documents.c.collection).distinct().join(versions).where(versions.c.state == "retired")
        async with self._database.read() as connection:
            collections = tuple((await connection.scalars(query)).all())
        if not collections:
            return
        slices = 0
        for ref in (await self._parts.collections.lookup(Lookup(collections=collections))).items:
            days = days_kept(ref, self._parts.settings)
            if days is None:
                continue
            before = now() - timedelta(days=days)
            while slices < _MOST_SLICES and await self._expired(ref.id, before):
                slices += 1

    async def _expired(self, collection: str, before: datetime) -> bool:
        """Whether there was something to forget."""
        over = func.coalesce(versions.c.current_to, versions.c.created_at) <= before
        query: Select[Any] = (
            select(versions.c.id, versions.c.copy_of)
            .join(documents)
            .where(documents.c.collection == collection, versions.c.state == "retired", over)
            .limit(_AT_ONCE)
        )
        async with self._database.write() as connection:
            rows = (await connection.execute(query)).all()
            await self._forget(connection, collection, rows)
        return bool(rows)

    async def _forget(self, connection: AsyncConnection, collection: str, rows: Sequence[Row[Any]]) -> None:
        """Rows and text go with the commit, those of copies as well; points and bytes by a job."""
        ids = [row.copy_of or row.id for row in rows]
        family = or_(versions.c.id.in_(ids), versions.c.copy_of.in_(ids))
        query: Select[Any] = select(versions.c.id, versions.c.index_name).where(family)
        gone = (await connection.execute(query)).all()
        await connection.execute(delete(versions).where(family))
        for clean in cleaning(gone):
            await self._parts.jobs.enqueue(connection, "clean", clean, subject=collection)


def days_kept(ref: CollectionRef, settings: DocumentsSettings) -> int | None:
    """How long the collection keeps what was replaced; None for ever."""
    return settings.history_days if ref.history_days is None else ref.history_days


def retired(document: Row[Any], version: Row[Any], at: datetime) -> dict[str, Any]:
    """The columns of a version from the moment on in which the next one is current.

    What was changed by hand until then becomes its own, so that it says for ever what its readers saw.
    """
    options, patched = Layer.model_validate(version.options), Layer.model_validate(document.patched)
    own = Layer(
        fields=options.fields | patched.fields | {"title": registry.seen(document, version).title},
        metadata=options.metadata | patched.metadata,
    )
    return {"state": "retired", "current_to": at, "options": own.model_dump()}


def _payload(work: Work) -> Payload:
    """What the points said while the version was the current one, for those who may read it today."""
    version = work.version
    seen = registry.seen(work.document, version, patched=Layer())
    return {
        **document_payload(work.document, seen, version),
        "current_from": version.current_from.isoformat(),
        "current_to": version.current_to.isoformat(),
    }
