"""The base of every model that crosses a wall, and the field types they share."""

import base64
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

T = TypeVar("T")


class Model(BaseModel):
    """A value: frozen, and closed to fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Change(Model):
    """A partial update: a field left out keeps what stands, null clears it (`model_fields_set` tells)."""

    @model_serializer(mode="wrap")
    def _only_what_was_set(self, default: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in default(self).items() if k in self.model_fields_set}


class Nothing(Model):
    """The request or the answer that has nothing to say."""


class Paged(Model):
    """A request for one page of a list."""

    limit: int = Field(default=50, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=1024)


class Page(Model, Generic[T]):
    """One page of a list; `next_cursor` asks for the next, null when this was the last."""

    items: tuple[T, ...]
    next_cursor: str | None = None


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as beyond:
        raise ValueError("is outside the years 1 to 9999 in UTC") from beyond


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


Time = Annotated[AwareDatetime, AfterValidator(_in_utc), PlainSerializer(_rfc3339, when_used="json")]
"""An instant, RFC 3339 in UTC on the wire."""


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds U+0000, which cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError as broken:
        raise ValueError("holds a lone surrogate, which is not a character") from broken
    return text


Text = Annotated[str, AfterValidator(_storable)]
"""Text that every engine can keep: no U+0000 and no lone surrogate."""


Matrix = NDArray[np.float32]


def _unpack(value: object) -> Matrix:
    if isinstance(value, dict):
        rows, columns = (int(n) for n in value["shape"])
        flat = np.frombuffer(base64.b64decode(value["float32"], validate=True), "<f4")
        return flat.reshape(rows, columns)
    if isinstance(value, np.ndarray) and value.ndim == 2:  # noqa: PLR2004 - rows and columns
        return np.ascontiguousarray(value, np.float32)
    raise ValueError("not a matrix of 32-bit floats")


def _pack(value: Matrix) -> dict[str, object]:
    return {"shape": list(value.shape), "float32": base64.b64encode(value.astype("<f4").tobytes()).decode()}


Floats = Annotated[
    Matrix,
    PlainValidator(_unpack),
    PlainSerializer(_pack, when_used="json"),
    WithJsonSchema(
        {
            "type": "object",
            "required": ["shape", "float32"],
            "properties": {
                "shape": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
                "float32": {"type": "string", "contentEncoding": "base64"},
            },
        }
    ),
]
"""A matrix [rows, columns] of float32: an array in process, packed little-endian base64 on the wire."""
