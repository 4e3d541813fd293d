"""What is asked of identity's tables about sessions, API keys and signing keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.identity.store import api_keys, refresh_tokens, sessions, sessions_ended, signing_keys, state
from muniment.identity.tokens import SigningKey
from muniment.kernel.ids import new_id


async def begin_session(connection: AsyncConnection, user_id: str, *, at: datetime, until: datetime) -> str:
    """A new session's id; sessions that have expired are forgotten by the way."""
    await connection.execute(delete(sessions).where(sessions.c.expires_at <= at))
    session = new_id("ses")
    await connection.execute(insert(sessions), {"id": session, "user_id": user_id, "expires_at": until})
    return session


async def prolong_session(connection: AsyncConnection, session: str, until: datetime) -> None:
    """Let the session last until then."""
    await connection.execute(update(sessions).where(sessions.c.id == session).values(expires_at=until))


async def end_session(connection: AsyncConnection, session: str) -> None:
    """End it, with its refresh tokens."""
    await connection.execute(delete(sessions).where(sessions.c.id == session))
    await sessions_ended(connection)


async def end_sessions_of(connection: AsyncConnection, user_id: str, *, but: str = "") -> None:
    """End all sessions of a user, except one."""
    await connection.execute(delete(sessions).where(sessions.c.user_id == user_id, sessions.c.id != but))
    await sessions_ended(connection)


async def session_lives(connection: AsyncConnection, session: str, user_id: str) -> bool:
    """Whether it is there, and that user's."""
    query = select(sessions.c.id).where(sessions.c.id == session, sessions.c.user_id == user_id)
    return (await connection.execute(query)).first() is not None


async def keep_refresh_token(connection: AsyncConnection, session: str, digest: str) -> None:
    """Keep a fresh refresh token of the session."""
    row = {"digest": digest, "session_id": session, "used": False}
    await connection.execute(insert(refresh_tokens), row)


async def session_of(connection: AsyncConnection, digest: str) -> Row[Any] | None:
    """The session (`id`, `user_id`, `expires_at`) that a refresh token belongs to, used or not."""
    query = select(sessions).join(refresh_tokens, refresh_tokens.c.session_id == sessions.c.id)
    return (await connection.execute(query.where(refresh_tokens.c.digest == digest))).first()


async def use_refresh_token(connection: AsyncConnection, digest: str) -> bool:
    """Use it up; False when somebody had."""
    unused = update(refresh_tokens).where(refresh_tokens.c.digest == digest, ~refresh_tokens.c.used)
    return (await connection.execute(unused.values(used=True))).rowcount == 1


async def api_key_by_digest(connection: AsyncConnection, digest: str) -> Row[Any] | None:
    """The key with that hash."""
    return (await connection.execute(select(api_keys).where(api_keys.c.digest == digest))).first()


async def api_key_of(connection: AsyncConnection, user_id: str, which: str) -> Row[Any] | None:
    """The user's key of that id, else of that name."""
    query = select(api_keys).where(
        api_keys.c.user_id == user_id, or_(api_keys.c.id == which, api_keys.c.name == which)
    )
    rows = (await connection.execute(query)).all()
    return next((row for row in rows if row.id == which), rows[0] if rows else None)


async def newest_signing_keys(connection: AsyncConnection) -> Sequence[SigningKey]:
    """All signing keys, newest first."""
    query = select(signing_keys).order_by(signing_keys.c.created_at.desc(), signing_keys.c.kid.desc())
    return [SigningKey(row.kid, row.private, row.created_at) for row in await connection.execute(query)]


async def one_at_a_time(connection: AsyncConnection) -> None:
    """Wait for every other change, where the engine lets several write at once."""
    await connection.execute(select(state.c.id).with_for_update())


async def replace_signing_keys(connection: AsyncConnection, new: SigningKey, kept: Sequence[SigningKey]) -> None:
    """Add a key, and forget all but those `kept`."""
    kids = [key.kid for key in kept]
    await connection.execute(delete(signing_keys).where(signing_keys.c.kid.not_in(kids)))
    await connection.execute(insert(signing_keys), new._asdict())
