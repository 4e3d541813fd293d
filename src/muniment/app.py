"""The composition root: the table of rooms, who hears which event, and one ASGI application over them."""

import inspect
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_type_hints
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from muniment.collections import build as collections
from muniment.collections.contract import Collections
from muniment.documents import build as documents
from muniment.documents.contract import Documents
from muniment.embedding import build as embedding
from muniment.embedding.contract import Embedding
from muniment.gateway import build as gateway
from muniment.gateway.contract import Gateway
from muniment.generation import build as generation
from muniment.generation.contract import Generation
from muniment.identity import build as identity
from muniment.identity.contract import Identity
from muniment.kernel.blobs import Blobs
from muniment.kernel.contract import room_of
from muniment.kernel.house import Builder, Ground, House, Subscription
from muniment.kernel.model import Model
from muniment.kernel.outbox import Deliver
from muniment.kernel.problems import Problem
from muniment.kernel.server import routes
from muniment.kernel.settings import Configuration, ProcessSettings, RoomSettings, SettingsUnfit
from muniment.kernel.web import HANDLERS, Edge
from muniment.knowledge import build as knowledge
from muniment.knowledge.contract import Knowledge
from muniment.models import build as models
from muniment.models.contract import Models
from muniment.retrieval import build as retrieval
from muniment.retrieval.contract import Retrieval
from muniment.runfile import open_data_folder
from muniment.vectors import build as vectors
from muniment.vectors.contract import Vectors

ROOMS: Mapping[type, Builder] = {
    Identity: identity.build,
    Collections: collections.build,
    Models: models.build,
    Embedding: embedding.build,
    Vectors: vectors.build,
    Documents: documents.build,
    Retrieval: retrieval.build,
    Generation: generation.build,
    Knowledge: knowledge.build,
    Gateway: gateway.build,
}

SUBSCRIPTIONS: Sequence[Subscription] = (Subscription("collection.deleted", Documents, "purge_collection"),)

T = TypeVar("T")
CONTRACTS: Mapping[str, type] = {room_of(contract): contract for contract in ROOMS}


class RoomUnknown(Problem, status=422):
    """No room of that name; `rooms` lists them."""


def sections() -> dict[str, type[Model]]:
    """Every section of the settings by name; the process's own under the empty one."""
    found: dict[str, type[Model]] = {"": ProcessSettings}
    for room, contract in CONTRACTS.items():
        if (kind := _settings_of(ROOMS[contract])) is not None:
            found[room] = kind
    return found


def _settings_of(builder: Builder) -> type[RoomSettings] | None:
    hints = get_type_hints(inspect.unwrap(builder)).values()
    return next((h for h in hints if inspect.isclass(h) and issubclass(h, RoomSettings)), None)


def needs_of(contract: type) -> tuple[type, ...]:
    """The contracts that the builder of a room asks for."""
    return tuple(h for h in get_type_hints(inspect.unwrap(ROOMS[contract])).values() if h in ROOMS)


def contracts_of(rooms: Sequence[str]) -> list[type]:
    """The contracts of these rooms, or with none named, of all.

    Raises RoomUnknown.
    """
    for room in rooms:
        if room not in CONTRACTS:
            raise RoomUnknown(f"there is no room {room!r}; rooms: {', '.join(CONTRACTS)}", rooms=list(CONTRACTS))
    return [CONTRACTS[room] for room in (rooms or CONTRACTS)]


@dataclass(frozen=True)
class Opened:
    """A house with its rooms built: its application, and what a person must be told once."""

    house: House
    application: ASGIApp
    announcements: Mapping[str, str]


@asynccontextmanager
async def open_house(configuration: Configuration, rooms: Sequence[str] = ()) -> AsyncIterator[Opened]:
    """Build the named rooms (none: all), and what they need that runs nowhere else.

    Raises a Problem, with the cure, when something of the operator's stands in the way.
    """
    process = configuration.section("", ProcessSettings)
    if slips := configuration.unknown(sections()):
        raise SettingsUnfit(f"there is no setting {slips[0]}; `muniment config show` lists them")
    here = contracts_of(rooms)
    async with AsyncExitStack() as stack:
        ground = _ground(process, {room_of(c) for c in here} if rooms else set())
        house = House(ROOMS, configuration, ground, stack)
        for subscription in SUBSCRIPTIONS:
            subscribers = ground.subscribers[subscription.event]
            if isinstance(subscribers, list):
                subscribers.append(house.deliver(subscription))
        internal: list[Route] = []
        for contract in here:
            service: object = await house.get(contract)
            if ground.secrets:
                internal += routes(contract, service, ground.secrets)
        yield Opened(house, _application(ground, internal, here), ground.announcements)


@asynccontextmanager
async def open_room(configuration: Configuration, contract: type[T]) -> AsyncIterator[T]:
    """One room of the data folder, for a command that works on this machine without a server."""
    open_data_folder(data_folder(configuration))
    async with AsyncExitStack() as stack:
        ground = _ground(configuration.section("", ProcessSettings), set())
        yield await House(ROOMS, configuration, ground, stack).get(contract)


def _ground(process: ProcessSettings, serving: set[str]) -> Ground:
    data = process.data.expanduser().absolute()
    secrets = tuple(s.get_secret_value() for s in (process.service_token, process.service_token_next) if s)
    addresses = {room: url for room, url in process.at.items() if room not in serving}
    contracts_of(list(addresses))
    for room, url in addresses.items():
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
            raise SettingsUnfit(
                f"at.{room} is {url!r}, which is no URL: MUNIMENT_AT__{room.upper()}=http://127.0.0.1:8801 is one"
            )
    if (addresses or serving) and not secrets:
        raise SettingsUnfit(
            "rooms in several processes need MUNIMENT_SERVICE_TOKEN, the same long secret in each of them"
        )
    subscribers: dict[str, Sequence[Deliver]] = {s.event: [] for s in SUBSCRIPTIONS}
    return Ground(
        data=data,
        database_url=process.database_url or f"sqlite:///{data}",
        blobs=Blobs.open(process.blobs_url or (data / "blobs").as_uri()),
        secrets=secrets,
        subscribers=subscribers,
        announcements={},
        mounted=[],
        addresses=addresses,
        peers={},
    )


def _application(ground: Ground, internal: Sequence[Route], here: Sequence[type]) -> ASGIApp:
    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ready", "rooms": sorted(room_of(c) for c in here)})

    own = [Route("/health/live", live), Route("/health/ready", ready)]
    mounts = [Mount("/", app=app) for app in ground.mounted]
    return Edge(Starlette(routes=[*own, *internal, *mounts], exception_handlers=HANDLERS))


def data_folder(configuration: Configuration) -> Path:
    """The data folder, absolute."""
    return configuration.section("", ProcessSettings).data.expanduser().absolute()
