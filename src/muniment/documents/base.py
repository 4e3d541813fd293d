"""What all of documents' use cases stand on, and its settings."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import CollectionRef, Collections, Lookup
from muniment.documents import access, registry
from muniment.documents.contract import DocumentMissing
from muniment.documents.indexing import Indexing
from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.pool import Parsers
from muniment.documents.recent import RecentChunks
from muniment.embedding.contract import Embedding
from muniment.identity.contract import Identity
from muniment.kernel.blobs import Blobs
from muniment.kernel.caller import caller
from muniment.kernel.database import Database
from muniment.kernel.jobs import Jobs
from muniment.kernel.model import Model
from muniment.kernel.outbox import Outbox
from muniment.kernel.problems import Forbidden

UNKNOWN_TYPE = "application/octet-stream"
"""The media type of bytes of which nobody said what they are; parsing finds out."""


class DocumentsSettings(ParserSettings):
    """How much is taken, and how much is done at once."""

    max_file_bytes: int = Field(
        default=1_000_000_000, ge=1, lt=1 << 31, description="The largest file that is taken, in bytes."
    )
    ingest_at_once: int = Field(
        default=32,
        ge=1,
        le=256,
        description="How many documents are ingested at the same time; of a collection's files above 1 MB a "
        "quarter of that.",
    )
    staging_hours: float = Field(
        default=24,
        gt=0,
        description="How long bytes that arrived, and an Idempotency-Key, are kept for their upload.",
    )
    run_days: float = Field(
        default=30, gt=0, description="How many days ended runs are kept; failed ones until someone drops them."
    )
    queue_limit: int = Field(
        default=200_000, ge=1, description="Documents that may wait for their ingestion; further ones are refused."
    )
    free_disk_mb: int = Field(
        default=200, ge=0, description="Free space on the data folder's disk, in MB, below which nothing is taken."
    )
    sweep_seconds: float = Field(default=600, gt=0, description="How often what was left over is looked for.")
    dropped_index_seconds: float = Field(
        default=60, ge=0, description="How long an index that was dropped stays, for searches that began before."
    )
    history_days: int | None = Field(
        default=None,
        ge=0,
        le=36_500,
        description="How many days replaced versions are kept, readable and searchable as of their time, in "
        "collections that say nothing else; 0 keeps none, unset keeps all.",
    )


class OfVersionJob(Model):
    """The request of the job `ingest`."""

    version: str


class OfDocumentJob(Model):
    """The request of the jobs `reindex` and `access`."""

    document: str


class Clean(Model):
    """The request of the job `clean`: points and blobs that nobody reads any more."""

    index: str | None
    versions: tuple[str, ...]
    blobs: bool


class Retire(Model):
    """The request of the job `retire`: a version that was replaced, and the index in which it was current."""

    document: str
    version: str
    index: str


class PurgeJob(Model):
    """The request of the job `purge`."""

    collection: str


class DocumentChanged(Model):
    """The data of the events `document.created`, `document.updated` and `document.deleted`."""

    id: str
    collection: str
    key: str
    version: int | None


class AccessChanged(Model):
    """The data of the event `access.changed`."""

    document: str
    collection: str
    acl_version: int


class RunChanged(Model):
    """The data of the event `task.run.changed`."""

    id: str
    kind: str
    state: str


@dataclass(frozen=True)
class Parts:
    """What the room is made of."""

    settings: DocumentsSettings
    data: Path
    database: Database
    jobs: Jobs
    outbox: Outbox
    blobs: Blobs
    identity: Identity
    collections: Collections
    embedding: Embedding
    indexing: Indexing
    parsers: Parsers


class Found(NamedTuple):
    """A document that the caller may read, its collection, and whether the caller may change it."""

    row: Row[Any]
    collection: CollectionRef
    writable: bool


class Base:
    """The parts that use cases share."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._database, self._jobs, self._outbox = parts.database, parts.jobs, parts.outbox
        # Names never change and ids are never reused; who may not see one any more has it withheld.
        self._names: dict[str, str] = {}
        self._recent = RecentChunks(parts.database)

    async def _readable(self, connection: AsyncConnection, document_id: str, *, lock: bool = False) -> Row[Any]:
        """Raises DocumentMissing for what the caller may not read, too."""
        row = await registry.document(connection, document_id, lock=lock)
        if row is None or not access.may_read(access.holding(row), caller()):
            raise missing(document_id)
        return row

    async def _found(self, row: Row[Any]) -> Found:
        """Raises DocumentMissing when the collection is gone."""
        refs = (await self._parts.collections.lookup(Lookup(collections=(row.collection,)))).items
        if not refs:
            raise missing(row.id)
        self._names[row.collection] = refs[0].name
        return Found(row, refs[0], access.may_write(access.holding(row), caller(), refs[0]))

    async def _to_change(self, document_id: str) -> Found:
        """Raises DocumentMissing for what the caller may not read, Forbidden for what they may not change."""
        caller().require("documents:write")
        async with self._database.read() as connection:
            row = await self._readable(connection, document_id)
        found = await self._found(row)
        require_writable(found)
        return found

    async def _locked(self, connection: AsyncConnection, found: Found) -> Row[Any]:
        """The document as it is under its lock; the caller's right to change it is looked at again."""
        row = await self._readable(connection, found.row.id, lock=True)
        require_writable(
            Found(row, found.collection, access.may_write(access.holding(row), caller(), found.collection))
        )
        return row

    async def _named(self, collections: set[str]) -> dict[str, str]:
        """Names by id of those collections that exist."""
        unknown = tuple(sorted(collections - self._names.keys()))
        if unknown:
            refs = (await self._parts.collections.lookup(Lookup(collections=unknown))).items
            self._names |= {ref.id: ref.name for ref in refs}
        return {c: self._names[c] for c in collections if c in self._names}


def require_writable(found: Found) -> None:
    """Raises Forbidden."""
    if not found.writable:
        raise Forbidden(
            f"you may read {found.row.id} but not change it; its owner or the collection's managers may",
            document=found.row.id,
        )


def blob_key(version: str) -> str:
    """Where the bytes of a version are kept."""
    return f"documents/{version}"


def cleaning(versions: Sequence[Row[Any]]) -> list[Clean]:
    """What is to be removed of versions that are gone, index by index."""
    by_index: dict[str | None, list[str]] = {}
    for version in versions:
        by_index.setdefault(version.index_name, []).append(version.id)
    return [Clean(index=index, versions=tuple(ids), blobs=True) for index, ids in by_index.items()]


async def once(data: bytes) -> AsyncIterator[bytes]:
    """Bytes that are all here, as the blob store takes them."""
    yield data


def missing(document_id: str) -> DocumentMissing:
    """The problem of a document that is not there for the caller."""
    return DocumentMissing(f"no document {document_id} that you may read", document=document_id)
