"""The contract's filters and payloads as Qdrant Edge takes them."""

import re
from datetime import datetime
from functools import lru_cache

from qdrant_edge import (
    FieldCondition,
    HasIdCondition,
    HasVectorCondition,
    IsEmptyCondition,
    IsNullCondition,
    MatchAny,
    NestedCondition,
    RangeDateTime,
    RangeFloat,
)
from qdrant_edge import Filter as EdgeFilter

from muniment.vectors.contract import (
    AllOf,
    AnyOf,
    Condition,
    Exists,
    Filter,
    NoneOf,
    NotAfter,
    Payload,
    Range,
    Scalar,
)

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EdgeCondition = (
    FieldCondition
    | IsEmptyCondition
    | IsNullCondition
    | HasIdCondition
    | HasVectorCondition
    | NestedCondition
    | EdgeFilter
)

# Edge's Python binding turns True into the integer 1 and then matches nothing, so booleans are kept as strings
# that no text can equal: U+0000 is refused at the edge of the house.
_BOOLEANS = {True: "\x00true", False: "\x00false"}


def stored(payload: Payload) -> dict[str, object]:
    """A payload as it is stored; lists, which JSON makes of tuples, are welcome."""
    return {
        _name(key): [_stored(v) for v in value] if isinstance(value, tuple | list) else _stored(value)
        for key, value in payload.items()
    }


def edge_filter(conditions: Filter) -> EdgeFilter:
    """All conditions at once."""
    return EdgeFilter(must=[_part(condition) for condition in conditions])


@lru_cache(maxsize=4096)
def _name(field: str) -> str:
    return field.replace("%", "%25").replace('"', "%22").replace("\\", "%5C")


def _key(field: str) -> str:
    # A dotted key would be read as a path into an object; in quotes it is one flat key.
    return field if _PLAIN_KEY.fullmatch(field) else f'"{_name(field)}"'


def _stored(value: Scalar) -> str | int | float:
    return _BOOLEANS[value] if isinstance(value, bool) else value


def _part(condition: Condition) -> EdgeCondition:
    key = _key(condition.field)
    match condition:
        case AnyOf():
            return _any(key, condition.values)
        case AllOf():
            return EdgeFilter(must=[_any(key, (value,)) for value in condition.values])
        case NoneOf():
            return EdgeFilter(must_not=[_any(key, condition.values)])
        case Range():
            return FieldCondition(key, range=_range(condition))
        case NotAfter():
            return EdgeFilter(must_not=[FieldCondition(key, range=RangeDateTime(gt=condition.at.isoformat()))])
        case Exists():
            empty = IsEmptyCondition(key)
            return EdgeFilter(must_not=[empty]) if condition.exists else empty


def _any(key: str, values: tuple[Scalar, ...]) -> EdgeCondition:
    kept = [_stored(value) for value in values]
    words = [value for value in kept if isinstance(value, str)]
    parts: list[EdgeCondition] = [FieldCondition(key, match=MatchAny(words))] if words else []
    # A range finds 5 and 5.0 alike, wherever a match would tell an integer from a float.
    parts += [
        FieldCondition(key, range=RangeFloat(gte=value, lte=value)) for value in kept if not isinstance(value, str)
    ]
    return parts[0] if len(parts) == 1 else EdgeFilter(should=parts)


def _range(condition: Range) -> RangeFloat | RangeDateTime:
    bounds = {name: getattr(condition, name) for name in ("gte", "gt", "lte", "lt")}
    times = {k: v.isoformat() for k, v in bounds.items() if isinstance(v, datetime)}
    return RangeDateTime(**times) if times else RangeFloat(**bounds)
