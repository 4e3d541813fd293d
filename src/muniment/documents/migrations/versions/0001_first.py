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
    _chunks()
    _runs()
    outbox_table(sa.MetaData()).create(op.get_bind())
    job_table(sa.MetaData()).create(op.get_bind())


def _of(table: str) -> sa.ForeignKey:
    return sa.ForeignKey(f"{table}.id", ondelete="CASCADE")


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("collection_id", sa.String, nullable=False),
        sa.Column("collection", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("access_level", sa.String, nullable=False),
        sa.Column("owner_id", sa.String, nullable=False),
        sa.Column("given", Json, nullable=False),
        sa.Column("given_metadata", Json, nullable=False),
        sa.Column("said", Json, nullable=False),
        sa.Column("said_metadata", Json, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("status", sa.String),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("modified_at", UtcTime, nullable=False),
        sa.Column("uploaded_at", UtcTime, nullable=False),
        sa.Column("version_id", sa.String),
        sa.Column("version", sa.Integer),
        sa.Column("newest", sa.Integer, nullable=False),
        sa.Column("acl_version", sa.Integer, nullable=False),
        sa.Column("indexed_acl", sa.Integer, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Index("documents_version", "version_id"),
    )
    kept, lagging = sa.text("NOT deleted"), sa.text("indexed_acl < acl_version")
    op.create_index(
        "documents_key",
        "documents",
        ["collection_id", "key"],
        unique=True,
        sqlite_where=kept,
        postgresql_where=kept,
    )
    op.create_index("documents_lagging", "documents", ["id"], sqlite_where=lagging, postgresql_where=lagging)
    op.create_table(
        "readers",
        sa.Column("document_id", sa.String, _of("documents"), primary_key=True),
        sa.Column("token", sa.String, primary_key=True, index=True),
    )
    op.create_table(
        "grants",
        sa.Column("document_id", sa.String, _of("documents"), primary_key=True),
        sa.Column("subject_id", sa.String, primary_key=True),
    )


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("document_id", sa.String, _of("documents"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("rebuild", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("problem", Json),
        sa.Column("run", sa.String, nullable=False),
        sa.Column("blob", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("media_type", sa.String, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("index_name", sa.String, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("current_from", UtcTime),
        sa.Column("current_to", UtcTime),
        sa.Column("given", Json, nullable=False),
        sa.Column("given_metadata", Json, nullable=False),
        sa.Column("said", Json, nullable=False),
        sa.Column("said_metadata", Json, nullable=False),
        sa.Column("title", sa.String),
        sa.Column("language", sa.String),
        sa.Column("chunks", sa.Integer, nullable=False),
        sa.Column("pages", Json, nullable=False),
        sa.Column("sections", Json, nullable=False),
        sa.Index("versions_document", "document_id", "number"),
    )
    op.create_table(
        "texts",
        sa.Column("version_id", sa.String, _of("versions"), primary_key=True),
        sa.Column("text", sa.String, nullable=False),
    )


def _chunks() -> None:
    op.create_table(
        "parents",
        sa.Column("version_id", sa.String, _of("versions"), primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("text", sa.String, nullable=False),
    )
    op.create_table(
        "chunks",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("version_id", sa.String, _of("versions"), nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("parent", sa.Integer, nullable=False),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("section", Json, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.UniqueConstraint("version_id", "index"),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("collection_id", sa.String, nullable=False),
        sa.Column("collection", sa.String, nullable=False),
        sa.Column("document_id", sa.String, index=True),
        sa.Column("uploader_id", sa.String),
        sa.Column("batch", sa.String, index=True),
        sa.Column("created_at", UtcTime, nullable=False),
    )
    op.create_table(
        "remembered",
        sa.Column("principal", sa.String, primary_key=True),
        sa.Column("idempotency_key", sa.String, primary_key=True),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("answer", Json, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False, index=True),
    )
    op.create_table("purged", sa.Column("collection_id", sa.String, primary_key=True))
