"""Changes to documents: fields, access, and their end."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import CollectionMissing, Lookup
from muniment.documents import access, registry, run_store
from muniment.documents.attaching import removed
from muniment.documents.base import (
    AccessChanged,
    DocumentChanged,
    Found,
    OfDocumentJob,
    PurgeJob,
)
from muniment.documents.changes import rewrite
from muniment.documents.contract import (
    Access,
    ById,
    ByKey,
    Document,
    DocumentMissing,
    PurgeCollection,
    SetAccess,
    UpdateDocument,
)
from muniment.documents.fields import Layer, given, patch
from muniment.documents.keys import unfit
from muniment.documents.reading import Reading
from muniment.documents.store import purges
from muniment.documents.upkeep import clean
from muniment.identity.contract import Ids, Subjects
from muniment.kernel.caller import caller
from muniment.kernel.logs import get_logger
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Problem, Unavailable

_log = get_logger(__name__)


class Changing(Reading):
    """The use cases that change documents. What the caller may read but not change is forbidden."""

    async def update(self, request: UpdateDocument) -> Document:
        """Null clears a field; metadata are replaced as a whole."""
        found = await self._to_change(request.id)
        change = given(request, request.metadata, nulls=True)
        async with self._database.write() as connection:
            row = await self._locked(connection, found)
            gone = row.metadata if "metadata" in request.model_fields_set else {}
            patched = patch(Layer.model_validate(row.patched), change, gone=gone)
            if await rewrite(connection, row, patched):
                await self._enqueue(connection, "reindex", row)
            await self._enqueue(connection, "access", row)
            await self._outbox.put(connection, "document.updated", _changed(row))
            fresh = await registry.document(connection, row.id)
        try:
            await self._parts.indexing.push(request.id)
        except Problem as problem:
            if not problem.retryable:
                raise
            _log.warning("filters lag", document=request.id, detail=problem.detail)  # the job will see to it
        assert fresh is not None
        return await self._document(found._replace(row=fresh))

    async def _enqueue(self, connection: AsyncConnection, kind: str, row: Row[Any]) -> None:
        job = OfDocumentJob(document=row.id)
        run = await self._jobs.enqueue(connection, kind, job, subject=row.collection)
        if kind == "reindex":
            who = {"principal": caller().principal, "collection": row.collection, "document": row.id}
            await run_store.put(connection, [{"id": run, "kind": kind, **who}])

    async def get_access(self, request: ById) -> Access:
        """For those who may change it."""
        return await self._access((await self._to_change(request.id)).row)

    async def set_access(self, request: SetAccess) -> Access:
        """In force in SQL with the commit; answered once the index knows whom it opens the document to.

        What came attached to it is changed in the same way.
        """
        found = await self._to_change(request.id)
        for field in ("access_level", "owner"):
            if field in request.model_fields_set and getattr(request, field) is None:
                raise unfit(field, "cannot be cleared: give a value, or leave it out")
        if request.owner is not None and not request.owner.startswith("user:"):
            raise unfit("owner", "must be a user, as in user:ada")
        ids = await self._ids((*((request.owner,) if request.owner else ()), *(request.grants or ())))
        async with self._database.write() as connection:
            row = await self._locked(connection, found)
            rows = [row, *await registry.attached(connection, row.id)]
            opening = {one.id: await self._regrant(connection, one, request, ids) for one in rows}
            fresh = await registry.document(connection, row.id)
        for document, is_opened in opening.items():
            await self._tell_index(document, opening=is_opened)
        assert fresh is not None
        return await self._access(fresh)

    async def _regrant(
        self, connection: AsyncConnection, row: Row[Any], request: SetAccess, ids: Mapping[str, str]
    ) -> bool:
        """Change what the request says; whether that opens the document to anybody."""
        before = access.holding(row)
        after = before._replace(
            level=request.access_level or before.level,
            owner=ids[request.owner] if request.owner else before.owner,
            grants=tuple(sorted({ids[name] for name in request.grants or ()}))
            if "grants" in request.model_fields_set
            else before.grants,
        )
        if after != before:
            await registry.regrant(connection, row, after)
            await self._enqueue(connection, "access", row)
            event = AccessChanged(document=row.id, collection=row.collection, acl_version=row.acl_version + 1)
            await self._outbox.put(connection, "access.changed", event)
        return not access.readers(after) <= access.readers(before)

    async def _tell_index(self, document: str, *, opening: bool) -> None:
        """Wait for the index; what only closes holds without it, since every hit is looked at again."""
        try:
            await self._parts.indexing.push(document)
        except Problem as problem:
            if not problem.retryable:
                raise
            _log.warning("readers lag", document=document, detail=problem.detail)
            if opening:
                raise Unavailable(
                    "the change is kept, but the index cannot yet be told: until it is, those newly let in do "
                    "not find the document; ask again",
                    document=document,
                ) from problem

    async def _ids(self, names: Sequence[str]) -> dict[str, str]:
        if not names:
            return {}
        asked = tuple(dict.fromkeys(names))
        return dict(zip(asked, (await self._parts.identity.subject_ids(Subjects(names=asked))).ids, strict=True))

    async def _access(self, row: Row[Any]) -> Access:
        ids = tuple(sorted({*row.grants, *([row.owner] if row.owner else [])}))
        names = (await self._parts.identity.subject_names(Ids(ids=ids))).names if ids else {}
        return Access(
            access_level=row.access_level,
            owner=names.get(row.owner),
            grants=tuple(sorted(names[grant] for grant in row.grants if grant in names)),
        )

    async def delete(self, request: ById) -> Nothing:
        """The rows go with the commit, and with them every hit; points and bytes follow at once, or by a job."""
        await self._delete(await self._to_change(request.id))
        return Nothing()

    async def delete_by_key(self, request: ByKey) -> Nothing:
        """Within one collection."""
        caller().require("documents:write")
        refs = (await self._parts.collections.lookup(Lookup(collections=(request.collection,)))).items
        ref = next((r for r in refs if r.id not in caller().withheld), None)
        row: Row[Any] | None = None
        visible = False
        if ref is not None:
            async with self._database.read() as connection:
                row = (await registry.by_key(connection, ref.id, [request.key])).get(request.key)
                counts = await registry.count_readable(connection, caller(), [ref.id])
            visible = ref.visible or bool(counts)
        if not visible:
            name = request.collection
            raise CollectionMissing(f"no collection {name} that you may see", collection=name)
        if row is None or not access.may_read(access.holding(row), caller()):
            raise DocumentMissing(f"no document {request.key} that you may read", key=request.key)
        await self._delete(await self._to_change(row.id))
        return Nothing()

    async def _delete(self, found: Found) -> None:
        async with self._database.write() as connection:
            row = await self._locked(connection, found)
            jobs = await removed(connection, self._parts, row)
        try:
            for job in jobs:
                await clean(self._parts, job)
        except Problem as problem:
            if not problem.retryable:
                raise
            _log.warning("points lag", document=row.id, detail=problem.detail)

    async def purge_collection(self, request: PurgeCollection) -> Nothing:
        """One job, with the id of the run that was promised."""
        async with self._database.write() as connection:
            query = select(purges.c.run).where(purges.c.collection == request.id)
            if (await connection.execute(query)).first() is not None:
                return Nothing()
            await connection.execute(insert(purges), {"collection": request.id, "run": request.run})
            job = PurgeJob(collection=request.id)
            await self._jobs.enqueue(connection, "purge", job, job_id=request.run, subject=request.id)
            who = caller().principal
            run = {"id": request.run, "kind": "purge", "collection": request.id, "principal": who}
            await run_store.put(connection, [run])
        return Nothing()


def _changed(row: Row[Any]) -> DocumentChanged:
    return DocumentChanged(id=row.id, collection=row.collection, key=row.key, version=None)
