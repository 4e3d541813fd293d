"""The public table is the public API, and the OpenAPI document says all of it."""

import json
import re

import pytest
from fastapi.openapi.models import OpenAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.fakes import ADMIN, ANSWERS
from muniment.gateway.edge import reference
from muniment.gateway.public import TABLE
from muniment.kernel.contract import operations
from muniment.kernel.problems import Missing

CALLS = {
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/password",
    "GET /api/v1/auth/me",
    *(
        f"{method} /api/v1/{things}{one}"
        for things in ("users", "groups", "api-keys")
        for method, one in [
            ("POST", ""),
            ("GET", ""),
            ("GET", "/{name}"),
            ("PATCH", "/{name}"),
            ("DELETE", "/{name}"),
        ]
    ),
    "PUT /api/v1/groups/{name}/members/{subject}",
    "DELETE /api/v1/groups/{name}/members/{subject}",
    "POST /api/v1/collections",
    "GET /api/v1/collections",
    "GET /api/v1/collections/{collection}",
    "PATCH /api/v1/collections/{collection}",
    "DELETE /api/v1/collections/{collection}",
    "POST /api/v1/collections/{collection}/documents",
    "POST /api/v1/collections/{collection}/documents/batch",
    "GET /api/v1/collections/{collection}/documents",
    "DELETE /api/v1/collections/{collection}/documents",
    "GET /api/v1/collections/{collection}/index",
    "POST /api/v1/collections/{collection}/index",
    "POST /api/v1/collections/{collection}/index/switch",
    "DELETE /api/v1/collections/{collection}/index/standby",
    "GET /api/v1/documents/{id}",
    "PATCH /api/v1/documents/{id}",
    "DELETE /api/v1/documents/{id}",
    "GET /api/v1/documents/{id}/text",
    "GET /api/v1/documents/{id}/content",
    "GET /api/v1/documents/{id}/rectangles",
    "GET /api/v1/documents/{id}/pages/{number}",
    "GET /api/v1/documents/{id}/access",
    "PUT /api/v1/documents/{id}/access",
    "GET /api/v1/runs",
    "GET /api/v1/runs/{id}",
    "POST /api/v1/runs/{id}/retry",
    "POST /api/v1/runs/{id}/cancel",
    "GET /api/v1/dead-letters",
    "POST /api/v1/dead-letters/{id}/retry",
    "DELETE /api/v1/dead-letters/{id}",
    "POST /api/v1/reconcile",
    "GET /api/v1/models",
    "POST /api/v1/search",
    "POST /api/v1/search/explain",
    "POST /api/v1/ask",
    "GET /.well-known/jwks.json",
}
OPEN = {
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    "GET /.well-known/jwks.json",
}


def test_every_call_of_the_api_is_in_the_table_once():
    names = [row.name for row in TABLE]
    assert sorted(names) == sorted(CALLS)


def test_only_sign_in_and_public_keys_need_no_token():
    assert {row.name for row in TABLE if row.open} == OPEN


def test_every_row_fits_its_operation():
    for row in TABLE:
        assert row.operation in operations(row.contract)
        assert set(row.from_path.values()) <= set(row.request.model_fields) | {"collection"}
        assert row.hidden <= set(row.request.model_fields)


@pytest.fixture(scope="module")
def document():
    return json.loads(json.dumps(reference()))


def test_the_document_lists_every_call(document):
    listed = {f"{m.upper()} {path}" for path, methods in document["paths"].items() for m in methods}
    assert listed == CALLS | {"GET /health", "GET /metrics"}
    ids = [call["operationId"] for methods in document["paths"].values() for call in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_call_has_its_parameters_its_answer_and_its_problems(document):
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            named = {p["name"] for p in call.get("parameters", []) if p["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), (method, path)
            assert call["summary"]
            good = [status for status in call["responses"] if status.startswith("2")]
            assert len(good) == 1
            assert good == ["204"] or call["responses"][good[0]]["content"]
            if f"{method.upper()} {path}" in OPEN:
                assert call["security"] == []
            else:
                assert "401" in call["responses"]
                assert "security" not in call
    assert document["security"] == [{"bearer": []}]


def test_the_document_is_openapi(document):
    read = OpenAPI.model_validate(document).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert read["paths"].keys() == document["paths"].keys()


def test_every_reference_leads_somewhere(document):
    references = set(re.findall(r'"#/([^"]+)"', json.dumps(document)))
    assert len(references) > 50
    for reference_ in references:
        node = document
        for step in reference_.split("/"):
            assert step in node, reference_
            node = node[step]


def test_bodies_and_parameters_hold_what_a_client_may_say(document):
    paths = document["paths"]

    def body(path, method):
        return paths[path][method]["requestBody"]["content"]["application/json"]["schema"]

    assert "name" not in body("/api/v1/users/{name}", "patch")["properties"]
    assert set(body("/api/v1/groups/{name}", "patch")["properties"]) == {"name"}
    assert set(body("/api/v1/documents/{id}/access", "put")["properties"]) == {"access_level", "owner", "grants"}
    batch = "/api/v1/collections/{collection}/documents/batch"
    assert set(body(batch, "post")["properties"]) == {"documents"}
    assert "Idempotency-Key" in [p["name"] for p in paths[batch]["post"]["parameters"]]
    upload = paths["/api/v1/collections/{collection}/documents"]["post"]
    assert set(upload["requestBody"]["content"]) == {"multipart/form-data"}
    assert "requestBody" not in paths["/api/v1/runs/{id}/retry"]["post"]
    assert "requestBody" not in paths["/api/v1/groups/{name}/members/{subject}"]["put"]
    listed = [p["name"] for p in paths["/api/v1/collections"]["get"]["parameters"]]
    assert listed == ["limit", "cursor"]
    assert [p["name"] for p in paths["/api/v1/collections/{collection}"]["get"]["parameters"]] == ["collection"]
    assert set(paths["/api/v1/ask"]["post"]["responses"]["200"]["content"]) == {
        "application/json",
        "text/event-stream",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({field for row in TABLE for field in row.request.model_fields})
BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5).map(lambda value: json.dumps(value).encode())
)
WRITES = [row for row in TABLE if row.method in ("POST", "PUT", "PATCH")]
READS = [row for row in TABLE if row.method in ("GET", "DELETE")]
SEGMENT = st.text(min_size=1, max_size=20).filter(lambda text: text not in (".", ".."))


REFUSED = {
    str(operation): Missing("no such thing")
    for row in TABLE
    for operation in operations(row.contract)
    if str(operation) not in ANSWERS
}
"""What counts is that a room was asked properly: no answer of it is needed."""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.sampled_from(WRITES), body=BODIES, segment=SEGMENT, form=st.booleans())
async def test_no_body_is_ever_a_defect(house, row, body, segment, form):
    await ask(house, row, segment, b"", body, form=form)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.sampled_from(READS), query=st.binary(max_size=60), segment=SEGMENT)
async def test_no_address_is_ever_a_defect(house, row, query, segment):
    await ask(house, row, segment, query, b"", form=False)


async def ask(house, row, segment, query, body, *, form):
    made = house(REFUSED)
    kind = b"multipart/form-data; boundary=b" if form else b"application/json"
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": row.method,
        "path": re.sub(r"\{\w+\}", lambda _: segment, row.path),
        "query_string": query,
        "root_path": "",
        "headers": [(b"authorization", f"Bearer {ADMIN}".encode()), (b"content-type", kind)],
    }
    await made.bare(scope, receive, send)
    assert sent[0]["status"] < 500, sent
