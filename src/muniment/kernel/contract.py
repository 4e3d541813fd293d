"""Contracts: Protocols whose public methods take one frozen model, and what can be read from them.

`async def` answers once; a plain `def` that returns `Stream[Event]` streams. Everything else (the guarded
local object, the routes, the client) is derived from these annotations, so that a method is written twice
only: its signature in the contract, its body in the service.
"""

import inspect
import typing
from collections.abc import AsyncGenerator, Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter

T = TypeVar("T")
E = TypeVar("E")
F = TypeVar("F", bound=Callable[..., Any])

Stream = AsyncGenerator[E, None]
"""Events until the end; unlike an AsyncIterator it can be closed, which ends the producer."""


def idempotent(method: F) -> F:
    """Declare, on the contract, that asking twice is as asking once: only such calls are ever retried."""
    method.__idempotent__ = True  # type: ignore[attr-defined]  # functions take attributes, their type does not say so
    return method


class Op(NamedTuple):
    """One operation of a contract. `reply` is the answer, or one event of a stream."""

    contract: type
    name: str
    request: type[BaseModel]
    reply: Any
    stream: bool
    idempotent: bool
    codec: TypeAdapter[Any]
    doc: str

    @property
    def room(self) -> str:
        """The room that answers it."""
        return room_of(self.contract)

    def __str__(self) -> str:
        """`Retrieval.search`, as people say it."""
        return f"{self.contract.__name__}.{self.name}"


def room_of(contract: type) -> str:
    """The name of the room whose contract this is."""
    return contract.__name__.lower()


def operations(contract: type) -> tuple[Op, ...]:
    """All operations of `contract`.

    Raises TypeError on a method that is not an operation.
    """
    return _operations(contract)


@cache
def _operations(contract: type) -> tuple[Op, ...]:
    found = []
    for name, method in inspect.getmembers(contract, inspect.isfunction):
        if name.startswith("_"):
            continue
        hints = typing.get_type_hints(method, include_extras=True)
        reply, requests = hints.pop("return", None), list(hints.values())
        if len(requests) != 1 or not (inspect.isclass(requests[0]) and issubclass(requests[0], BaseModel)):
            raise TypeError(f"{contract.__name__}.{name} must take exactly one model")
        stream = typing.get_origin(reply) is AsyncGenerator
        if stream == inspect.iscoroutinefunction(method):
            raise TypeError(f"{contract.__name__}.{name} must be `async def`, or `def` returning a Stream")
        if stream:
            reply = typing.get_args(reply)[0]
        found.append(
            Op(
                contract,
                name,
                requests[0],
                reply,
                stream,
                getattr(method, "__idempotent__", False),
                TypeAdapter(reply),
                inspect.getdoc(method) or "",
            )
        )
    return tuple(found)


def operation(contract: type, name: str) -> Op:
    """The operation of that name.

    Raises KeyError when there is none.
    """
    return {o.name: o for o in operations(contract)}[name]


def implement(contract: type[T], make: Callable[[Op], Callable[[Any], Any]]) -> T:
    """An object of type `contract` whose every operation is the function that `make` returns for it."""
    methods = {o.name: staticmethod(make(o)) for o in operations(contract)}
    return typing.cast("T", type(contract.__name__, (contract,), methods)())
