"""What a file says about itself, sorted into known fields and the rest."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import get_args

from pydantic import JsonValue, TypeAdapter, ValidationError

from muniment.documents.parsing.decoding import normal
from muniment.documents.shapes.fields import DocumentType, Fields, ReviewStatus

_ALIASES = {
    "authors": "author", "creator": "author", "by": "author",
    "created": "created_at", "date": "created_at", "creation_date": "created_at",
    "modified": "modified_at", "updated": "modified_at", "last_modified": "modified_at",
    "last_updated": "modified_at", "updated_at": "modified_at",
    "description": "summary", "abstract": "summary", "excerpt": "summary",
    "lang": "language", "keywords": "tags", "canonical": "source_url", "url": "source_url",
}  # fmt: skip
_TUPLES = {"tags", "stakeholders", "dependencies", "feature_tags", "technology_stack", "api_endpoints"}
_TIMES = {"created_at", "modified_at"}
_AS_GIVEN = {"story_points", "test_coverage", "target_date"}
_SPELLINGS = {
    "type": {value.casefold(): value for value in get_args(DocumentType)},
    "status": {value: value for value in get_args(ReviewStatus)},
}
_DATE = TypeAdapter(datetime | date)
_MOST_DEPTH = 32
_LARGEST = 2**63


def sort_fields(said: Mapping[str, object]) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """Known fields in JSON form, and the rest as given: what fits no field, or one that is taken, is metadata."""
    fields: dict[str, JsonValue] = {}
    metadata: dict[str, JsonValue] = {}
    for key, value in said.items():
        plain = re.sub(r"[\s-]+", "_", key.strip().lower())
        name = _ALIASES.get(plain, plain)
        fitting = None if name in fields or value is None else _fit(name, value)
        if fitting is None:
            metadata[normal(key)] = as_json(value)
        else:
            fields[name] = fitting
    return fields, metadata


def _fit(name: str, value: object) -> JsonValue:
    """The value in the field's JSON form, or null when it does not fit."""
    if name not in Fields.model_fields:
        return None
    try:
        known = Fields.model_validate({name: _spelled(name, value)})
    except ValidationError:
        return None
    if name == "source_url" and not str(known.source_url).startswith(("http://", "https://")):
        return None
    fitting: JsonValue = known.model_dump(mode="json")[name]
    return fitting or None


def _spelled(name: str, value: object) -> object:
    """The value as the field wants it, where people write it otherwise."""
    if name in _TUPLES:
        parts = value if isinstance(value, list) else str(value).split(",")
        return tuple(part for part in (str(part).strip() for part in parts) if part)
    if name in _TIMES:
        return _instant(value)
    if name in _AS_GIVEN or isinstance(value, bool):
        return value
    said = (", ".join(map(str, value)) if isinstance(value, list) else str(value)).strip()
    if name == "language":
        return re.split("[-_]", said.lower())[0]
    return _SPELLINGS.get(name, {}).get(re.sub(r"[\s_-]+", "", said.casefold()), said)


def _instant(value: object) -> object:
    """A date is its first moment, and what names no zone is in UTC."""
    if isinstance(value, str):
        try:
            value = _DATE.validate_python(value.strip())
        except ValidationError:
            return value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def as_json(value: object, depth: int = 0) -> JsonValue:
    """The value as JSON; what JSON has no word for becomes text."""
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < _LARGEST):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if depth < _MOST_DEPTH and isinstance(value, Mapping):
        return {normal(str(key)): as_json(inner, depth + 1) for key, inner in value.items()}
    if depth < _MOST_DEPTH and isinstance(value, list | tuple | set):
        return [as_json(inner, depth + 1) for inner in value]
    return normal(str(value))
