"""Users and groups."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.identity import store
from muniment.identity.base import Base, must_stand
from muniment.identity.contract import (
    EVERYONE,
    ByName,
    CreateGroup,
    CreateUser,
    Group,
    GroupCircle,
    GroupMissing,
    Ids,
    LastAdmin,
    Membership,
    NameTaken,
    SubjectIds,
    SubjectMissing,
    SubjectNames,
    Subjects,
    UpdateGroup,
    UpdateUser,
    User,
    UserMissing,
)
from muniment.identity.credential_store import end_sessions_of
from muniment.kernel.caller import caller
from muniment.kernel.ids import new_id
from muniment.kernel.model import Nothing, Page, Paged
from muniment.kernel.pages import decode_cursor, encode_cursor
from muniment.kernel.problems import Forbidden

_KINDS = {"user": store.users, "group": store.groups}


class People(Base):
    """The use cases of users and groups; all that a person asks for here needs `users:admin`."""

    async def create_user(self, request: CreateUser) -> User:
        """Hash first: no transaction waits for that."""
        caller().require("users:admin")
        hashed = await self._passwords.hashed(request.password)
        roles = tuple(dict.fromkeys(request.roles))
        user_id = new_id("usr")
        user = {
            "id": user_id,
            "name": request.username,
            "password_hash": hashed,
            "roles": list(roles),
            "admin": "admin" in roles,
            "clearance": request.clearance,
            "created_at": self._now(),
        }
        async with self._database.write() as connection:
            await store.begin_change(connection)
            await _free(connection, store.users, request.username)
            await connection.execute(insert(store.users), user)
            groups = [f"group:{name}" for name in request.groups]
            await store.put_in_groups(connection, user_id, await _ids(connection, groups))
            return await _user(connection, user_id)

    async def list_users(self, request: Paged) -> Page[User]:
        """In the order in which they were made."""
        caller().require("users:admin")
        async with self._database.read() as connection:
            rows, more = await store.page(
                connection,
                select(store.users),
                store.users,
                after=_after(request),
                limit=request.limit,
            )
            groups = await store.groups_of(connection, [row.id for row in rows])
        return Page(
            items=tuple(_shown(row, groups.get(row.id, ())) for row in rows),
            next_cursor=encode_cursor(rows[-1].id) if more else None,
        )

    async def get_user(self, request: ByName) -> User:
        """By id or name."""
        caller().require("users:admin")
        async with self._database.read() as connection:
            return await _user(connection, request.name)

    async def update_user(self, request: UpdateUser) -> User:
        """A new password ends the user's sessions."""
        caller().require("users:admin")
        values = _changes(request)
        if request.password is not None:
            values["password_hash"] = await self._passwords.hashed(request.password)
        async with self._database.write() as connection:
            await store.begin_change(connection)
            user = await _user(connection, request.name)
            if request.username not in {None, user.username}:
                await _free(connection, store.users, str(request.username))
            if "admin" in user.roles and values.get("admin") is False:
                await _not_the_last(connection, user)
            if values:
                row = update(store.users).where(store.users.c.id == user.id)
                await connection.execute(row.values(values))
            if "groups" in request.model_fields_set:
                groups = [f"group:{name}" for name in request.groups or ()]
                await store.put_in_groups(connection, user.id, await _ids(connection, groups))
            if request.password is not None:
                await end_sessions_of(connection, user.id)
            return await _user(connection, user.id)

    async def delete_user(self, request: ByName) -> Nothing:
        """With sessions and keys."""
        caller().require("users:admin")
        async with self._database.write() as connection:
            await store.begin_change(connection)
            user = await _user(connection, request.name)
            if "admin" in user.roles:
                await _not_the_last(connection, user)
            await store.remove_subject(connection, store.users, user.id)
        return Nothing()

    async def create_group(self, request: CreateGroup) -> Group:
        """An empty one."""
        caller().require("users:admin")
        group_id = new_id("grp")
        group = {"id": group_id, "name": request.name, "created_at": self._now()}
        async with self._database.write() as connection:
            await store.begin_change(connection)
            await _free(connection, store.groups, request.name)
            await connection.execute(insert(store.groups), group)
            return await _group(connection, group_id)

    async def list_groups(self, request: Paged) -> Page[Group]:
        """In the order in which they were made, `everyone` last."""
        caller().require("users:admin")
        async with self._database.read() as connection:
            rows, more = await store.page(
                connection,
                select(store.groups),
                store.groups,
                after=_after(request),
                limit=request.limit,
            )
            members = await store.members_of(connection, [row.id for row in rows])
        return Page(
            items=tuple(
                Group(id=row.id, name=row.name, members=members.get(row.id, ()), created_at=row.created_at)
                for row in rows
            ),
            next_cursor=encode_cursor(rows[-1].id) if more else None,
        )

    async def get_group(self, request: ByName) -> Group:
        """By id or name."""
        caller().require("users:admin")
        async with self._database.read() as connection:
            return await _group(connection, request.name)

    async def update_group(self, request: UpdateGroup) -> Group:
        """A new name; what the group may read stays its own."""
        caller().require("users:admin")
        if "name" in request.model_fields_set and request.name is None:
            raise must_stand("name")
        async with self._database.write() as connection:
            await store.begin_change(connection)
            group = await _group(connection, request.group)
            _changeable(group)
            if request.name not in {None, group.name}:
                await _free(connection, store.groups, str(request.name))
                row = update(store.groups).where(store.groups.c.id == group.id)
                await connection.execute(row.values(name=request.name))
            return await _group(connection, group.id)

    async def delete_group(self, request: ByName) -> Nothing:
        """Its members stay, without what they had through it."""
        caller().require("users:admin")
        async with self._database.write() as connection:
            await store.begin_change(connection)
            group = await _group(connection, request.name)
            _changeable(group)
            await store.remove_subject(connection, store.groups, group.id)
        return Nothing()

    async def add_member(self, request: Membership) -> Nothing:
        """A member already is as well."""
        caller().require("users:admin")
        async with self._database.write() as connection:
            await store.begin_change(connection)
            group = await _group(connection, request.group)
            _changeable(group)
            (member,) = await _ids(connection, [request.subject])
            if member == group.id or member in await store.groups_above(connection, [group.id]):
                raise GroupCircle(
                    f"{request.subject} holds group:{group.name} already, so it cannot be inside it",
                    group=group.name,
                    subject=request.subject,
                )
            if request.subject not in group.members:
                row = {"group_id": group.id, "member_id": member}
                await connection.execute(insert(store.memberships), row)
        return Nothing()

    async def remove_member(self, request: Membership) -> Nothing:
        """No member is as well."""
        caller().require("users:admin")
        columns = store.memberships.c
        async with self._database.write() as connection:
            await store.begin_change(connection)
            group = await _group(connection, request.group)
            _changeable(group)
            (member,) = await _ids(connection, [request.subject])
            row = delete(store.memberships).where(columns.group_id == group.id, columns.member_id == member)
            await connection.execute(row)
        return Nothing()

    async def subject_ids(self, request: Subjects) -> SubjectIds:
        """For other rooms."""
        async with self._database.read() as connection:
            return SubjectIds(ids=await _ids(connection, request.names))

    async def subject_names(self, request: Ids) -> SubjectNames:
        """For other rooms."""
        async with self._database.read() as connection:
            return SubjectNames(names=await store.subject_names(connection, request.ids))


