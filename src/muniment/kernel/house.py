"""The composition root's mechanism: a room with an address is called there, every other is built here, once."""

import asyncio
import inspect
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from starlette.types import ASGIApp

from muniment.kernel.backoff import backoff_seconds
from muniment.kernel.blobs import Blobs
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.client import client
from muniment.kernel.contract import operation, room_of
from muniment.kernel.database import Database, open_database
from muniment.kernel.guard import only_problems
from muniment.kernel.local import local
from muniment.kernel.logs import get_logger
from muniment.kernel.outbox import Deliver, Dispatcher, Event, Outbox
from muniment.kernel.policies import retrying
from muniment.kernel.problems import Problem
from muniment.kernel.settings import Configuration, RoomSettings
from muniment.kernel.transport import Transport, connect

T = TypeVar("T")
Builder = Callable[..., AbstractAsyncContextManager[Any]]
_log = get_logger(__name__)


class Subscription(NamedTuple):
    """An event of one room that an operation of another wants: the event's data is its request."""

    event: str
    contract: type
    operation: str


@dataclass(frozen=True)
class Ground:
    """What a room's builder gets of the kernel."""

    data: Path
    database_url: str
    blobs: Blobs
    secrets: tuple[str, ...]
    subscribers: Mapping[str, Sequence[Deliver]]
    announcements: dict[str, str]
    mounted: list[ASGIApp]
    addresses: Mapping[str, str]
    peers: Mapping[str, Transport]

    def database(self, room: str, migrations: Path) -> AbstractAsyncContextManager[Database]:
        """The room's own database, its schema up to date."""
        return open_database(self.database_url, room=room, migrations=migrations)

    def dispatching(self, outbox: Outbox) -> AbstractAsyncContextManager[None]:
        """Deliver the outbox's events to their subscribers, for the length of the context."""
        return self.running("dispatcher", Dispatcher(outbox, self.subscribers).run)

    @asynccontextmanager
    async def running(self, name: str, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Keep `work` going in the background for the length of the context, begun again when it fails."""
        task = asyncio.create_task(_forever(name, work), name=name)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    def announce(self, topic: str, text: str) -> None:
        """Something a person must see once, on the terminal that starts the house, and no log may keep."""
        self.announcements[topic] = text

    def mount(self, app: ASGIApp) -> None:
        """Answer every address that is not the house's own with `app`."""
        self.mounted.append(app)


async def _forever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    attempt = 0
    while True:
        attempt += 1
        try:
            with calling_as(Caller.system(name)):
                async with only_problems(name):
                    await work()
                    return
        except Problem as problem:
            _log.warning("background work failed", work=name, attempt=attempt, detail=problem.detail)
        await asyncio.sleep(backoff_seconds(attempt, first=0.5, most=30))


class House:
    """Gives each contract an implementation, building what it needs first and once."""

    def __init__(
        self,
        rooms: Mapping[type, Builder],
        configuration: Configuration,
        ground: Ground,
        stack: AsyncExitStack,
    ) -> None:
        self._rooms, self._configuration, self.ground, self._stack = rooms, configuration, ground, stack
        self._made: dict[type, Any] = {}
        self._path: list[type] = []

    async def get(self, contract: type[T]) -> T:
        """The implementation of `contract`.

        Raises TypeError when rooms need each other in a circle.
        """
        if contract not in self._made:
            if contract in self._path:
                circle = [c.__name__ for c in [*self._path, contract]]
                raise TypeError(" -> ".join(circle) + ": rooms in a circle")
            self._path.append(contract)
            address = self.ground.addresses.get(room_of(contract))
            make = self._build(contract) if address is None else self._call(contract, address)
            self._made[contract] = await make
            self._path.pop()
        return typing.cast("T", self._made[contract])

    async def _call(self, contract: type, address: str) -> Any:
        transport = await self._stack.enter_async_context(connect(address))
        typing.cast("dict[str, Transport]", self.ground.peers)[room_of(contract)] = transport
        return retrying(contract, client(contract, transport, self.ground.secrets[0]))

    async def _build(self, contract: type) -> Any:
        build = self._rooms[contract]
        needs: dict[str, Any] = {}
        for name, hint in typing.get_type_hints(inspect.unwrap(build)).items():
            if hint is Ground:
                needs[name] = self.ground
            elif hint in self._rooms:
                needs[name] = await self.get(hint)
            elif inspect.isclass(hint) and issubclass(hint, RoomSettings):
                needs[name] = self._configuration.section(room_of(contract), hint)
        return local(contract, await self._stack.enter_async_context(build(**needs)))

    def deliver(self, subscription: Subscription) -> Deliver:
        """How an event reaches its subscriber: in this process, or posted to the subscriber's."""
        op = operation(subscription.contract, subscription.operation)

        async def deliver(event: Event) -> None:
            service: object = await self.get(subscription.contract)
            await getattr(service, op.name)(op.request.model_validate(event.data))

        return deliver
