"""The indexes that a collection had, beside those that it has."""

import sqlalchemy as sa
from alembic import op

from muniment.kernel.database import Json

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("collections", sa.Column("past_indexes", Json))
