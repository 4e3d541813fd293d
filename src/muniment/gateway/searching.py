"""Searches: the answer, and in headers where its time went and whether anything was missing."""

from collections.abc import Mapping

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from muniment.gateway.endpoint import Handler, json_answer
from muniment.gateway.reading import Reader
from muniment.retrieval.contract import Hits, Retrieval, Search

_HITS: TypeAdapter[Hits] = TypeAdapter(Hits)


def search_handler(read: Reader[Search], retrieval: Retrieval) -> Handler:
    """Answers with `Server-Timing` (a W3C working draft), which browsers draw."""

    async def handle(http: Request) -> Response:
        hits = await retrieval.search(await read(http))
        response = json_answer(_HITS.dump_json(hits))
        response.headers["server-timing"] = server_timing(hits.timings)
        if hits.degraded:
            response.headers["x-service-degraded"] = "true"
        if "cache" in hits.degraded:
            response.headers["x-from-cache"] = "true"
        return response

    return handle


def server_timing(timings: Mapping[str, float]) -> str:
    """Milliseconds by step as the header has them."""
    return ", ".join(f"{step};dur={milliseconds}" for step, milliseconds in timings.items())
