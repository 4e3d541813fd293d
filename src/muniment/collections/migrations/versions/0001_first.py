"""Collections and who stands how to them."""

import sqlalchemy as sa
from alembic import op

from muniment.kernel.database import UtcTime
from muniment.kernel.ids import new_id
from muniment.kernel.outbox import outbox_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    state = op.create_table(
        "state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.String, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "epoch": new_id("epoch")}])
    op.create_table(
        "collections",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("title", sa.String),
        sa.Column("description", sa.String),
        sa.Column("access_level", sa.String, nullable=False),
        sa.Column("language", sa.String),
        sa.Column("index_model", sa.String, nullable=False),
        sa.Column("index_recipe", sa.String, nullable=False),
        sa.Column("index_generation", sa.Integer, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("deleted_at", UtcTime),
    )
    standing = sa.text("deleted_at IS NULL")
    op.create_index(
        "collections_name",
        "collections",
        ["name"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )
    op.create_table(
        "standings",
        sa.Column(
            "collection_id",
            sa.String,
            sa.ForeignKey("collections.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("subject_id", sa.String, primary_key=True, index=True),
    )
    outbox_table(sa.MetaData()).create(op.get_bind())
