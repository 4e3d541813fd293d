"""A document's fields and metadata: what was said with it, over what its file says; and what is filtered by."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, TypeGuard

from pydantic import Field, JsonValue, TypeAdapter

from muniment.documents.contract import FIELD_NAMES, Fields
from muniment.documents.keys import unfit
from muniment.documents.parsing.model import Parsed
from muniment.kernel.model import Model
from muniment.vectors.contract import Payload, Scalar

FILTERED = FIELD_NAMES - {"title", "summary"}
MOST_METADATA_CHARACTERS = 65_536
MOST_FILTERED_CHARACTERS = 1024
MOST_FILTERED_VALUES = 50
"""Of a list no more are filtered by: each would stand in every point."""

UNFILTERED = frozenset({"links", "references"})
"""Metadata that files give at length, and that nobody filters by."""

DEFAULT_TYPE = "Other"
_MOST_DEPTH = 32
_LARGEST = 2**63
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_INSTANT: TypeAdapter[datetime] = TypeAdapter(datetime)


class Layer(Model):
    """Fields, in JSON form, and metadata as one source gives them; null takes away what lies below."""

    fields: dict[str, JsonValue] = Field(default={})
    metadata: dict[str, JsonValue] = Field(default={})


class Effective(NamedTuple):
    """What a document's readers see."""

    title: str
    fields: dict[str, Any]
    metadata: dict[str, JsonValue]


def given(fields: Fields, metadata: Mapping[str, JsonValue] | None, *, nulls: bool) -> Layer:
    """What a request sets; with `nulls` also what it clears.

    Raises Invalid for metadata that cannot be kept.
    """
    names = FIELD_NAMES & fields.model_fields_set
    values = fields.model_dump(mode="json", include=set(names), exclude_none=not nulls)
    checked_metadata(metadata or {})
    return Layer(fields=values, metadata=dict(metadata or {}))


def said_by(parsed: Parsed) -> Layer:
    """What the file says of itself, its front matter first."""
    own: dict[str, JsonValue] = {"title": parsed.title, "language": parsed.language}
    return Layer(fields={k: v for k, v in own.items() if v} | parsed.fields, metadata=parsed.metadata)


def effective(key: str, *, said: Layer, options: Layer, patched: Layer) -> Effective:
    """Options over what the file says, and over both what was changed since."""
    fields: dict[str, Any] = {}
    metadata: dict[str, JsonValue] = {}
    for layer in (said, options, patched):
        fields |= layer.fields
        metadata |= layer.metadata
    titles = [layer.fields.get("title") for layer in (patched, options, said)]
    title = next((str(t) for t in titles if isinstance(t, str) and t.strip()), key.rpartition("/")[2] or key)
    fields = {name: value for name, value in fields.items() if value is not None and name != "title"}
    metadata = {name: value for name, value in metadata.items() if value is not None}
    return Effective(title[:1024], {"type": DEFAULT_TYPE} | fields, metadata)


def instant(value: JsonValue, default: datetime) -> datetime:
    """A time field as a time."""
    return default if value is None else _INSTANT.validate_python(value)


def patch(layer: Layer, change: Layer, *, gone: Iterable[str]) -> Layer:
    """`layer` with a change on top; what is `gone` leaves a null, for the file may say it still."""
    metadata = layer.metadata | dict.fromkeys(gone) | change.metadata
    return Layer(fields=layer.fields | change.fields, metadata=metadata)


def checked_metadata(metadata: Mapping[str, JsonValue]) -> None:
    """Raises Invalid for metadata that no engine could keep."""
    for name, value in metadata.items():
        if not name.strip():
            raise unfit("metadata", "holds an empty name")
        _check(value, f"metadata.{name}"[:200], 0)
        _check(name, "metadata", 0)
    if len(_JSON.dump_json(dict(metadata))) > MOST_METADATA_CHARACTERS:
        raise unfit("metadata", f"is longer than {MOST_METADATA_CHARACTERS} characters of JSON")


def _check(value: JsonValue, field: str, depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise unfit(field, "is nested too deep")
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise unfit(field, "holds U+0000 or a lone surrogate, which cannot be stored")
    elif isinstance(value, float) and not math.isfinite(value):
        raise unfit(field, "is not a finite number")
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        raise unfit(field, "is a number of more than 64 bits; give it as text")
    elif isinstance(value, list):
        for item in value:
            _check(item, field, depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check(name, field, depth + 1)
            _check(item, field, depth + 1)


def filterable(seen: Effective, *, whole: bool) -> Payload:
    """Fields and metadata as the index filters by them; with `whole` also empty ones, which clear what stood."""
    payload: Payload = dict.fromkeys(FILTERED, ()) if whole else {}
    for name in FILTERED & seen.fields.keys():
        value = seen.fields[name]
        if name == "target_date":
            value = f"{value}T00:00:00Z"
        payload[name] = tuple(value) if isinstance(value, list) else value
    return payload | dict(_filtered(seen))


def _filtered(seen: Effective) -> Iterator[tuple[str, Scalar | tuple[Scalar, ...]]]:
    return _flat("metadata", {name: value for name, value in seen.metadata.items() if name not in UNFILTERED})


def _flat(prefix: str, values: Mapping[str, JsonValue]) -> Iterator[tuple[str, Scalar | tuple[Scalar, ...]]]:
    for name, value in values.items():
        path = f"{prefix}.{name}"
        if isinstance(value, dict):
            yield from _flat(path, value)
        elif isinstance(value, list):
            yield path, tuple(islice(filter(_short, value), MOST_FILTERED_VALUES))
        elif _short(value):
            yield path, value


def _short(value: JsonValue) -> TypeGuard[Scalar]:
    """Whether it can be filtered by; a long text, which nobody asks for whole, would stand in every point."""
    if isinstance(value, str):
        return len(value) <= MOST_FILTERED_CHARACTERS
    return isinstance(value, bool | int | float)


def metadata_names(seen: Effective) -> frozenset[str]:
    """The names under which metadata stand in the index."""
    return frozenset(dict(_filtered(seen)))
