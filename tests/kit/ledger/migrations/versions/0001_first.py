import sqlalchemy as sa
from alembic import op

from muniment.kernel.database import UtcTime
from muniment.kernel.jobs import job_table

revision = "0001"
down_revision = None


def upgrade():
    op.create_table(
        "lines",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("noted_at", UtcTime),
    )
    job_table(sa.MetaData()).create(op.get_bind())
