"""Identity on a real database, with cheap passwords and a clock that tests move."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from pydantic import SecretStr

from muniment.identity.base import IdentitySettings
from muniment.identity.contract import Authenticate, CreateUser, Identity, Login, Role, Tokens, User
from muniment.identity.service import SqlIdentity
from muniment.identity.store import MIGRATIONS
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.database import Database, open_database
from muniment.kernel.local import local
from muniment.kernel.model import now

PASSWORD = "correct horse"
CHEAP = IdentitySettings(
    admin_password=SecretStr(PASSWORD), password_memory_kib=8, password_passes=1, signing_key_days=1
)


class Clock:
    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **how_long: float) -> None:
        self.at += timedelta(**how_long)


class Desk:
    """The room's door, and people who come to it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.service = SqlIdentity(database, CHEAP, self.clock)
        self.identity = local(Identity, self.service)

    async def sign_in(self, name: str = "admin", password: str = PASSWORD) -> Tokens:
        with calling_as(None):
            return await self.identity.login(Login(username=name, password=password))

    async def who(self, credential: str) -> Caller:
        found = await self.identity.authenticate(Authenticate(credential=credential))
        return Caller(
            principal=found.id,
            name=found.username,
            roles=frozenset(found.roles),
            scopes=frozenset(found.scopes),
            epoch=found.epoch,
            session=found.session,
        )

    async def admin(self) -> Caller:
        return await self.who((await self.sign_in()).access_token)

    async def user(self, name: str, *roles: Role, groups: tuple[str, ...] = ()) -> User:
        """A new user, with the usual password."""
        request = CreateUser(username=name, password=PASSWORD, roles=roles or ("member",), groups=groups)
        with calling_as(await self.admin()):
            return await self.identity.create_user(request)

    @contextmanager
    def asking(self, who: Caller) -> Iterator[Identity]:
        with calling_as(who):
            yield self.identity


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with open_database(database_url, room="identity", migrations=MIGRATIONS) as database:
        desk = Desk(database)
        await desk.service.first_start()
        yield desk
