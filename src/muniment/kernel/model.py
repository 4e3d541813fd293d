"""The base of every model that crosses a wall, and the field types they share."""

import base64
from datetime import UTC, datetime
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)


class Model(BaseModel):
    """A value: frozen, and closed to fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


Time = Annotated[AwareDatetime, PlainSerializer(_rfc3339, when_used="json")]
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
