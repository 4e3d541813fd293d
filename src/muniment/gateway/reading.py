"""From an HTTP request to a call's request model: path, query or JSON body, and the bounds of each."""

import math
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from muniment.gateway.contract import BodyCut, MediaTypeUnfit
from muniment.kernel.problems import Invalid, TooLarge

M = TypeVar("M", bound=BaseModel)

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_MOST_PARAMETERS = 64
_LARGEST = 2**63
_LARGEST_IN_ADDRESS = 2**31
_SUSPECT = re.compile(rb"\\u0000|[eE]\+?\d{3}|\d{19}")
"""Bytes without which no JSON document holds U+0000, an infinite number, or one that no engine can keep."""

IDEMPOTENCY_KEY = "idempotency_key"
"""The field that comes from the header `Idempotency-Key`, in every request model that has it."""


class Reader(Generic[M]):
    """Builds requests of one model. `path` maps path parameters to fields; `hidden` fields nobody may set."""

    def __init__(
        self, model: type[M], path: Mapping[str, str], *, hidden: frozenset[str], limit_bytes: int
    ) -> None:
        self._model, self._path, self._limit_bytes = model, path, limit_bytes
        self._keyed = IDEMPOTENCY_KEY in model.model_fields
        self._shut = hidden | set(path.values()) | ({IDEMPOTENCY_KEY} if self._keyed else set())

    async def __call__(self, http: Request) -> M:
        """The request that `http` brings.

        Raises Invalid with every field that does not fit, TooLarge, MediaTypeUnfit or BodyCut.
        """
        if http.method in _WITH_BODY:
            given = await json_object(http, self._limit_bytes)
        else:
            given = query(http.scope["query_string"])
        if shut := self._shut & given.keys():
            raise _unfit([(name, "cannot be given here") for name in sorted(shut)])
        for parameter, field in self._path.items():
            given[field] = in_address(field, http.path_params[parameter])
        if self._keyed and (key := http.headers.get("idempotency-key")) is not None:
            given[IDEMPOTENCY_KEY] = key
        request = fitting(self._model, given)
        if http.method not in _WITH_BODY:
            for field, value in request:
                if type(value) is int and value >= _LARGEST_IN_ADDRESS:
                    raise _unfit([(field, f"must be below {_LARGEST_IN_ADDRESS}")])
        return request


def fitting(model: type[M], given: Mapping[str, Any]) -> M:
    """`given` as a `model`.

    Raises Invalid with every field that does not fit.
    """
    try:
        return model.model_validate(given)
    except ValidationError as unfit:
        raise Invalid.of(unfit) from unfit


def query(raw: bytes) -> dict[str, Any]:
    """The parameters of a query string.

    Raises Invalid for one that is given twice, and for too many.
    """
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as unfit:
        raise _unfit([("query", f"at most {_MOST_PARAMETERS} parameters")]) from unfit
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name in given:
            raise _unfit([(name, "is given twice")])
        given[name] = in_address(name, value)
    return given


def in_address(name: str, value: str) -> str:
    """A value from the path or the query, if it holds nothing that no engine can keep."""
    if "\x00" in value:
        raise _unfit([(name, "holds U+0000")])
    return value


async def json_object(http: Request, limit_bytes: int) -> dict[str, Any]:
    """The body as a JSON object; no body at all is an empty one.

    Raises Invalid, naming the place, and what `whole_body` raises.
    """
    body = await whole_body(http, limit_bytes)
    if not body:
        return {}
    kind = http.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise MediaTypeUnfit(f"this takes application/json, not {kind}", accepted=["application/json"])
    return parsed_object(body, "body")


def parsed_object(raw: bytes, name: str) -> dict[str, Any]:
    """Bytes as a JSON object.

    Raises Invalid, naming the place.
    """
    parsed = parsed_json(raw, name)
    if not isinstance(parsed, dict):
        raise _unfit([(name, "is not a JSON object")])
    return parsed


def parsed_json(raw: bytes, name: str) -> Any:
    """Bytes as JSON that every engine can keep.

    Raises Invalid, naming the place.
    """
    try:
        parsed = from_json(raw, allow_inf_nan=False)
    except ValueError as broken:
        raise _unfit([(name, f"is not JSON: {broken}")]) from broken
    if _SUSPECT.search(raw):
        _look_through(parsed, "")
    return parsed


def _look_through(value: Any, at: str) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _look_through(name, f"{at}{name}."[:200].replace("\x00", "\N{REPLACEMENT CHARACTER}"))
            _look_through(inner, f"{at}{name}."[:200])
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _look_through(inner, f"{at}{index}.")
    elif isinstance(value, str) and "\x00" in value:
        raise _unfit([(at.removesuffix("."), "holds U+0000, which cannot be stored")])
    elif isinstance(value, int | float) and not _keepable(value):
        raise _unfit([(at.removesuffix("."), "is too large a number")])


def _keepable(number: float) -> bool:
    return -_LARGEST <= number < _LARGEST if isinstance(number, int) else math.isfinite(number)


async def whole_body(http: Request, limit_bytes: int) -> bytes:
    """The body, if it is within the limit.

    Raises TooLarge, if possible before anything was read, and BodyCut.
    """
    declared = http.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit_bytes:
        raise _too_large(limit_bytes)
    pieces, size = [], 0
    async for piece in body_pieces(http):
        size += len(piece)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        pieces.append(piece)
    return b"".join(pieces)


async def body_pieces(http: Request) -> AsyncGenerator[bytes, None]:
    """The body as it arrives.

    Raises BodyCut.
    """
    while True:
        message = await http.receive()
        if message["type"] == "http.disconnect":
            raise BodyCut("the connection was closed before the request was whole")
        if piece := message.get("body", b""):
            yield piece
        if not message.get("more_body", False):
            return


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"body: over the limit of {limit_bytes} bytes", field="body", limit_bytes=limit_bytes)


def _unfit(errors: list[tuple[str, str]]) -> Invalid:
    detail = f"the request does not fit: {errors[0][0] or 'the body'}: {errors[0][1]}"
    return Invalid(detail, errors=[{"field": field, "reason": reason} for field, reason in errors])
