"""Documents' tables."""

from pathlib import Path

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
)

from muniment.kernel.database import Json, UtcTime
from muniment.kernel.jobs import job_table
from muniment.kernel.outbox import outbox_table

MIGRATIONS = Path(__file__).parent / "migrations"

metadata = MetaData()


def _document() -> ForeignKey:
    return ForeignKey("documents.id", ondelete="CASCADE")


def _version() -> ForeignKey:
    return ForeignKey("versions.id", ondelete="CASCADE")


documents = Table(
    "documents",
    metadata,
    Column("id", String, primary_key=True),
    Column("collection_id", String, nullable=False),
    Column("collection", String, nullable=False),
    Column("key", String, nullable=False),
    Column("access_level", String, nullable=False),
    Column("owner_id", String, nullable=False),
    # What people set, null where they cleared it; what the current version's file says stands below.
    Column("given", Json, nullable=False),
    Column("given_metadata", Json, nullable=False),
    Column("said", Json, nullable=False),
    Column("said_metadata", Json, nullable=False),
    # Say again what the fields say, to be filtered and sorted by.
    Column("title", String, nullable=False),
    Column("type", String, nullable=False),
    Column("status", String),
    Column("created_at", UtcTime, nullable=False),
    Column("modified_at", UtcTime, nullable=False),
    Column("uploaded_at", UtcTime, nullable=False),
    # The current version, and the number given last.
    Column("version_id", String),
    Column("version", Integer),
    Column("newest", Integer, nullable=False),
    # Moves with all that a point carries of its document; `indexed_acl` is what the index is known to have.
    Column("acl_version", Integer, nullable=False),
    Column("indexed_acl", Integer, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Index("documents_version", "version_id"),
)
Index(
    "documents_key",
    documents.c.collection_id,
    documents.c.key,
    unique=True,
    sqlite_where=text("NOT deleted"),
    postgresql_where=text("NOT deleted"),
)
Index(
    "documents_lagging",
    documents.c.id,
    sqlite_where=text("indexed_acl < acl_version"),
    postgresql_where=text("indexed_acl < acl_version"),
)
readers = Table(
    "readers",
    metadata,
    Column("document_id", String, _document(), primary_key=True),
    Column("token", String, primary_key=True, index=True),
)
grants = Table(
    "grants",
    metadata,
    Column("document_id", String, _document(), primary_key=True),
    Column("subject_id", String, primary_key=True),
)
versions = Table(
    "versions",
    metadata,
    Column("id", String, primary_key=True),
    Column("document_id", String, _document(), nullable=False),
    Column("number", Integer, nullable=False),
    # Made of the bytes of the current version under a new title, to take its place under the same number.
    Column("rebuild", Boolean, nullable=False, server_default=false()),
    Column("state", String, nullable=False),
    Column("problem", Json),
    Column("run", String, nullable=False),
    Column("blob", String, nullable=False),
    Column("name", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("sha256", String, nullable=False),
    Column("index_name", String, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("current_from", UtcTime),
    Column("current_to", UtcTime),
    # Said with the upload; the document's from the moment the version is current.
    Column("given", Json, nullable=False),
    Column("given_metadata", Json, nullable=False),
    Column("said", Json, nullable=False),
    Column("said_metadata", Json, nullable=False),
    Column("title", String),
    Column("language", String),
    Column("chunks", Integer, nullable=False),
    Column("pages", Json, nullable=False),
    Column("sections", Json, nullable=False),
    Index("versions_document", "document_id", "number"),
)
texts = Table(
    "texts",
    metadata,
    Column("version_id", String, _version(), primary_key=True),
    Column("text", String, nullable=False),
)
parents = Table(
    "parents",
    metadata,
    Column("version_id", String, _version(), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("text", String, nullable=False),
)
chunks = Table(
    "chunks",
    metadata,
    Column("id", String, primary_key=True),
    Column("version_id", String, _version(), nullable=False),
    Column("index", Integer, nullable=False),
    Column("parent", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("page", Integer),
    Column("section", Json, nullable=False),
    Column("kind", String, nullable=False),
    # SHA-256 of the embedded text: an equal one has an equal vector.
    Column("digest", String, nullable=False),
    UniqueConstraint("version_id", "index"),
)
runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("collection_id", String, nullable=False),
    Column("collection", String, nullable=False),
    Column("document_id", String, index=True),
    Column("uploader_id", String),
    Column("batch", String, index=True),
    Column("created_at", UtcTime, nullable=False),
)
remembered = Table(
    "remembered",
    metadata,
    Column("principal", String, primary_key=True),
    Column("idempotency_key", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("answer", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
)
purged = Table(
    "purged",
    metadata,
    Column("collection_id", String, primary_key=True),
)
outbox = outbox_table(metadata)
jobs = job_table(metadata)
