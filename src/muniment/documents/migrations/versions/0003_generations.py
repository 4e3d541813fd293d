"""Copies of versions in other indexes, and the indexes in which a collection's documents stand."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("versions", sa.Column("copy_of", sa.String))
    op.create_index("versions_copies", "versions", ["copy_of"])
    op.create_index("versions_by_index", "versions", ["index_name", "document"])
    op.create_table(
        "generations",
        sa.Column("collection", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("recipe", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("run", sa.String),
    )
