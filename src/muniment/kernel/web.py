"""What every HTTP answer of Muniment has in common: problems, request ids, event streams, measures."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from muniment.kernel.contract import Stream
from muniment.kernel.guard import only_problems
from muniment.kernel.ids import new_id
from muniment.kernel.logs import get_logger
from muniment.kernel.problems import Internal, Missing, Problem
from muniment.kernel.tracing import continuing, spanned

HEARTBEAT_SECONDS = 15.0
_log = get_logger(__name__)
_served = Counter("muniment_http_requests_total", "HTTP answers", ["route", "status"])
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10, 30)
_seconds = Histogram("muniment_http_seconds", "Time to answer", ["route"], buckets=_BUCKETS)


class NotAllowed(Problem, status=405):
    """The address exists, but not with this method."""


def problem_response(problem: Problem, request_id: str = "") -> Response:
    """The problem as `application/problem+json`, with the headers that its kind asks for."""
    body = problem.document() | ({"request_id": request_id} if request_id else {})
    headers = {}
    if (wait := problem.retry_after_seconds) is not None:
        headers["retry-after"] = str(max(1, round(wait)))
    elif problem.retryable and problem.status in (429, 503):
        headers["retry-after"] = "2"
    if problem.status == 401:  # noqa: PLR2004 - RFC 9110 asks for the challenge with this status
        headers["www-authenticate"] = "Bearer"
    return Response(json.dumps(body), problem.status, headers, "application/problem+json")


async def render_problem(request: Request, failure: Exception) -> Response:
    """Exception handler for Problems, and for what Starlette raises by itself."""
    request_id = request.scope.get("request_id", "")
    if isinstance(failure, Problem):
        return problem_response(failure, request_id)
    if isinstance(failure, HTTPException) and failure.status_code == 405:  # noqa: PLR2004
        return problem_response(NotAllowed(f"{request.method} is not for {request.scope['path']}"), request_id)
    if isinstance(failure, HTTPException) and failure.status_code < 500:  # noqa: PLR2004
        return problem_response(Missing(f"there is nothing at {request.scope['path']}"), request_id)
    return problem_response(Internal("the answer could not be made"), request_id)


HANDLERS: dict[int | type[Exception], Any] = dict.fromkeys((Problem, HTTPException, Exception), render_problem)


class EventStream(Response):
    """Server-sent events from a stream. A failure before the first event is an HTTP status, a later one an event.

    A comment line goes out every 15 s of silence; when the client goes away, the stream is closed.
    """

    def __init__(
        self,
        events: Stream[Any],
        encode: Callable[[Any], tuple[str, bytes]],
        *,
        end: tuple[str, bytes] | None = None,
    ) -> None:
        super().__init__(media_type="text/event-stream", headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._events, self._encode, self._end = events, encode, end
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, a problem, or the client's leaving."""
        gone = asyncio.create_task(_until_gone(receive))
        try:
            await self._send_all(send, gone)
        except Problem as problem:
            request_id = scope.get("request_id", "")
            if not self._started:
                await problem_response(problem, request_id)(scope, receive, send)
                return
            body = problem.document() | {"request_id": request_id}
            await self._put(send, _frame("problem", json.dumps(body).encode()), more=False)
        finally:
            gone.cancel()
            await self._events.aclose()

    async def _send_all(self, send: Send, gone: asyncio.Task[None]) -> None:
        while True:
            upcoming = asyncio.ensure_future(anext(self._events, None))
            try:
                while not upcoming.done():
                    await asyncio.wait({upcoming, gone}, timeout=HEARTBEAT_SECONDS, return_when="FIRST_COMPLETED")
                    if gone.done():
                        return
                    if not upcoming.done():
                        await self._put(send, b": still here\n\n")
            finally:
                upcoming.cancel()
            if (event := upcoming.result()) is None:
                break
            await self._put(send, _frame(*self._encode(event)))
        await self._put(send, _frame(*self._end) if self._end else b"", more=False)

    async def _put(self, send: Send, data: bytes, *, more: bool = True) -> None:
        if not self._started:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            self._started = True
        await send({"type": "http.response.body", "body": data, "more_body": more})


def _frame(event: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Edge:
    """ASGI middleware around everything: a request id, a log line, a measure, a span; defects become problems."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        given = headers.get("x-request-id", "")
        request_id = given if re.fullmatch(r"[A-Za-z0-9_.-]{8,128}", given) else new_id("req")
        scope["request_id"] = request_id
        status, started = 0, time.perf_counter()

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            with continuing(headers), spanned(f"{scope['method']} {scope['path']}"):
                async with only_problems(f"{scope['method']} {scope['path']}"):
                    await self._app(scope, receive, stamped)
        except Problem as problem:
            if not status:
                await problem_response(problem, request_id)(scope, receive, stamped)
        route = getattr(scope.get("route"), "path", "unmatched")
        _served.labels(route, status).inc()
        _seconds.labels(route).observe(time.perf_counter() - started)
        _log.debug("answered", method=scope["method"], path=scope["path"], status=status, request_id=request_id)
