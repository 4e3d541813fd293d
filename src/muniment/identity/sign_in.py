"""Signing in and out, and who a credential speaks for."""

from datetime import UTC, datetime

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.identity import credential_store, store
from muniment.identity.base import Base, Known, calling_user
from muniment.identity.contract import (
    EVERYONE,
    Authenticate,
    ChangePassword,
    Jwks,
    Login,
    Logout,
    Me,
    Principal,
    Refresh,
    SetPassword,
    Tokens,
    UserMissing,
    WrongCredentials,
)
from muniment.identity.credentials import API_KEY, REFRESH_TOKEN, digest, new_secret
from muniment.identity.roles import in_order, scopes_of
from muniment.identity.tokens import SigningKey, new_signing_key, public, read_token, signer, trusted, write_token
from muniment.kernel.caller import caller
from muniment.kernel.ids import new_id
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Forbidden, Unauthenticated


class SignIn(Base):
    """The use cases of sessions and passwords."""

    async def authenticate(self, request: Authenticate) -> Principal:
        """The mark alone is looked at for a credential that is known as of it."""
        key = digest(request.credential)
        known = self._known.get(await self._mark.get(), key)
        if known is None:
            async with self._database.read() as connection:
                mark = await store.mark(connection)  # of the state that the rest is read from
                known = await self._look_up(connection, request.credential, mark.epoch)
            self._known.put(mark, key, known)
        if known.until is not None and known.until <= self._now():
            raise _refused()
        return known.principal

    async def _look_up(self, connection: AsyncConnection, credential: str, epoch: str) -> Known:
        if credential.startswith(API_KEY):
            key = await credential_store.api_key_by_digest(connection, digest(credential))
            if key is None:
                raise _refused()
            principal = await self._principal(connection, key.user_id, key.id, epoch)
            scopes = in_order(set(principal.scopes) & set(key.scopes))
            return Known(principal.model_copy(update={"scopes": scopes}), key.expires_at)
        keys = await credential_store.newest_signing_keys(connection)
        claims = read_token(credential, trusted(keys, self._now(), self._lifetime))
        if claims is None or not await credential_store.session_lives(connection, claims.sid, claims.sub):
            raise _refused()
        until = datetime.fromtimestamp(claims.exp, UTC)
        return Known(await self._principal(connection, claims.sub, claims.sid, epoch), until)

    async def _principal(self, connection: AsyncConnection, user_id: str, session: str, epoch: str) -> Principal:
        user = await store.by_id(connection, store.users, user_id)
        if user is None:
            raise _refused()
        above = await store.groups_above(connection, (user_id, EVERYONE))
        return Principal(
            id=user.id,
            username=user.name,
            roles=tuple(user.roles),
            scopes=in_order(scopes_of(user.roles)),
            groups=tuple(sorted(above.values())),
            group_ids=tuple(sorted({*above, EVERYONE})),
            clearance=user.clearance,
            epoch=epoch,
            session=session,
        )

    async def login(self, request: Login) -> Tokens:
        """The password is checked outside the transaction, and again found unchanged inside."""
        async with self._database.read() as connection:
            user = await store.by_name(connection, store.users, request.username)
        if not await self._passwords.fits(request.password, user.password_hash if user else None) or not user:
            raise _wrong()
        async with self._database.write() as connection:
            present = await store.by_id(connection, store.users, user.id)
            if present is None or present.password_hash != user.password_hash:
                raise _wrong()
            at = self._now()
            session = await credential_store.begin_session(connection, user.id, at=at, until=at + self._session)
            return await self._tokens(connection, user.id, session, at)

    async def refresh(self, request: Refresh) -> Tokens:
        """A token that comes twice was stolen, or its thief was here first: either way the session ends."""
        used, at = digest(request.refresh_token), self._now()
        async with self._database.write() as connection:
            session = await credential_store.session_of(connection, used)
            if session is not None and session.expires_at > at:
                if await credential_store.use_refresh_token(connection, used):
                    await credential_store.prolong_session(connection, session.id, at + self._session)
                    return await self._tokens(connection, session.user_id, session.id, at)
                await credential_store.end_session(connection, session.id)
        raise Unauthenticated("the refresh token is used up, expired or unknown: sign in again")

    async def _tokens(self, connection: AsyncConnection, user: str, session: str, at: datetime) -> Tokens:
        refresh_token = new_secret(REFRESH_TOKEN)
        await credential_store.keep_refresh_token(connection, session, digest(refresh_token))
        key = await self._signing_key(connection, at)
        return Tokens(
            access_token=write_token(key, user=user, session=session, at=at, lifetime=self._lifetime),
            refresh_token=refresh_token,
            expires_in_seconds=int(self._lifetime.total_seconds()),
        )

    async def _signing_key(self, connection: AsyncConnection, at: datetime) -> SigningKey:
        key = signer(await credential_store.newest_signing_keys(connection), at, self._rotation)
        if key is not None:
            return key
        await credential_store.one_at_a_time(connection)
        keys = await credential_store.newest_signing_keys(connection)
        key = signer(keys, at, self._rotation)
        if key is None:
            key = new_signing_key(at)
            kept = trusted([key, *keys], at, self._lifetime)
            await credential_store.replace_signing_keys(connection, key, kept)
        return key

    async def logout(self, request: Logout) -> Nothing:
        """A used refresh token ends its session as well; an unknown one has nothing to end."""
        async with self._database.write() as connection:
            session = await credential_store.session_of(connection, digest(request.refresh_token))
            if session is not None:
                await credential_store.end_session(connection, session.id)
        return Nothing()

    async def change_password(self, request: ChangePassword) -> Nothing:
        """The session that asks goes on."""
        user_id = calling_user()
        async with self._database.read() as connection:
            user = await store.by_id(connection, store.users, user_id)
        kept = user.password_hash if user else None
        if not await self._passwords.fits(request.old_password, kept):
            raise _wrong()
        hashed = await self._passwords.hashed(request.new_password)
        columns = store.users.c
        unchanged = update(store.users).where(columns.id == user_id, columns.password_hash == kept)
        async with self._database.write() as connection:
            if (await connection.execute(unchanged.values(password_hash=hashed))).rowcount == 0:
                raise _wrong()
            await credential_store.end_sessions_of(connection, user_id, but=caller().session)
        return Nothing()

    async def set_password(self, request: SetPassword) -> Nothing:
        """For the operator of the machine: no user may come here, whatever their role."""
        if caller().principal.startswith("usr_"):
            raise Forbidden("a password is reset on the machine itself: muniment users password NAME")
        hashed = await self._passwords.hashed(request.password)
        async with self._database.write() as connection:
            user = await store.find(connection, store.users, request.username)
            if user is None:
                raise UserMissing(f"no user {request.username}", user=request.username)
            changed = update(store.users).where(store.users.c.id == user.id)
            await connection.execute(changed.values(password_hash=hashed))
            await credential_store.end_sessions_of(connection, user.id)
        return Nothing()

    async def me(self, request: Nothing) -> Me:  # noqa: ARG002 - the contract's shape
        """The scopes are those of the credential, which a key may narrow."""
        user_id = calling_user()
        async with self._database.read() as connection:
            principal = await self._principal(connection, user_id, "", "")
        return Me(
            id=principal.id,
            username=principal.username,
            roles=principal.roles,
            groups=principal.groups,
            clearance=principal.clearance,
            scopes=in_order(caller().scopes),
        )

    async def jwks(self, request: Nothing) -> Jwks:  # noqa: ARG002 - the contract's shape
        """Each key stays until the last token it has signed is expired."""
        async with self._database.read() as connection:
            keys = await credential_store.newest_signing_keys(connection)
        return Jwks(keys=tuple(public(key) for key in trusted(keys, self._now(), self._lifetime)))

    async def first_start(self) -> str | None:
        """Make the user `admin` and a signing key where there are none; the password, if it was made up."""
        async with self._database.read() as connection:
            if await store.any_admin_but(connection, "") and await credential_store.newest_signing_keys(
                connection
            ):
                return None
        given = self._settings.admin_password
        password = given.get_secret_value() if given else new_secret("")[:20]
        hashed = await self._passwords.hashed(password)
        async with self._database.write() as connection:
            await store.begin_change(connection)
            await self._signing_key(connection, self._now())
            if await store.any_admin_but(connection, ""):
                return None
            admin = {
                "id": new_id("usr"),
                "name": "admin",
                "password_hash": hashed,
                "roles": ["admin"],
                "admin": True,
                "clearance": "restricted",
                "created_at": self._now(),
            }
            await connection.execute(insert(store.users), admin)
        return None if given else password


def _refused() -> Unauthenticated:
    return Unauthenticated("the token or key is malformed, expired, forged or revoked: sign in again")


def _wrong() -> WrongCredentials:
    return WrongCredentials("user name and password do not belong together")
