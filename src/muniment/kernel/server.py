"""A contract's operations as HTTP routes for other processes of the same house."""

import hmac
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from muniment.kernel.caller import calling_as, verify
from muniment.kernel.client import CALLER, DEADLINE_MS, SERVICE_TOKEN, path_of
from muniment.kernel.contract import Op, operations
from muniment.kernel.deadline import DEFAULT_SECONDS, deadline
from muniment.kernel.problems import Invalid, Unauthenticated
from muniment.kernel.web import EventStream

T = TypeVar("T")


def routes(contract: type[T], service: T, secrets: tuple[str, ...]) -> list[Route]:
    """A POST route for every operation of `service`, which must be guarded (`local`).

    Only callers that present one of `secrets` in `X-Service-Token` are answered.
    """
    return [
        Route(path_of(op), _endpoint(op, getattr(service, op.name), secrets), methods=["POST"])
        for op in operations(contract)
    ]


def _endpoint(op: Op, call: Callable[[Any], Any], secrets: tuple[str, ...]) -> Callable[[Request], Any]:
    async def endpoint(http: Request) -> Response:
        token = http.headers.get(SERVICE_TOKEN, "").encode()
        if not any(hmac.compare_digest(token, secret.encode()) for secret in secrets):
            raise Unauthenticated("no or wrong service token; do both processes hold the same one?")
        who = verify(signed, secrets) if (signed := http.headers.get(CALLER)) else None
        try:
            request = op.request.model_validate_json(await http.body())
        except ValidationError as unfit:
            raise Invalid.of(unfit) from unfit
        with calling_as(who):
            if op.stream:
                return EventStream(
                    call(request), lambda event: ("item", op.codec.dump_json(event)), end=("end", b"{}")
                )
            async with deadline(_seconds(http.headers.get(DEADLINE_MS))):
                answer = await call(request)
            return Response(op.codec.dump_json(answer), media_type="application/json")

    return endpoint


def _seconds(header: str | None) -> float:
    try:
        return DEFAULT_SECONDS if header is None else float(header) / 1000
    except ValueError as unfit:
        raise Invalid(f"{DEADLINE_MS}: not a number of milliseconds") from unfit
