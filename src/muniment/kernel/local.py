"""A service of this process behind its contract: only Problems come out, and no call starts too late."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel

from muniment.kernel.contract import Op, Stream, implement
from muniment.kernel.deadline import remaining_seconds
from muniment.kernel.guard import only_problems
from muniment.kernel.problems import DeadlineExceeded
from muniment.kernel.streams import Pump
from muniment.kernel.tracing import spanned

T = TypeVar("T")


def local(contract: type[T], service: T) -> T:
    """`service` with the manners of the wire."""
    return implement(contract, lambda op: _guarded(op, getattr(service, op.name)))


def _guarded(op: Op, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    what = str(op)
    ask: Callable[[BaseModel], Awaitable[Any]] = call

    async def unary(request: BaseModel) -> Any:
        if remaining_seconds() <= 0:
            raise DeadlineExceeded(f"no time left for {what}")
        async with only_problems(what):
            with spanned(what):
                return await ask(request)

    def stream(request: BaseModel) -> Stream[Any]:
        return Pump(what, lambda: call(request))

    return stream if op.stream else unary
