"""The edge put together: the public table over the rooms, the pages beside it, one application over both."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from muniment.collections.contract import Collections
from muniment.documents.contract import Documents, Options
from muniment.gateway.ask import ask_handler
from muniment.gateway.authenticate import Gate
from muniment.gateway.compositions import CollectionCalls, LetterCalls, RunCalls
from muniment.gateway.content import content_handler, picture_handler
from muniment.gateway.endpoint import Address, Handler, admitted, json_handler
from muniment.gateway.headers import SafeHeaders
from muniment.gateway.loop_lag import LoopLag
from muniment.gateway.monitoring import Monitoring, Probe, bounded
from muniment.gateway.openapi import openapi
from muniment.gateway.pages import document, pages
from muniment.gateway.public import TABLE, Row
from muniment.gateway.reading import Reader
from muniment.gateway.searching import search_handler
from muniment.gateway.settings import GatewaySettings
from muniment.gateway.upload import Uploads
from muniment.generation.contract import Generation
from muniment.identity.contract import Identity
from muniment.kernel.blobs import Blobs
from muniment.kernel.problems import Missing
from muniment.kernel.web import HANDLERS
from muniment.knowledge.contract import Knowledge
from muniment.models.contract import Models
from muniment.retrieval.contract import Retrieval
from muniment.vectors.contract import Vectors

FORMS = frozenset({"POST /api/v1/collections/{collection}/documents"})
"""Calls that take a multipart form."""

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_REQUEST_HEADERS = ("authorization", "content-type", "idempotency-key", "x-request-id")


@dataclass(frozen=True)
class Rooms:
    """The rooms behind the edge."""

    identity: Identity
    collections: Collections
    documents: Documents
    models: Models
    vectors: Vectors
    retrieval: Retrieval
    knowledge: Knowledge
    generation: Generation


def edge(
    settings: GatewaySettings,
    blobs: Blobs,
    rooms: Rooms,
    probes: Mapping[str, Probe],
    lag: LoopLag | None = None,
) -> ASGIApp:
    """The whole edge as an ASGI application."""
    gate = Gate(rooms.identity, rooms.collections)
    uploads = Uploads(settings, blobs, rooms.collections, rooms.documents)
    calls = _calls(rooms, uploads)
    addresses: dict[str, dict[str, Handler]] = {}
    for row in TABLE:
        seconds: float = getattr(settings, f"{row.patience}_seconds")
        handle = uploads.multipart if row.name in FORMS else _handler(row, settings, blobs, rooms, calls)
        addresses.setdefault(row.path, {})[row.method] = admitted(row, gate, seconds, handle)
    monitoring = Monitoring(gate, probes, lag, open_on_loopback=settings.open_monitoring_on_loopback)
    plain = pages() | {
        "/openapi.json": document(reference),
        "/health": bounded(settings.request_seconds, monitoring.health),
        "/metrics": bounded(settings.request_seconds, monitoring.metrics),
    }
    addresses |= {path: {"GET": handle} for path, handle in plain.items()}
    return _application([Route(path, Address(path, methods)) for path, methods in addresses.items()], settings)


def reference() -> dict[str, Any]:
    """The OpenAPI document of the public table."""
    return openapi(TABLE, version("muniment"), FORMS, Options)


def _calls(rooms: Rooms, uploads: Uploads) -> Mapping[str, Callable[[Any], Awaitable[Any]]]:
    """Calls that are more than one operation of one room."""
    shelf = CollectionCalls(rooms.collections, rooms.documents, rooms.models)
    runs = RunCalls(rooms.documents)
    letters = LetterCalls(rooms.collections, rooms.documents)
    return {
        "POST /api/v1/collections": shelf.create,
        "GET /api/v1/collections": shelf.list,
        "GET /api/v1/collections/{collection}": shelf.get,
        "PATCH /api/v1/collections/{collection}": shelf.update,
        "DELETE /api/v1/collections/{collection}": shelf.delete,
        "POST /api/v1/collections/{collection}/documents/batch": uploads.batch,
        "GET /api/v1/runs/{id}": runs.get,
        "POST /api/v1/runs/{id}/retry": runs.retry,
        "POST /api/v1/runs/{id}/cancel": runs.cancel,
        "GET /api/v1/dead-letters": letters.list,
        "POST /api/v1/dead-letters/{id}/retry": letters.retry,
        "DELETE /api/v1/dead-letters/{id}": letters.drop,
    }


def _handler(
    row: Row,
    settings: GatewaySettings,
    blobs: Blobs,
    rooms: Rooms,
    calls: Mapping[str, Callable[[Any], Awaitable[Any]]],
) -> Handler:
    read: Reader[Any] = Reader(
        row.request, row.from_path, hidden=row.hidden, limit_bytes=getattr(settings, f"{row.size}_limit_bytes")
    )
    if row.contract is Knowledge:
        return ask_handler(read, rooms.knowledge)
    if row.contract is Retrieval and row.call == "search":
        return search_handler(read, rooms.retrieval)
    if row.call == "page":
        return picture_handler(read, rooms.documents, blobs)
    if row.call == "content":
        return content_handler(read, rooms.documents, blobs)
    call = calls.get(row.name) or getattr(getattr(rooms, row.operation.room), row.call)
    return json_handler(read, call, TypeAdapter(row.reply), row.status)


def _application(routes: Sequence[Route], settings: GatewaySettings) -> ASGIApp:
    app: ASGIApp = Router(routes, redirect_slashes=False, default=_nothing_there)
    app = SafeHeaders(ExceptionMiddleware(app, handlers=HANDLERS))
    if settings.allowed_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.allowed_origins,
            allow_methods=_METHODS,
            allow_headers=_REQUEST_HEADERS,
            expose_headers=("x-request-id", "retry-after"),
        )
    return app


async def _nothing_there(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's shape
    raise Missing(f"there is nothing at {scope['path']}; /docs lists what there is")
