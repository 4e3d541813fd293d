"""Builds the room."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from muniment.collections.contract import Collections
from muniment.documents.contract import Documents
from muniment.gateway.contract import Gateway
from muniment.gateway.edge import Rooms, edge
from muniment.gateway.loop_lag import LoopLag
from muniment.gateway.monitoring import Probe
from muniment.gateway.settings import GatewaySettings
from muniment.generation.contract import Generation
from muniment.identity.contract import Identity
from muniment.kernel.house import Ground
from muniment.kernel.model import Nothing
from muniment.kernel.transport import Transport
from muniment.knowledge.contract import Knowledge
from muniment.models.contract import Models
from muniment.retrieval.contract import Retrieval, Weigh
from muniment.vectors.contract import Vectors


@dataclass(frozen=True)
class HttpGateway:
    """The edge as an ASGI application."""

    application: ASGIApp


@asynccontextmanager
async def build(
    settings: GatewaySettings,
    ground: Ground,
    *,
    identity: Identity,
    collections: Collections,
    documents: Documents,
    models: Models,
    vectors: Vectors,
    retrieval: Retrieval,
    knowledge: Knowledge,
    generation: Generation,
) -> AsyncIterator[Gateway]:
    """The public table over the rooms, mounted on the house's application."""
    rooms = Rooms(identity, collections, documents, models, vectors, retrieval, knowledge, generation)
    lag = LoopLag()
    application = edge(settings, ground.blobs, rooms, probes(rooms, ground.peers), lag)
    ground.mount(application)
    async with ground.running("event loop lag", lag.watch):
        yield HttpGateway(application)


def probes(rooms: Rooms, peers: Mapping[str, Transport]) -> dict[str, Probe]:
    """For each room, a call that is cheap, changes nothing, and needs nobody's entitlement."""
    return {
        "identity": lambda: rooms.identity.jwks(Nothing()),
        "collections": lambda: rooms.collections.indexes(Nothing()),
        "documents": lambda: rooms.documents.status(Nothing()),
        "models": lambda: rooms.models.list(Nothing()),
        "vectors": lambda: rooms.vectors.status(Nothing()),
        "retrieval": lambda: rooms.retrieval.weigh(Weigh(text="health")),
        "knowledge": lambda: _reached(peers.get("knowledge")),
        "generation": lambda: rooms.generation.writers(Nothing()),
    }


async def _reached(peer: Transport | None) -> Nothing:
    """A room without a cheap call answers when its process does; here, that is now."""
    if peer is not None:
        async with peer.post("/health/live", b"", {}) as reply:
            await reply.read()
    return Nothing()
