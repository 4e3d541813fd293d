"""Collections beside a real identity (in SQLite: its own tests have both engines), asked as the edge asks them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest

from muniment.collections import store
from muniment.collections.contract import Collections, Entitle, Entitlement
from muniment.collections.service import CollectionsSettings, SqlCollections
from muniment.identity.base import IdentitySettings
from muniment.identity.contract import (
    Authenticate,
    CreateGroup,
    CreateUser,
    Identity,
    Level,
    Login,
    Membership,
    Role,
)
from muniment.identity.service import SqlIdentity
from muniment.identity.store import MIGRATIONS as IDENTITY_MIGRATIONS
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.database import Database, open_database
from muniment.kernel.local import local
from muniment.kernel.outbox import Outbox

PASSWORD = "correct horse"
CHEAP = IdentitySettings(password_memory_kib=8, password_passes=1)


class Town:
    """Two rooms and the people who come to them."""

    def __init__(self, identity: Database, collections: Database) -> None:
        self.people = SqlIdentity(identity, CHEAP)
        self.database = collections
        self.outbox = Outbox(collections, store.outbox)
        self.identity = local(Identity, self.people)
        self.service = SqlCollections(collections, self.outbox, self.identity, CollectionsSettings())
        self.collections = local(Collections, self.service)
        self._tokens: dict[str, str] = {}

    async def opened(self) -> None:
        password = await self.people.first_start()
        assert password is not None
        with calling_as(None):
            self._tokens["admin"] = (
                await self.identity.login(Login(username="admin", password=password))
            ).access_token

    async def user(self, name: str, *roles: Role, clearance: Level = "internal") -> str:
        """A new user's id."""
        with calling_as(await self.who("admin")):
            made = await self.identity.create_user(
                CreateUser(username=name, password=PASSWORD, roles=roles or ("member",), clearance=clearance)
            )
            login = await self.identity.login(Login(username=name, password=PASSWORD))
        self._tokens[name] = login.access_token
        return made.id

    async def group(self, name: str, *subjects: str) -> None:
        with calling_as(await self.who("admin")):
            await self.identity.create_group(CreateGroup(name=name))
            for subject in subjects:
                await self.identity.add_member(Membership(group=name, subject=subject))

    async def entitlement(self, name: str) -> Entitlement:
        principal = await self.identity.authenticate(Authenticate(credential=self._tokens[name]))
        return await self.collections.entitle(
            Entitle(principal=principal.id, group_ids=principal.group_ids, clearance=principal.clearance)
        )

    async def who(self, name: str, *, scopes: frozenset[str] | None = None) -> Caller:
        """The user as the edge makes them out at the start of a request; `scopes` as an API key narrows them."""
        principal = await self.identity.authenticate(Authenticate(credential=self._tokens[name]))
        entitlement = await self.entitlement(name)
        return Caller(
            principal=principal.id,
            name=name,
            roles=frozenset(principal.roles),
            scopes=frozenset(principal.scopes) if scopes is None else scopes,
            tokens=frozenset((principal.id, *principal.group_ids, *entitlement.tokens)),
            withheld=frozenset(entitlement.withheld),
            epoch=f"{principal.epoch}.{entitlement.epoch}",
            session=principal.session,
        )

    @asynccontextmanager
    async def asking(self, name: str, *, scopes: frozenset[str] | None = None) -> AsyncIterator[Collections]:
        with self.calling(await self.who(name, scopes=scopes)) as collections:
            yield collections

    @contextmanager
    def calling(self, who: Caller) -> Iterator[Collections]:
        with calling_as(who):
            yield self.collections


@pytest.fixture
async def town(database_url: str, sqlite_url: str) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        identity = open_database(sqlite_url, room="identity", migrations=IDENTITY_MIGRATIONS)
        collections = open_database(database_url, room="collections", migrations=store.MIGRATIONS)
        town = Town(await stack.enter_async_context(identity), await stack.enter_async_context(collections))
        await town.opened()
        yield town
