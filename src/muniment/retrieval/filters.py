"""The API's filters as the engine's conditions: checked field by field, refused by name."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import JsonValue

from muniment.documents.contract import FIELD_NAMES
from muniment.kernel.problems import Invalid
from muniment.retrieval.contract import Filters
from muniment.vectors.contract import AllOf, AnyOf, Condition, Exists, Filter, NoneOf, Range, Scalar

METADATA = "metadata."
"""The prefix of a document's own, unknown fields."""

_BOUNDS = ("gte", "gt", "lte", "lt")
_TIMES = frozenset({"created_at", "modified_at", "target_date"})
_NUMBERS = frozenset({"story_points", "test_coverage"})
_WORDS = (FIELD_NAMES | {"document", "key", "access_level"}) - _TIMES - _NUMBERS - {"title", "summary"}
FILTERABLE = tuple(sorted(_WORDS | _TIMES | _NUMBERS))
"""Fields that may be filtered on, besides `metadata.<name>`."""

MOST_CHECKS = 100
"""Of a field without an index the engine reads every point's payload once for each."""


class _Asked(NamedTuple):
    """One filter as given: the field and where a complaint about it points."""

    field: str
    path: str


def conditions(filters: Filters) -> Filter:
    """All conditions of `filters`, in their order.

    Raises Invalid, naming the field, for what is unknown or does not fit.
    """
    found: list[Condition] = []
    for field, value in filters.items():
        if not field.startswith(METADATA) and field not in FILTERABLE:
            raise _unfit(
                f"filters.{field}", f"unknown field; known are {', '.join(FILTERABLE)} and metadata.<name>"
            )
        if field == METADATA:
            raise _unfit("filters.metadata.", "a name must follow the dot")
        found += _conditions(_Asked(field, f"filters.{field}"), value)
    if sum(map(_checks, found)) > MOST_CHECKS:
        reason = f"more than {MOST_CHECKS} conditions; each number of a list, and each value of `all`, is one"
        raise _unfit("filters", reason)
    return tuple(found)


def _checks(condition: Condition) -> int:
    """How often the engine looks at a point for it: any number of texts cost one look, numbers one each."""
    if isinstance(condition, AllOf):
        return len(condition.values)
    if isinstance(condition, AnyOf | NoneOf):
        return max(1, sum(not isinstance(value, str | bool) for value in condition.values))
    return 1


def _conditions(asked: _Asked, value: JsonValue) -> list[Condition]:
    if not isinstance(value, Mapping):
        return [AnyOf(field=asked.field, values=_scalars(asked, value))]
    if not value:
        raise _unfit(asked.path, "an empty object; give any, all, not, gte, gt, lte, lt or exists")
    found: list[Condition] = []
    for operator, operand in value.items():
        if operator in _LISTS:
            found.append(_LISTS[operator](field=asked.field, values=_scalars(asked, operand)))
        elif operator == "exists":
            if not isinstance(operand, bool):
                raise _unfit(f"{asked.path}.exists", "must be true or false")
            found.append(Exists(field=asked.field, exists=operand))
        elif operator not in _BOUNDS:
            raise _unfit(f"{asked.path}.{operator}", "unknown operator")
    if bounds := {name: _bound(asked, name, value[name]) for name in _BOUNDS if name in value}:
        found.append(Range(field=asked.field, **bounds))
    return found


_LISTS: Mapping[str, Callable[..., AnyOf | AllOf | NoneOf]] = {"any": AnyOf, "all": AllOf, "not": NoneOf}


def _scalars(asked: _Asked, value: JsonValue) -> tuple[Scalar, ...]:
    items = value if isinstance(value, list) else [value]
    if not items:
        raise _unfit(asked.path, "an empty list matches nothing; leave the filter out instead")
    return tuple(_scalar(asked, item) for item in items)


def _scalar(asked: _Asked, value: JsonValue) -> Scalar:
    if asked.field in _TIMES:
        raise _unfit(asked.path, "times are filtered by gte, gt, lte, lt or exists")
    if value is None or isinstance(value, list | dict):
        raise _unfit(asked.path, "must be a text, a number, true or false, or a list of these")
    if asked.field in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise _unfit(asked.path, "must be a number")
    if asked.field in _WORDS and not isinstance(value, str):
        raise _unfit(asked.path, "must be a text")
    return value


def _bound(asked: _Asked, name: str, value: JsonValue) -> float | datetime:
    path = f"{asked.path}.{name}"
    if isinstance(value, int | float) and not isinstance(value, bool) and asked.field not in _TIMES:
        return float(value)
    if asked.field in _NUMBERS or asked.field in _WORDS:
        raise _unfit(path, "must be a number" if asked.field in _NUMBERS else "this field has no order")
    try:
        return _instant(value)
    except (ValueError, OverflowError) as unfit:
        raise _unfit(path, "must be a time (RFC 3339), as in 2026-01-01T00:00:00Z") from unfit


def _instant(value: JsonValue) -> datetime:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - the caller answers both kinds alike
    at = datetime.fromisoformat(value)
    if at.tzinfo is None and len(value) > len("2026-01-01"):
        raise ValueError("no time zone")
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _unfit(field: str, reason: str) -> Invalid:
    errors: list[dict[str, Any]] = [{"field": field, "reason": reason}]
    return Invalid(f"the request does not fit: {field}: {reason}", errors=errors)
