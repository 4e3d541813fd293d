"""A contract over HTTP: an object of its type whose every operation asks the process where the room runs."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any, TypeVar

from pydantic import BaseModel

from muniment.kernel.caller import caller_or_none, sign
from muniment.kernel.contract import Op, Stream, implement
from muniment.kernel.deadline import deadline, remaining_seconds
from muniment.kernel.problems import DeadlineExceeded, Problem, Unavailable
from muniment.kernel.streams import Pump
from muniment.kernel.tracing import inject, spanned
from muniment.kernel.transport import Reply, Transport

T = TypeVar("T")

SERVICE_TOKEN = "x-service-token"  # noqa: S105 - a header's name
CALLER = "x-muniment-caller"
DEADLINE_MS = "x-deadline-ms"
OK = 200


def client(contract: type[T], transport: Transport, secret: str) -> T:
    """`contract` over `transport`; `secret` is the service token that both processes hold."""
    return implement(contract, lambda op: _remote(op, transport, secret))


def path_of(op: Op) -> str:
    """Where an operation stands on HTTP."""
    return f"/internal/{op.room}/{op.name}"


def _remote(op: Op, transport: Transport, secret: str) -> Callable[[Any], Any]:
    what, path = str(op), path_of(op)

    def headers() -> dict[str, str]:
        made = {
            SERVICE_TOKEN: secret,
            DEADLINE_MS: f"{remaining_seconds() * 1000:.0f}",
            "content-type": "application/json",
        }
        if (who := caller_or_none()) is not None:
            made[CALLER] = sign(who, secret)
        inject(made)
        return made

    async def unary(request: BaseModel) -> Any:
        if (left := remaining_seconds()) <= 0:
            raise DeadlineExceeded(f"no time left for {what}")
        with spanned(what):
            async with (
                deadline(left),
                transport.post(path, request.model_dump_json().encode(), headers()) as reply,
            ):
                body = await reply.read()
        if reply.status != OK:
            raise Problem.load(body)
        return op.codec.validate_json(body)

    async def events(request: BaseModel) -> Stream[Any]:
        async with transport.post(path, request.model_dump_json().encode(), headers()) as reply:
            if reply.status != OK:
                raise Problem.load(await reply.read())
            async with aclosing(_items(op, reply)) as items:
                async for item in items:
                    yield item

    def stream(request: BaseModel) -> Stream[Any]:
        return Pump(what, lambda: events(request))

    return stream if op.stream else unary


async def _items(op: Op, reply: Reply) -> Stream[Any]:
    tail = b""
    async for chunk in reply.chunks():
        *frames, tail = (tail + chunk).split(b"\n\n")
        for frame in frames:
            event, _, data = frame.partition(b"\ndata: ")
            if event == b"event: item":
                yield op.codec.validate_json(data)
            elif event == b"event: problem":
                raise Problem.load(data)
            elif event == b"event: end":
                return
    raise Unavailable(f"{op}: the stream was cut before its end; ask again")
