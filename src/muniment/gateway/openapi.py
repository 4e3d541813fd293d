"""The OpenAPI document, made from the public table and the contracts' models."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from muniment.gateway.public import Row
from muniment.gateway.reading import IDEMPOTENCY_KEY
from muniment.knowledge.contract import Ask

_REF = "#/components/schemas/"
_ERROR = {"field": {"type": "string"}, "reason": {"type": "string"}}
_STATE = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": {"enum": ["ok", "degraded", "down"]},
        "detail": {"type": "string"},
        "preparing": {
            "type": "object",
            "description": "The models that are being made ready, and how far they are.",
        },
    },
}
_PROBLEM = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457); a kind of problem may have further fields.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "`urn:muniment:problem:` and the kind in kebab case."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, to what, and what to do."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "For 422: each field that does not fit.",
            "items": {"type": "object", "required": ["field", "reason"], "properties": _ERROR},
        },
    },
}
_UPLOAD_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1},
        "options": {
            "description": "Options for all files, or a list with one for each, in order.",
            "anyOf": [{"$ref": f"{_REF}Options"}, {"type": "array", "items": {"$ref": f"{_REF}Options"}}],
        },
    },
}
_EVENTS = {
    "schema": {"type": "string"},
    "description": "Events `passages`, `footnote`, `sentence`, `done` or `problem`, each with JSON data.",
}
_REASONS = {
    401: "No credential, or one that is expired, forged or revoked.",
    403: "The scope is missing, or the thing may be read but not changed.",
    404: "There is no such thing, or none that the caller may read.",
    409: "The change does not fit what is there.",
    413: "The request is over a limit.",
    415: "The body is of another kind.",
    422: "A field does not fit; `errors` lists each.",
    503: "A part that is needed does not answer at present; try again.",
}
_MONITORING = {
    "/health": {
        "get": {
            "operationId": "health",
            "tags": ["monitoring"],
            "summary": "Each room's state, and the numbers of the house",
            "responses": {
                "200": {
                    "description": "`degraded` when a room is down, or has less to give.",
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["status", "rooms", "numbers"],
                                "properties": {
                                    "status": {"enum": ["ok", "degraded"]},
                                    "rooms": {"type": "object", "additionalProperties": _STATE},
                                    "numbers": {"type": "object", "additionalProperties": {"type": "integer"}},
                                },
                            }
                        }
                    },
                },
                "401": {"$ref": "#/components/responses/401"},
                "403": {"$ref": "#/components/responses/403"},
            },
        }
    },
    "/metrics": {
        "get": {
            "operationId": "metrics",
            "tags": ["monitoring"],
            "summary": "Measures in Prometheus's text format",
            "responses": {
                "200": {"description": "The measures.", "content": {"text/plain": {"schema": {"type": "string"}}}},
                "401": {"$ref": "#/components/responses/401"},
                "403": {"$ref": "#/components/responses/403"},
            },
        }
    },
}

Source = tuple[object, Literal["validation", "serialization"], TypeAdapter[Any]]


def openapi(rows: Sequence[Row], version: str, forms: Iterable[str], options: type[BaseModel]) -> dict[str, Any]:
    """The document. `forms` are the names of calls that take multipart; `options` is the model in them."""
    sources: dict[tuple[object, str], Source] = {}
    for row in rows:
        sources[row.request, "validation"] = (row.request, "validation", TypeAdapter(row.request))
        sources[row.reply, "serialization"] = (row.reply, "serialization", TypeAdapter(row.reply))
    sources[options, "validation"] = (options, "validation", TypeAdapter(options))
    schemas, shared = TypeAdapter.json_schemas(
        list(sources.values()), ref_template=_REF + "{model}", schema_generator=_Generate
    )
    components = dict(shared.get("$defs", {}))
    by_source: dict[tuple[object, str], dict[str, Any]] = {
        (key[0], key[1]): value for key, value in schemas.items()
    }
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        asked = _resolve(by_source[row.request, "validation"], components)
        reply = by_source[row.reply, "serialization"]
        paths.setdefault(row.path, {})[row.method.lower()] = _call(row, asked, reply, form=row.name in set(forms))
    paths |= _MONITORING
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Muniment",
            "version": version,
            "description": "Answers that are tied to the characters of a source, and only to what one may read.",
        },
        "paths": paths,
        "components": {
            "schemas": _reached(paths, components) | {"Problem": _PROBLEM},
            "responses": {str(status): _problem(reason) for status, reason in _REASONS.items()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access token or an API key."}
            },
        },
        "security": [{"bearer": []}],
    }


class _Generate(GenerateJsonSchema):
    """Names a model by its class alone, without the type parameters' brackets."""

    def normalize_name(self, name: str) -> str:
        return re.sub(r"[^A-Za-z0-9]+", "", name)


