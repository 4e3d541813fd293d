"""How long a collection's retired versions are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("collections", sa.Column("history_days", sa.Integer))
