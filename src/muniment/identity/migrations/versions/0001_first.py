"""Users, groups, sessions, keys."""

import sqlalchemy as sa
from alembic import op

from muniment.kernel.database import Json, UtcTime
from muniment.kernel.ids import new_id
from muniment.kernel.model import now

revision = "0001"
down_revision = None


def upgrade() -> None:
    state = op.create_table(
        "state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.String, nullable=False),
        sa.Column("ended", sa.String, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "epoch": new_id("epoch"), "ended": new_id("ended")}])
    op.create_table(
        "users",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("roles", Json, nullable=False),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("clearance", sa.String, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
    )
    groups = op.create_table(
        "groups",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("created_at", UtcTime, nullable=False),
    )
    op.bulk_insert(groups, [{"id": "grp_everyone", "name": "everyone", "created_at": now()}])
    op.create_table(
        "memberships",
        sa.Column("group_id", sa.String, sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("member_id", sa.String, primary_key=True, index=True),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("user_id", sa.String, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("expires_at", UtcTime, nullable=False, index=True),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column(
            "session_id", sa.String, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("used", sa.Boolean, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("user_id", sa.String, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False, unique=True),
        sa.Column("scopes", Json, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("expires_at", UtcTime),
        sa.UniqueConstraint("user_id", "name"),
    )
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String, primary_key=True),
        sa.Column("private", Json, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
    )
