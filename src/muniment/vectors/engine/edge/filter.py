"""The contract's filters as Qdrant Edge takes them."""

from datetime import datetime

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
    Range,
    Scalar,
)
from muniment.vectors.engine.edge.readers import READERS, readable_by
from muniment.vectors.engine.stored import path, stored_value

EdgeCondition = (
    FieldCondition
    | IsEmptyCondition
    | IsNullCondition
    | HasIdCondition
    | HasVectorCondition
    | NestedCondition
    | EdgeFilter
)


def edge_filter(conditions: Filter, *, numbers: bool = False) -> EdgeFilter:
    """All conditions at once; who may read is told by `numbers` where the shard has them."""
    return EdgeFilter(
        must=[
            readable_by(map(str, condition.values))
            if numbers and isinstance(condition, AnyOf) and condition.field == READERS
            else _part(condition)
            for condition in conditions
        ]
    )


def _part(condition: Condition) -> EdgeCondition:
    key = path(condition.field)
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
    kept = [stored_value(value) for value in values]
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
