"""Endpoints: a row of the public table as an answer to HTTP, and all rows of one address behind one route."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from muniment.gateway.authenticate import Gate
from muniment.gateway.public import Row
from muniment.gateway.reading import Reader
from muniment.kernel.caller import calling_as
from muniment.kernel.deadline import deadline
from muniment.kernel.guard import only_problems
from muniment.kernel.web import NotAllowed, problem_response

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request that was let in; the present caller is who asks."""

NO_CONTENT = 204


def json_answer(body: bytes, status: int = 200) -> Response:
    """JSON, as it is."""
    return Response(body, status, media_type="application/json")


def json_handler(
    read: Reader[M], call: Callable[[M], Awaitable[Any]], reply: TypeAdapter[Any], status: int
) -> Handler:
    """Reads the request, makes the call, and writes its reply."""

    async def handle(http: Request) -> Response:
        answer = await call(await read(http))
        if status == NO_CONTENT:
            return Response(status_code=NO_CONTENT)
        return json_answer(reply.dump_json(answer), status)

    return handle


def admitted(row: Row, gate: Gate, seconds: float, handle: Handler) -> Handler:
    """`handle` for those whom the row lets in, within its time."""
    scopes, is_open = tuple(row.scopes), row.open

    async def answer(http: Request) -> Response:
        async with deadline(seconds):
            who = None
            if not is_open:
                request_id = http.scope.get("request_id", "")
                who = await gate.admit(http.headers.get("authorization"), request_id, scopes)
            with calling_as(who):
                return await handle(http)

    return answer


class Address:
    """Everything that one address answers, by method."""

    def __init__(self, path: str, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = dict(handlers)
        if "GET" in handlers:
            self._handlers.setdefault("HEAD", handlers["GET"])
        self._allow = ", ".join(sorted({*self._handlers, "OPTIONS"}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        handle = self._handlers.get(scope["method"])
        if handle is not None:
            async with only_problems(f"{scope['method']} {self._path}"):
                response = await handle(Request(scope, receive))
        elif scope["method"] == "OPTIONS":
            response = Response(status_code=NO_CONTENT, headers={"allow": self._allow})
        else:
            problem = NotAllowed(f"{scope['method']} is not for {self._path}; it takes {self._allow}")
            response = problem_response(problem, scope.get("request_id", ""))
            response.headers["allow"] = self._allow
        await response(scope, receive, send)
