"""A second index for each collection, and how its searches judge."""

import sqlalchemy as sa
from alembic import op

from muniment.kernel.database import Json

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name in ("standby_model", "standby_recipe"):
        op.add_column("collections", sa.Column(name, sa.String))
    op.add_column("collections", sa.Column("standby_generation", sa.Integer))
    op.add_column("collections", sa.Column("last_generation", sa.Integer, nullable=False, server_default="1"))
    op.add_column("collections", sa.Column("ranking", Json))
