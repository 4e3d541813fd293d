"""Documents' tables."""

from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from muniment.kernel.database import Json, UtcTime
from muniment.kernel.jobs import job_table
from muniment.kernel.outbox import outbox_table

MIGRATIONS = Path(__file__).parent / "migrations"
KeyText = String().with_variant(String(collation="C"), "postgresql")
"""Sorted by code point on every engine, so that a page's cursor means the same."""

metadata = MetaData()
documents = Table(
    "documents",
    metadata,
    Column("id", String, primary_key=True),
    Column("collection", String, nullable=False),
    Column("key", KeyText, nullable=False),
    Column("owner", String),
    Column("access_level", String, nullable=False),
    Column("grants", Json, nullable=False),
    # Moves with everything the index holds about the document, its readers first of all; `indexed_acl` follows
    # once the index has taken it.
    Column("acl_version", Integer, nullable=False),
    Column("indexed_acl", Integer, nullable=False),
    Column("patched", Json, nullable=False),
    # What readers see, worked out from the current version, its options and `patched`.
    Column("title", String, nullable=False),
    Column("type", String, nullable=False),
    Column("status", String),
    Column("source_url", String),
    Column("fields", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("modified_at", UtcTime, nullable=False),
    Column("current", String),
    Column("latest", String, nullable=False),
    # The document that it came attached to.
    Column("attached_to", String),
    UniqueConstraint("collection", "key"),
    Index("documents_attached_to", "attached_to"),
)
readers = Table(
    "document_readers",
    metadata,
    Column("document", String, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("token", String, primary_key=True),
    Index("document_readers_by_token", "token", "document"),
)
versions = Table(
    "versions",
    metadata,
    Column("id", String, primary_key=True),
    Column("document", String, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("problem", Json),
    Column("run", String, nullable=False),
    Column("staged", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("options", Json, nullable=False),
    Column("said", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("current_from", UtcTime),
    Column("current_to", UtcTime),
    # The title that stands before every chunk, where the points are, how many of them there should be and are,
    # and what of the document they know.
    Column("title", String),
    Column("index_name", String),
    Column("chunks", Integer, nullable=False),
    Column("indexed_chunks", Integer, nullable=False),
    Column("acl_version", Integer, nullable=False),
    # Of a copy: the version whose passages it holds once more, for another index. It has chunks and points of its
    # own, and a number below 0; its text, bytes and everything that is shown are the version's.
    Column("copy_of", String),
    UniqueConstraint("document", "number"),
    Index("versions_by_document", "document", "current_from"),
    Index("versions_copies", "copy_of"),
    Index("versions_by_index", "index_name", "document"),
)
# The indexes in which every current version of a collection must stand, once there was more than one.
generations = Table(
    "generations",
    metadata,
    Column("collection", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("model", String, nullable=False),
    Column("recipe", String, nullable=False),
    Column("generation", Integer, nullable=False),
    # The run that fills it; none for the one that was there before.
    Column("run", String),
)


def _of_version(**options: Any) -> Column[str]:
    return Column("version", String, ForeignKey("versions.id", ondelete="CASCADE"), **options)


texts = Table(
    "texts",
    metadata,
    _of_version(primary_key=True),
    Column("text", Text, nullable=False),
    Column("structure", Json, nullable=False),
)
parents = Table(
    "parents",
    metadata,
    _of_version(primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("span_start", Integer, nullable=False),
    Column("span_end", Integer, nullable=False),
    # Said again beside `texts`, so that a hit costs its own length and not its document's.
    Column("text", Text, nullable=False),
)
chunks = Table(
    "chunks",
    metadata,
    Column("id", String, primary_key=True),
    _of_version(nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("span_start", Integer, nullable=False),
    Column("span_end", Integer, nullable=False),
    Column("page", Integer),
    Column("section", Json, nullable=False),
    Column("kind", String, nullable=False),
    Column("parent", Integer, nullable=False),
    # What is repeated in front of the chunk, outside its span: a table's header.
    Column("header", Text),
    Column("hash", String, nullable=False),
)
layouts = Table(
    "layouts",
    metadata,
    _of_version(primary_key=True),
    Column("page", Integer, primary_key=True),
    # Where the text of the page's lines is drawn: `parsing.model.Line` in JSON form.
    Column("lines", Json, nullable=False),
)
runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("batch", String, index=True),
    Column("collection", String, nullable=False),
    Column("document", String, index=True),
    Column("principal", String, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
uploads = Table(
    "uploads",
    metadata,
    Column("principal", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("answer", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
)
purges = Table(
    "purges",
    metadata,
    Column("collection", String, primary_key=True),
    Column("run", String, nullable=False),
)
jobs = job_table(metadata)
outbox = outbox_table(metadata)
