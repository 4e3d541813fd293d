"""Attachments, the header in front of a table's chunk, where lines stand on their pages, and history."""

import sqlalchemy as sa
from alembic import op

from muniment.kernel.database import Json

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("documents", sa.Column("attached_to", sa.String))
    op.create_index("documents_attached_to", "documents", ["attached_to"])
    op.add_column("chunks", sa.Column("header", sa.Text))
    op.create_index("versions_by_document", "versions", ["document", "current_from"])
    op.create_table(
        "layouts",
        sa.Column("version", sa.String, sa.ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True),
        sa.Column("lines", Json, nullable=False),
    )
