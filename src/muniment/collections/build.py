"""Building the room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from muniment.collections import store
from muniment.collections.contract import Collections
from muniment.collections.service import CollectionsSettings, SqlCollections
from muniment.identity.contract import Identity
from muniment.kernel.house import Ground
from muniment.kernel.outbox import Outbox


@asynccontextmanager
async def build(settings: CollectionsSettings, ground: Ground, identity: Identity) -> AsyncIterator[Collections]:
    """The room, and its events on their way."""
    async with ground.database("collections", store.MIGRATIONS) as database:
        outbox = Outbox(database, store.outbox)
        async with ground.dispatching(outbox):
            yield SqlCollections(database, outbox, identity, settings)