def _after(request: Paged) -> str:
    return "" if request.cursor is None else str(decode_cursor(request.cursor, str)[0])


async def _user(connection: AsyncConnection, who: str) -> User:
    row = await store.find(connection, store.users, who)
    if row is None:
        raise UserMissing(f"no user {who}", user=who)
    groups = await store.groups_of(connection, [row.id])
    return _shown(row, groups.get(row.id, ()))


def _changes(request: UpdateUser) -> dict[str, Any]:
    """The columns that a request changes, but for the password's."""
    given = request.model_fields_set
    for field in ("username", "password", "clearance"):
        if field in given and getattr(request, field) is None:
            raise must_stand(field)
    values: dict[str, Any] = {}
    if request.username is not None:
        values["name"] = request.username
    if request.clearance is not None:
        values["clearance"] = request.clearance
    if "roles" in given:
        roles = list(dict.fromkeys(request.roles or ()))
        values |= {"roles": roles, "admin": "admin" in roles}
    return values


def _shown(row: Row[Any], groups: tuple[str, ...]) -> User:
    return User(
        id=row.id,
        username=row.name,
        roles=tuple(row.roles),
        groups=groups,
        clearance=row.clearance,
        created_at=row.created_at,
    )


async def _group(connection: AsyncConnection, which: str) -> Group:
    row = await store.find(connection, store.groups, which)
    if row is None:
        raise GroupMissing(f"no group {which}", group=which)
    members = await store.members_of(connection, [row.id])
    return Group(id=row.id, name=row.name, members=members.get(row.id, ()), created_at=row.created_at)


def _changeable(group: Group) -> None:
    if group.id == EVERYONE:
        raise Forbidden("everybody is in group:everyone, and nobody changes it")


async def _free(connection: AsyncConnection, table: Table, name: str) -> None:
    if await store.by_name(connection, table, name) is not None:
        raise NameTaken(f"there is a {table.name[:-1]} {name} already", name=name)


async def _not_the_last(connection: AsyncConnection, user: User) -> None:
    if not await store.any_admin_but(connection, user.id):
        raise LastAdmin(f"{user.username} is the last admin: make another one first", user=user.username)


async def _ids(connection: AsyncConnection, subjects: Sequence[str]) -> tuple[str, ...]:
    """One id for each of `subjects`, in order."""
    found: dict[str, str] = {}
    for kind, table in _KINDS.items():
        names = [s.partition(":")[2] for s in subjects if s.startswith(f"{kind}:")]
        ids = await store.ids_by_name(connection, table, names) if names else {}
        found |= {f"{kind}:{name}": identifier for name, identifier in ids.items()}
    missing = next((s for s in subjects if s not in found), None)
    if missing is not None:
        raise SubjectMissing(f"no {missing}", subject=missing)
    return tuple(found[s] for s in subjects)
