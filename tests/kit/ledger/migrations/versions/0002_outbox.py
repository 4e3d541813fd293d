import sqlalchemy as sa
from alembic import op

from muniment.kernel.database import Json
from muniment.kernel.outbox import outbox_table

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("lines", sa.Column("extra", Json))
    outbox_table(sa.MetaData()).create(op.get_bind())
