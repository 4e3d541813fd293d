"""Building the room, and its first admin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from muniment.identity.base import IdentitySettings
from muniment.identity.contract import Identity
from muniment.identity.service import SqlIdentity
from muniment.identity.store import MIGRATIONS
from muniment.kernel.house import Ground


@asynccontextmanager
async def build(settings: IdentitySettings, ground: Ground) -> AsyncIterator[Identity]:
    """The room; where there is no admin yet it makes one, and announces the password unless one was given."""
    async with ground.database("identity", MIGRATIONS) as database:
        service = SqlIdentity(database, settings)
        password = await service.first_start()
        if password is not None:
            ground.announce("first admin", f"user admin, password {password} (shown this once)")
        yield service
