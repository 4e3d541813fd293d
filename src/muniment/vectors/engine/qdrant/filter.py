"""The contract's filters as a Qdrant server takes them."""

from datetime import datetime

from qdrant_client.models import (
    Condition as ServerCondition,
)
from qdrant_client.models import (
    DatetimeRange,
    FieldCondition,
    IsEmptyCondition,
    MatchAny,
    PayloadField,
)
from qdrant_client.models import Filter as ServerFilter
from qdrant_client.models import Range as ServerRange

from muniment.vectors.contract import (
    AllOf,
    AnyOf,
    Condition,
    Exists,
    Filter,
    NoneOf,
    NotAfter,
    Range,
    Scalar,
)
from muniment.vectors.engine.stored import path, stored_value


def server_filter(conditions: Filter) -> ServerFilter:
    """All conditions at once."""
    return ServerFilter(must=[_part(condition) for condition in conditions])


def _part(condition: Condition) -> ServerCondition:
    key = path(condition.field)
    match condition:
        case AnyOf():
            return _any(key, condition.values)
        case AllOf():
            return ServerFilter(must=[_any(key, (value,)) for value in condition.values])
        case NoneOf():
            return ServerFilter(must_not=[_any(key, condition.values)])
        case Range():
            return FieldCondition(key=key, range=_range(condition))
        case NotAfter():
            return ServerFilter(must_not=[FieldCondition(key=key, range=DatetimeRange(gt=condition.at))])
        case Exists():
            empty = IsEmptyCondition(is_empty=PayloadField(key=key))
            return ServerFilter(must_not=[empty]) if condition.exists else empty


def _any(key: str, values: tuple[Scalar, ...]) -> ServerCondition:
    kept = [stored_value(value) for value in values]
    words = [value for value in kept if isinstance(value, str)]
    parts: list[ServerCondition] = [FieldCondition(key=key, match=MatchAny(any=words))] if words else []
    # A range finds 5 and 5.0 alike, wherever a match would tell an integer from a float.
    parts += [
        FieldCondition(key=key, range=ServerRange(gte=value, lte=value))
        for value in kept
        if not isinstance(value, str)
    ]
    return parts[0] if len(parts) == 1 else ServerFilter(should=parts)


def _range(condition: Range) -> ServerRange | DatetimeRange:
    bounds = {name: getattr(condition, name) for name in ("gte", "gt", "lte", "lt")}
    times = any(isinstance(bound, datetime) for bound in bounds.values())
    return DatetimeRange(**bounds) if times else ServerRange(**bounds)
