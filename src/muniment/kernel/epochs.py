"""What was worked out as of an epoch, forgotten when it moves, and the epoch, read where it may have moved."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.kernel.database import Database

V = TypeVar("V")


class AsOf(Generic[V]):
    """Values by key, all of one epoch. It holds `most` of them, and starts afresh beyond."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._epoch: Hashable = None
        self._values: dict[Hashable, V] = {}

    def get(self, epoch: Hashable, key: Hashable) -> V | None:
        """The value of `key` as of `epoch`, if it is known; values of any other epoch are forgotten."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._values.clear()
        return self._values.get(key)

    def put(self, epoch: Hashable, key: Hashable, value: V) -> None:
        """Keep a value, unless the epoch has moved since it was worked out."""
        if epoch == self._epoch:
            if len(self._values) >= self._most:
                self._values.clear()
            self._values[key] = value


class Latest(Generic[V]):
    """What one read of a database gives, such as the epoch; read again only where a row may have changed since."""

    def __init__(self, database: Database, read: Callable[[AsyncConnection], Awaitable[V]]) -> None:
        self._database, self._read = database, read
        self._known: tuple[str | None, V] | None = None

    async def get(self) -> V:
        """As of now: every change that was acknowledged before is seen."""
        mark, known = self._database.own_mark, self._known  # before the read: who is overtaken reads once more
        if known is None or mark is None or known[0] != mark:
            async with self._database.read() as connection:
                known = self._known = mark, await self._read(connection)
        return known[1]
