"""API keys: made, listed, changed and deleted by the users for whom they act."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.identity import store
from muniment.identity.base import Base, calling_user, must_stand
from muniment.identity.contract import (
    ApiKey,
    ApiKeyMissing,
    ByName,
    CreateApiKey,
    NameTaken,
    NewApiKey,
    Scope,
    UpdateApiKey,
)
from muniment.identity.credential_store import api_key_of
from muniment.identity.credentials import API_KEY, digest, new_secret
from muniment.identity.roles import in_order, scopes_of
from muniment.kernel.caller import caller
from muniment.kernel.ids import new_id
from muniment.kernel.model import Nothing, Page, Paged
from muniment.kernel.pages import decode_cursor, encode_cursor
from muniment.kernel.problems import Forbidden, Unauthenticated

LOCAL_KEY = "command line of this machine"
"""The name of the key in `run.json`."""


class ApiKeys(Base):
    """The use cases of API keys; a key that asks can give no more than it has, in scopes or in time."""

    async def create_api_key(self, request: CreateApiKey) -> NewApiKey:
        """The key itself is in this answer and nowhere else."""
        user_id = calling_user()
        scopes = _scopes(request.scopes)
        key = new_secret(API_KEY)
        row = {
            "id": new_id("key"),
            "user_id": user_id,
            "name": request.name,
            "digest": digest(key),
            "scopes": list(scopes),
            "created_at": self._now(),
            "expires_at": request.expires_at,
        }
        async with self._database.write() as connection:
            await store.begin_change(connection)
            if await store.by_id(connection, store.users, user_id) is None:
                raise Unauthenticated("the user for whom the key would act is gone")
            await _outlives_nobody(connection, request.expires_at)
            await _free(connection, user_id, request.name)
            await connection.execute(insert(store.api_keys), row)
            made = await _key(connection, user_id, str(row["id"]))
        return NewApiKey(**made.model_dump(), key=key)

    async def list_api_keys(self, request: Paged) -> Page[ApiKey]:
        """The caller's own, in the order in which they were made."""
        query = select(store.api_keys).where(store.api_keys.c.user_id == calling_user())
        after = "" if request.cursor is None else str(decode_cursor(request.cursor, str)[0])
        async with self._database.read() as connection:
            rows, more = await store.page(connection, query, store.api_keys, after=after, limit=request.limit)
        return Page(items=tuple(map(_shown, rows)), next_cursor=encode_cursor(rows[-1].id) if more else None)

    async def get_api_key(self, request: ByName) -> ApiKey:
        """By id or name."""
        async with self._database.read() as connection:
            return await _key(connection, calling_user(), request.name)

    async def update_api_key(self, request: UpdateApiKey) -> ApiKey:
        """Scopes null: all of the caller's, as for a new key."""
        user_id, given = calling_user(), request.model_fields_set
        if "name" in given and request.name is None:
            raise must_stand("name")
        values: dict[str, object] = {}
        if request.name is not None:
            values["name"] = request.name
        if "scopes" in given:
            values["scopes"] = list(_scopes(request.scopes))
        if "expires_at" in given:
            values["expires_at"] = request.expires_at
        async with self._database.write() as connection:
            await store.begin_change(connection)
            key = await _key(connection, user_id, request.key)
            if "expires_at" in given:
                await _outlives_nobody(connection, request.expires_at)
            if request.name not in {None, key.name}:
                await _free(connection, user_id, str(request.name))
            if values:
                row = update(store.api_keys).where(store.api_keys.c.id == key.id)
                await connection.execute(row.values(values))
            return await _key(connection, user_id, key.id)

    async def delete_api_key(self, request: ByName) -> Nothing:
        """Refused from then on."""
        user_id = calling_user()
        async with self._database.write() as connection:
            await store.begin_change(connection)
            key = await _key(connection, user_id, request.name)
            await connection.execute(delete(store.api_keys).where(store.api_keys.c.id == key.id))
        return Nothing()

    async def local_key(self, _: Nothing) -> NewApiKey:
        """It stands for whoever may read the data folder, so it is replaced at each start of the process."""
        key = new_secret(API_KEY)
        users, keys = store.users.c, store.api_keys.c
        async with self._database.write() as connection:
            await store.begin_change(connection)
            oldest = select(store.users).where(users.admin).order_by(users.id).limit(1)
            admin = (await connection.execute(oldest)).one()
            before = delete(store.api_keys).where(keys.user_id == admin.id, keys.name == LOCAL_KEY)
            await connection.execute(before)
            row = {
                "id": new_id("key"),
                "user_id": admin.id,
                "name": LOCAL_KEY,
                "digest": digest(key),
                "scopes": list(in_order(scopes_of(admin.roles))),
                "created_at": self._now(),
                "expires_at": None,
            }
            await connection.execute(insert(store.api_keys), row)
            made = await _key(connection, admin.id, LOCAL_KEY)
        return NewApiKey(**made.model_dump(), key=key)


def _scopes(asked: tuple[Scope, ...] | None) -> tuple[Scope, ...]:
    held = caller().scopes
    over = [scope for scope in asked or () if scope not in held]
    if over:
        raise Forbidden(f"a key cannot have the scope {over[0]}, which its maker has not", scope=over[0])
    return in_order(held if asked is None else asked)


async def _outlives_nobody(connection: AsyncConnection, expires_at: datetime | None) -> None:
    """Refuse a life that is longer than that of the key that asks: a leaked key would make itself immortal."""
    asking = await store.by_id(connection, store.api_keys, caller().session)
    if asking is None or asking.expires_at is None:
        return
    if expires_at is None or expires_at > asking.expires_at:
        raise Forbidden("a key cannot give a longer life than its own", expires_at=str(asking.expires_at))


async def _free(connection: AsyncConnection, user_id: str, name: str) -> None:
    columns = store.api_keys.c
    query = select(columns.id).where(columns.user_id == user_id, columns.name == name)
    if (await connection.execute(query)).first() is not None:
        raise NameTaken(f"you have a key {name} already", name=name)


async def _key(connection: AsyncConnection, user_id: str, which: str) -> ApiKey:
    row = await api_key_of(connection, user_id, which)
    if row is None:
        raise ApiKeyMissing(f"you have no key {which}", key=which)
    return _shown(row)


def _shown(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
