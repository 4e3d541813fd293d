"""Documents, their versions, chunks and runs."""

import sqlalchemy as sa
from alembic import op

from muniment.kernel.database import Json, UtcTime
from muniment.kernel.jobs import job_table
from muniment.kernel.outbox import outbox_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    _documents()
    _versions()
    _texts()
    _runs()
    job_table(sa.MetaData()).create(op.get_bind())
    outbox_table(sa.MetaData()).create(op.get_bind())


def _of(table: str) -> sa.ForeignKey:
    return sa.ForeignKey(f"{table}.id", ondelete="CASCADE")


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("collection", sa.String, nullable=False),
        sa.Column("key", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("owner", sa.String),
        sa.Column("access_level", sa.String, nullable=False),
        sa.Column("grants", Json, nullable=False),
        sa.Column("acl_version", sa.Integer, nullable=False),
        sa.Column("indexed_acl", sa.Integer, nullable=False),
        sa.Column("patched", Json, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("status", sa.String),
        sa.Column("source_url", sa.String),
        sa.Column("fields", Json, nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("modified_at", UtcTime, nullable=False),
        sa.Column("current", sa.String),
        sa.Column("latest", sa.String, nullable=False),
        sa.UniqueConstraint("collection", "key"),
    )
    op.create_table(
        "document_readers",
        sa.Column("document", sa.String, _of("documents"), primary_key=True),
        sa.Column("token", sa.String, primary_key=True),
        sa.Index("document_readers_by_token", "token", "document"),
    )


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("document", sa.String, _of("documents"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False, index=True),
        sa.Column("problem", Json),
        sa.Column("run", sa.String, nullable=False),
        sa.Column("staged", sa.String, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("media_type", sa.String, nullable=False),
        sa.Column("options", Json, nullable=False),
        sa.Column("said", Json, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("current_from", UtcTime),
        sa.Column("current_to", UtcTime),
        sa.Column("title", sa.String),
        sa.Column("index_name", sa.String),
        sa.Column("chunks", sa.Integer, nullable=False),
        sa.Column("indexed_chunks", sa.Integer, nullable=False),
        sa.Column("acl_version", sa.Integer, nullable=False),
        sa.UniqueConstraint("document", "number"),
    )


def _texts() -> None:
    op.create_table(
        "texts",
        sa.Column("version", sa.String, _of("versions"), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("structure", Json, nullable=False),
    )
    op.create_table(
        "parents",
        sa.Column("version", sa.String, _of("versions"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("span_start", sa.Integer, nullable=False),
        sa.Column("span_end", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "chunks",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("version", sa.String, _of("versions"), nullable=False, index=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("span_start", sa.Integer, nullable=False),
        sa.Column("span_end", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("section", Json, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("parent", sa.Integer, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("batch", sa.String, index=True),
        sa.Column("collection", sa.String, nullable=False),
        sa.Column("document", sa.String, index=True),
        sa.Column("principal", sa.String, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
    )
    op.create_table(
        "uploads",
        sa.Column("principal", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("answer", Json, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False, index=True),
    )
    op.create_table(
        "purges",
        sa.Column("collection", sa.String, primary_key=True),
        sa.Column("run", sa.String, nullable=False),
    )
