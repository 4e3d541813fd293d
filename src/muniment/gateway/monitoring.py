"""How the house is: health of each room in detail, and the numbers that Prometheus gathers."""

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from muniment.documents.contract import DocumentsStatus
from muniment.gateway.authenticate import Gate
from muniment.gateway.endpoint import Handler, json_answer
from muniment.gateway.loop_lag import LoopLag
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.deadline import deadline
from muniment.kernel.problems import Problem
from muniment.models.contract import ModelInfos
from muniment.vectors.contract import VectorsStatus

Probe = Callable[[], Awaitable[BaseModel]]
_PROBE_SECONDS = 2.0
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


class Monitoring:
    """Answers `/health` and `/metrics`. `probes`: for each room a cheap call that says whether it answers."""

    def __init__(
        self, gate: Gate, probes: Mapping[str, Probe], lag: LoopLag | None = None, *, open_on_loopback: bool
    ) -> None:
        self._gate, self._probes, self._open_on_loopback = gate, probes, open_on_loopback
        self._lag = lag

    async def health(self, http: Request) -> Response:
        """Each room's state, and the numbers that rooms told with it."""
        await self._admit(http)
        with calling_as(Caller.system("gateway")):
            told = await asyncio.gather(*(_probe(probe) for probe in self._probes.values()))
        rooms: dict[str, dict[str, Any]] = {}
        numbers: dict[str, int] = {} if self._lag is None else {"event_loop_lag_ms": self._lag.worst_ms}
        for room, reply in zip(self._probes, told, strict=True):
            if isinstance(reply, Problem):
                rooms[room] = {"status": "down", "detail": reply.detail or reply.title}
            else:
                rooms[room] = {"status": "ok"} | _models(reply) | _indexes(reply)
                numbers |= _numbers(reply)
        status = "ok" if all(room["status"] == "ok" for room in rooms.values()) else "degraded"
        return json_answer(json.dumps({"status": status, "rooms": rooms, "numbers": numbers}).encode())

    async def metrics(self, http: Request) -> Response:
        """Prometheus's text format."""
        await self._admit(http)
        return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})

    async def _admit(self, http: Request) -> None:
        if self._open_on_loopback and is_loopback(http):
            return
        request_id = http.scope.get("request_id", "")
        await self._gate.admit(http.headers.get("authorization"), request_id, ("monitoring:read",))


def bounded(seconds: float, handle: Handler) -> Handler:
    """`handle` within its time."""

    async def answer(http: Request) -> Response:
        async with deadline(seconds):
            return await handle(http)

    return answer


def is_loopback(http: Request) -> bool:
    """Whether the request comes from this machine itself, and through no proxy that says otherwise."""
    if http.client is None or any(name in http.headers for name in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(http.client.host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


async def _probe(probe: Probe) -> BaseModel | Problem:
    try:
        async with deadline(_PROBE_SECONDS):
            return await probe()
    except Problem as problem:
        return problem


def _models(reply: Any) -> dict[str, Any]:
    """The models that are being prepared or could not be; of the others there is nothing to say."""
    if not isinstance(reply, ModelInfos):
        return {}
    failed = [model for model in reply.items if model.state == "failed"]
    under_way = {m.name: m.preparing.model_dump(mode="json") for m in reply.items if m.preparing}
    told: dict[str, Any] = {"preparing": under_way} if under_way else {}
    if failed:
        told |= {"status": "degraded", "detail": failed[0].problem}
    return told


def _indexes(reply: Any) -> dict[str, Any]:
    """The indexes that are being built anew, or could not be; searches go on meanwhile."""
    if not isinstance(reply, VectorsStatus):
        return {}
    told = {index.name: index.building or index.problem for index in reply.indexes}
    told = {name: words for name, words in told.items() if words}
    return {"building": told} if told else {}


def _numbers(reply: Any) -> dict[str, int]:
    if isinstance(reply, DocumentsStatus):
        return {
            "documents": reply.documents,
            "chunks": reply.chunks,
            "size_bytes": reply.size_bytes,
            "ingested_last_minute": reply.ingested_last_minute,
            **{f"versions_{state}": count for state, count in sorted(reply.versions.items())},
            **{f"runs_{state}": count for state, count in sorted(reply.runs.items())},
        }
    if isinstance(reply, VectorsStatus):
        return {
            "indexes": len(reply.indexes),
            "points": sum(index.points for index in reply.indexes),
            "points_indexed": sum(index.indexed for index in reply.indexes),
        }
    return {}
