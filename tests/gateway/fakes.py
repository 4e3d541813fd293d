"""The edge over small rooms that answer what a test told them, and remember what they were asked."""

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from muniment.collections.contract import (
    Collection,
    CollectionRef,
    CollectionRefs,
    Collections,
    Entitlement,
    Indexes,
    IndexRef,
)
from muniment.documents.contract import Counts, Documents, DocumentsStatus, Uploaded, UploadedDocument
from muniment.gateway.build import probes
from muniment.gateway.edge import Rooms, edge
from muniment.gateway.settings import GatewaySettings
from muniment.generation.contract import Generation, Writers
from muniment.identity.contract import Identity, Jwks, Me, Principal
from muniment.kernel.blobs import Blobs
from muniment.kernel.caller import Caller, caller_or_none
from muniment.kernel.contract import Op, implement
from muniment.kernel.local import local
from muniment.kernel.model import Nothing, Page
from muniment.kernel.problems import Problem, Unauthenticated
from muniment.kernel.web import HANDLERS, Edge
from muniment.knowledge.contract import Knowledge
from muniment.models.contract import ModelInfos, Models
from muniment.retrieval.contract import Hits, Retrieval, Weights
from muniment.vectors.contract import IndexStatus, Vectors, VectorsStatus

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
READER, WRITER, ADMIN, MONITOR = "reader-token", "writer-token", "admin-token", "monitor-token"
SCOPES = {
    READER: ("documents:read",),
    WRITER: ("documents:read", "documents:write"),
    ADMIN: (
        "documents:read",
        "documents:write",
        "collections:admin",
        "users:admin",
        "monitoring:read",
        "config:admin",
    ),
    MONITOR: ("monitoring:read",),
}
Answer = Any | Callable[[Any], Any]


class Asked(list[tuple[str, Any, Caller | None]]):
    """What rooms were asked, in order: operation, request, caller."""

    def of(self, name: str) -> list[Any]:
        return [request for operation, request, _ in self if operation == name]

    def callers(self, name: str) -> list[Caller | None]:
        return [who for operation, _, who in self if operation == name]


def room(contract: type, asked: Asked, answers: Mapping[str, Answer]) -> Any:
    def make(op: Op) -> Callable[[Any], Any]:
        def answer(request: Any) -> Any:
            asked.append((str(op), request, caller_or_none()))
            given = answers[str(op)]
            if isinstance(given, Problem):
                raise given
            return given(request) if callable(given) else given

        async def unary(request: Any) -> Any:
            given = answer(request)
            return await given if inspect.isawaitable(given) else given

        async def stream(request: Any) -> AsyncIterator[Any]:
            for event in answer(request):
                if isinstance(event, Problem):
                    raise event
                yield event

        return stream if op.stream else unary

    return local(contract, implement(contract, make))


def authenticate(request: Any) -> Principal:
    if request.credential not in SCOPES:
        raise Unauthenticated("the credential is expired, forged or revoked")
    name = request.credential.removesuffix("-token")
    return Principal(
        id=f"usr_{name}",
        username=name,
        roles=("member",),
        scopes=SCOPES[request.credential],
        groups=("eng",),
        group_ids=("grp_eng", "grp_everyone"),
        clearance="internal",
        epoch="7",
        session="ses_1",
    )


def collection_ref(*, member: bool = True, visible: bool = True) -> CollectionRef:
    return CollectionRef(
        id="col_1",
        name="handbook",
        access_level="internal",
        language=None,
        index=IndexRef(name="m.r.1", model="m", recipe="r", generation=1),
        visible=visible,
        member=member,
        manager=False,
    )


def collection() -> Collection:
    return Collection(
        id="col_1",
        name="handbook",
        title=None,
        description=None,
        access_level="internal",
        members=None,
        managers=None,
        grants=None,
        language=None,
        index=IndexRef(name="m.r.1", model="m", recipe="r", generation=1),
        created_at=AT,
    )


def uploaded(request: Any) -> Uploaded:
    documents = tuple(
        UploadedDocument(id=f"doc_{i}", key=d.options.key or d.name, version=1, run=f"run_documents_{i}")
        for i, d in enumerate(request.documents)
    )
    return Uploaded(run="run_documents_all", documents=documents)


ANSWERS: dict[str, Answer] = {
    "Identity.authenticate": authenticate,
    "Identity.jwks": Jwks(keys=()),
    "Identity.me": Me(
        id="usr_reader", username="reader", roles=(), groups=(), clearance="internal", scopes=("documents:read",)
    ),
    "Collections.entitle": Entitlement(tokens=("col_1:internal",), withheld=("col_9",), epoch="3"),
    "Collections.lookup": lambda request: CollectionRefs(
        items=(collection_ref(),) if request.collections == ("handbook",) else ()
    ),
    "Collections.indexes": Indexes(items=()),
    "Collections.get": collection(),
    "Collections.list": Page[Collection](items=(collection(),)),
    "Collections.update": collection(),
    "Documents.count_readable": Counts(counts={"col_1": 4, "col_2": 0}),
    "Documents.status": DocumentsStatus(documents=2, chunks=9, versions={"current": 2}, runs={"failed": 1}),
    "Documents.admit": Nothing(),
    "Documents.upload": uploaded,
    "Models.list": ModelInfos(items=()),
    "Vectors.status": VectorsStatus(engine="e", indexes=(IndexStatus(name="m.r.1", points=9, dimensions=3),)),
    "Retrieval.search": Hits(hits=(), took_ms=1.5, timings={"embed": 1.0, "engine": 0.25}),
    "Retrieval.weigh": Weights(weights={}, unknown=("health",)),
    "Generation.writers": Writers(items=(), default="extractive"),
    "Identity.logout": Nothing(),
}


class House:
    """The edge as it stands in the house, and what its rooms were asked."""

    def __init__(self, blobs: Blobs, settings: GatewaySettings, answers: Mapping[str, Answer]) -> None:
        self.blobs, self.asked = blobs, Asked()
        told = ANSWERS | dict(answers)
        contracts = (Identity, Collections, Documents, Models, Vectors, Retrieval, Knowledge, Generation)
        rooms = Rooms(*(room(contract, self.asked, told) for contract in contracts))
        inner = edge(settings, blobs, rooms, probes(rooms, {}))
        self.bare: ASGIApp = Edge(inner)
        self.application: ASGIApp = Edge(Starlette(routes=[Mount("/", app=inner)], exception_handlers=HANDLERS))

    @asynccontextmanager
    async def client(
        self, token: str | None = WRITER, client: str = "10.1.2.3"
    ) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.application, client=(client, 5000))
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://house", headers=headers) as http:
            yield http
