"""The index's copy of what the tables say: who reads a point, and what it is filtered by."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import HISTORY
from muniment.documents import access, registry
from muniment.documents.fields import Effective, filterable
from muniment.documents.store import documents, versions
from muniment.kernel.database import Database
from muniment.vectors.contract import AnyOf, DeletePoints, Filter, IndexMissing, Payload, SetPayload, Vectors

_TO_BASE_32 = str.maketrans("0123456789abcdefghjkmnpqrstvwxyz", "0123456789abcdefghijklmnopqrstuv")
"""From Crockford's digits, in which ids are written, to those that Python reads."""


class Indexing:
    """Writes to the index, one at a time for each document, and never as the last one what is older."""

    def __init__(self, database: Database, vectors: Vectors) -> None:
        self.vectors = vectors
        self._database = database
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def lock(self, document_id: str) -> asyncio.Lock:
        """Held over reading what the tables say of a document and writing it to its points."""
        return self._locks.setdefault(document_id, asyncio.Lock())

    async def push(self, document_id: str) -> None:
        """Make the document's points say what its tables say; returns at once when they do.

        Raises what the index raises; then the points say what they said.
        """
        async with self.lock(document_id):
            # Another process may have written what is newer before we wrote what is older: then once more, though
            # it has noted that the index has it.
            written = False
            while not await self._pushed(document_id, again=written):
                written = True

    async def _pushed(self, document_id: str, *, again: bool) -> bool:
        """Whether there is nothing newer than what the index has now."""
        async with self._database.read() as connection:
            row = await registry.document(connection, document_id)
            if row is None or (row.indexed_acl == row.acl_version and not again):
                return True
            current = await registry.version(connection, row.current)
            indexes = await _indexes(connection, document_id)
        now = document_payload(row, registry.seen(row, current), current, whole=True)
        for index in indexes:
            payload = access_payload(row) if index.endswith(HISTORY) else now
            await self._set(index, "document", document_id, payload)
        async with self._database.write() as connection:
            same = (documents.c.id == document_id, documents.c.acl_version == row.acl_version)
            done = await connection.execute(update(documents).where(*same).values(indexed_acl=row.acl_version))
        return bool(done.rowcount)

    async def set_version(self, index: str, version_id: str, payload: Payload) -> None:
        """Replace these keys on the points of one version."""
        await self._set(index, "version", version_id, payload)

    async def _set(self, index: str, field: str, value: str, payload: Payload) -> None:
        try:
            await self.vectors.set_payload(SetPayload(index=index, filter=_where(field, [value]), payload=payload))
        except IndexMissing:
            return  # no points, nothing to change

    async def remove(self, index: str, field: str, values: Sequence[str]) -> None:
        """Delete the points whose `field` is one of the values."""
        try:
            await self.vectors.delete(DeletePoints(index=index, filter=_where(field, values)))
        except IndexMissing:
            return


async def _indexes(connection: AsyncConnection, document_id: str) -> list[str]:
    """Where the document may have points; those of a retired version may be on their way into the history."""
    query = select(versions.c.index_name, versions.c.state).where(versions.c.document == document_id).distinct()
    known = [(name, state) for name, state in await connection.execute(query) if name]
    coming = {name.removesuffix(HISTORY) + HISTORY for name, state in known if state == "retired"}
    return sorted({name for name, _ in known} | coming)


def _where(field: str, values: Sequence[str]) -> Filter:
    return (AnyOf(field=field, values=tuple(values)),)


def access_payload(row: Row[Any]) -> Payload:
    """What every point of a document says of who reads it, those of earlier versions too."""
    readers = access.readers(access.holding(row))
    return {"readers": tuple(sorted(readers)), "access_level": row.access_level}


def point_payload(row: Row[Any], seen: Effective, version: Row[Any]) -> Payload:
    """What points say that are made for a version which is, or is to be, the current one.

    When it becomes so is not known yet. Its upload is no later, and hydration knows exactly.
    """
    return {**document_payload(row, seen, version), "current_from": version.created_at.isoformat()}


def document_payload(row: Row[Any], seen: Effective, version: Row[Any] | None, *, whole: bool = False) -> Payload:
    """What every point of a document says, when `version` is what its readers see; `whole` clears the rest."""
    columns = registry.columns_of(seen, created_at=made_at(row.id), modified_at=modified_at(row, version))
    return {
        **filterable(seen, whole=whole),
        **access_payload(row),
        "collection": row.collection,
        "document": row.id,
        "key": row.key,
        "created_at": columns["created_at"].isoformat(),
        "modified_at": columns["modified_at"].isoformat(),
    }


def made_at(document_id: str) -> datetime:
    """When the document was first uploaded, which its id tells: its first 48 bits are milliseconds."""
    number = int(document_id.rpartition("_")[2].translate(_TO_BASE_32), 32)
    return datetime.fromtimestamp((number >> 80) / 1000, UTC)


def modified_at(row: Row[Any], version: Row[Any] | None) -> datetime:
    """When these bytes were uploaded; an id is made a moment after the upload's time was taken."""
    return made_at(row.id) if version is None else max(version.created_at, made_at(row.id))