def _call(row: Row, asked: dict[str, Any], reply: dict[str, Any], *, form: bool) -> dict[str, Any]:
    own = inspect.cleandoc(row.operation.doc).strip()
    summary, _, description = own.partition("\n")
    made: dict[str, Any] = {
        "operationId": _operation_id(row),
        "tags": [row.tag],
        "summary": summary.rstrip(".") or row.call.replace("_", " ").capitalize(),
        "parameters": _parameters(row, asked),
        "responses": {
            str(row.status): _success(row, reply),
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in _reasons(row)},
        },
    }
    if description.strip() or row.scopes:
        scopes = f"Needs the scope {' or '.join(f'`{scope}`' for scope in row.scopes)}." if row.scopes else ""
        made["description"] = "\n\n".join(part for part in (description.strip(), scopes) if part)
    if row.open:
        made["security"] = []
    if form:
        made["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": _UPLOAD_FORM}}}
    elif row.method in ("POST", "PUT", "PATCH") and (body := _body(row, asked))["properties"]:
        made["requestBody"] = {
            "required": bool(body.get("required")),
            "content": {"application/json": {"schema": body}},
        }
    return made


def _operation_id(row: Row) -> str:
    last = row.path.rsplit("/", 1)[-1]
    return f"{row.operation.room}_{row.call}" + ("_batch" if last == "batch" else "")


def _apart(row: Row) -> frozenset[str]:
    return row.hidden | set(row.from_path.values()) | {IDEMPOTENCY_KEY}


def _body(row: Row, asked: dict[str, Any]) -> dict[str, Any]:
    """The request without what comes from elsewhere than the body."""
    apart = _apart(row)
    body = {key: value for key, value in asked.items() if key not in ("properties", "required")}
    body["properties"] = {k: v for k, v in asked.get("properties", {}).items() if k not in apart}
    if required := [name for name in asked.get("required", ()) if name not in apart]:
        body["required"] = required
    return body


def _parameters(row: Row, asked: dict[str, Any]) -> list[dict[str, Any]]:
    properties, required = asked.get("properties", {}), asked.get("required", ())
    made: list[dict[str, Any]] = []
    for name, field in row.from_path.items():
        schema = properties.get(field, {"type": "string"})
        made.append({"name": name, "in": "path", "required": True, "schema": schema})
    if row.method in ("GET", "DELETE"):
        made += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in properties.items()
            if name not in _apart(row)
        ]
    if IDEMPOTENCY_KEY in properties:
        made.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string"}})
    return made


def _success(row: Row, reply: dict[str, Any]) -> dict[str, Any]:
    if row.status == 204:  # noqa: PLR2004 - No Content
        return {"description": "Done."}
    if row.media != "application/json":
        return {
            "description": "The bytes.",
            "content": {row.media: {"schema": {"type": "string", "format": "binary"}}},
        }
    content: dict[str, Any] = {"application/json": {"schema": reply}}
    if row.request is Ask:
        content["text/event-stream"] = _EVENTS
    return {"description": "The answer.", "content": content}


def _reasons(row: Row) -> list[int]:
    left_out = set()
    if row.call == "jwks":
        left_out |= {401, 422}
    if row.open or not row.scopes:
        left_out |= {403}
    if not row.from_path and "collections" not in row.request.model_fields:
        left_out |= {404}
    if row.method not in ("POST", "PUT", "PATCH"):
        left_out |= {413, 415}
    if row.method == "GET" or row.path.endswith(("/search", "/ask")):
        left_out |= {409}
    return [status for status in _REASONS if status not in left_out]


def _problem(reason: str) -> dict[str, Any]:
    return {"description": reason, "content": {"application/problem+json": {"schema": {"$ref": f"{_REF}Problem"}}}}


def _resolve(schema: dict[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    reference = str(schema.get("$ref", ""))
    return dict(components[reference.removeprefix(_REF)]) if reference else schema


def _reached(paths: dict[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas that the paths speak of, themselves or through others."""
    reached: dict[str, Any] = {}
    todo = list(_references(paths))
    while todo:
        name = todo.pop()
        if name not in reached:
            reached[name] = components[name]
            todo += _references(components[name])
    return dict(sorted(reached.items()))


def _references(node: Any) -> Iterable[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                if value.startswith(_REF):
                    yield value.removeprefix(_REF)
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
