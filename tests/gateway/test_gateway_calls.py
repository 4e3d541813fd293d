"""The generic endpoint: who is let in, how a request is built, how failures look."""

import asyncio
import json

import pytest

from gateway.fakes import ADMIN, AT, MONITOR, READER, WRITER, collection
from muniment.collections.contract import CollectionMissing, Entitlement
from muniment.documents.contract import DocumentMissing
from muniment.identity.contract import Group, Tokens, User
from muniment.kernel.model import Nothing, Page
from muniment.kernel.problems import Invalid, Throttled
from muniment.models.contract import ModelInfo, ModelInfos
from muniment.retrieval.contract import Hits


def problem(reply, status, kind):
    body = reply.json()
    assert reply.status_code == status, body
    assert reply.headers["content-type"] == "application/problem+json"
    assert body["type"] == f"urn:muniment:problem:{kind}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == reply.headers["x-request-id"]
    return body


async def test_a_search_is_asked_as_the_caller_with_both_parts_of_the_entitlement(house):
    made = house()
    async with made.client(READER) as http:
        reply = await http.post("/api/v1/search", json={"query": "leases", "limit": 3})
    timings = {"embed": 1.0, "engine": 0.25}
    assert reply.json() == {"hits": [], "took_ms": 1.5, "timings": timings, "corrected": None, "degraded": []}
    assert reply.headers["server-timing"] == "embed;dur=1.0, engine;dur=0.25"
    who = made.asked.callers("Retrieval.search")[0]
    assert who.principal == "usr_reader"
    assert who.tokens == {"usr_reader", "grp_eng", "grp_everyone", "col_1:internal"}
    assert who.withheld == {"col_9"}
    assert who.epoch == "7.3"
    assert who.request_id == reply.headers["x-request-id"]
    assert made.asked.of("Retrieval.search")[0].limit == 3


@pytest.mark.parametrize("path", ["search", "search/explain", "ask"])
async def test_a_blank_query_is_refused_with_what_to_do(house, path):
    name = "question" if path == "ask" else "query"
    body = {name: "  "} | ({"document": "doc_1"} if path == "search/explain" else {})
    async with house().client(READER) as http:
        told = problem(await http.post(f"/api/v1/{path}", json=body), 422, "invalid")
    assert told["errors"] == [{"field": name, "reason": "is blank; say in a word or a question what to look for"}]


@pytest.mark.parametrize(
    ("degraded", "headers"),
    [((), {}), (("dense",), {"x-service-degraded"}), (("cache",), {"x-service-degraded", "x-from-cache"})],
)
async def test_what_was_missing_is_in_the_headers(house, degraded, headers):
    made = house({"Retrieval.search": Hits(hits=(), took_ms=1, degraded=degraded)})
    async with made.client(READER) as http:
        reply = await http.post("/api/v1/search", json={"query": "leases"})
    told = {name for name in ("x-service-degraded", "x-from-cache") if reply.headers.get(name) == "true"}
    assert told == set(headers)


async def test_a_new_epoch_is_a_new_entitlement(house):
    epochs = iter("34")

    def entitle(_request):
        epoch = next(epochs)
        return Entitlement(tokens=(f"col_{epoch}",), withheld=(), epoch=epoch)

    made = house({"Collections.entitle": entitle})
    async with made.client(READER) as http:
        for _ in range(2):
            await http.post("/api/v1/search", json={"query": "leases"})
    first, second = made.asked.callers("Retrieval.search")
    assert "col_3" in first.tokens
    assert "col_4" in second.tokens
    assert "col_3" not in second.tokens


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer forged", "Bearer " + "x" * 9000, "x" * 50],
)
async def test_no_or_a_wrong_credential_is_401(house, authorization):
    headers = {} if authorization is None else {"authorization": authorization}
    async with house().client(None) as http:
        reply = await http.post("/api/v1/search", content=b"{", headers=headers)
    problem(reply, 401, "unauthenticated")
    assert reply.headers["www-authenticate"] == "Bearer"


async def test_a_missing_scope_is_403_before_the_body_is_looked_at(house):
    made = house()
    async with made.client(READER) as http:
        body = problem(await http.post("/api/v1/users", content=b"{"), 403, "forbidden")
        problem(await http.post("/api/v1/collections/handbook/documents", content=b"x"), 403, "forbidden")
    assert "users:admin" in body["detail"]
    async with made.client(MONITOR) as http:
        problem(await http.post("/api/v1/search", json={"query": "x"}), 403, "forbidden")
    assert not made.asked.of("Retrieval.search")


async def test_either_of_two_scopes_is_enough(house):
    async with house().client(ADMIN) as http:
        assert (await http.patch("/api/v1/collections/handbook", json={"title": "t"})).status_code == 200
    async with house().client(WRITER) as http:
        assert (await http.patch("/api/v1/collections/handbook", json={"title": "t"})).status_code == 200


async def test_a_collection_is_made_with_a_model_that_embeds(house):
    models = (model("m", "embedding"), model("judge", "reranker"))
    made = house({"Models.list": ModelInfos(items=models), "Collections.create": collection()})
    async with made.client(WRITER) as http:
        for name in ("judge", "nope"):
            reply = await http.post("/api/v1/collections", json={"name": "plans", "model": name})
            assert problem(reply, 422, "invalid")["errors"][0]["field"] == "model"
        assert not made.asked.of("Collections.create")
        for body in ({"name": "plans", "model": "m"}, {"name": "plans"}):
            assert (await http.post("/api/v1/collections", json=body)).status_code == 201


def model(name, kind):
    nothing = dict.fromkeys(("revision", "size_bytes", "dimensions", "max_tokens", "problem"))
    return ModelInfo(name=name, kind=kind, state="ready", source="a folder", **nothing)


async def test_sign_in_needs_no_token(house):
    tokens = Tokens(access_token="a", refresh_token="r", expires_in_seconds=60)
    made = house({"Identity.login": tokens, "Identity.refresh": tokens})
    async with made.client(None) as http:
        reply = await http.post("/api/v1/auth/login", json={"username": "ada", "password": "p"})
        assert reply.json() == {
            "access_token": "a",
            "refresh_token": "r",
            "token_type": "Bearer",
            "expires_in_seconds": 60,
        }
        assert (await http.post("/api/v1/auth/refresh", json={"refresh_token": "r"})).status_code == 200
        out = await http.post("/api/v1/auth/logout", json={"refresh_token": "r"})
        assert (out.status_code, out.content) == (204, b"")
        assert (await http.get("/.well-known/jwks.json")).json() == {"keys": []}
        problem(await http.get("/api/v1/auth/me"), 401, "unauthenticated")
    assert made.asked.callers("Identity.login") == [None]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"{", "line 1 column 1"),
        (b'{"query": "x",}', "line 1 column 15"),
        (b"[" * 100_000, "recursion limit"),
        (b'{"query":' * 50_000, "recursion limit"),
        (b"\xff\xfe{}", "line 1 column 1"),
        (b'{"query": NaN}', "line 1"),
        (b'{"query": "\\ud800"}', "line 1"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"null", "not a JSON object"),
    ],
)
async def test_broken_json_is_422_and_names_the_place(house, body, place):
    async with house().client() as http:
        reply = await http.post("/api/v1/search", content=body, headers={"content-type": "application/json"})
    told = problem(reply, 422, "invalid")
    assert told["errors"][0]["field"] == "body"
    assert place in told["errors"][0]["reason"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "x" * 8193}, "query"),
        ({"query": " \n\u3000"}, "query"),
        ({"query": "a\x00b"}, "query"),
        ({"query": "x", "limit": 201}, "limit"),
        ({"query": "x", "limit": "many"}, "limit"),
        ({"query": "x", "mode": "magic"}, "mode"),
        ({"query": "x", "colour": "red"}, "colour"),
        ({"query": "x", "collections": ["a\x00"]}, "collections.0"),
        ({"query": "x", "filters": {"metadata.x": {"any": ["\x00"]}}}, "filters.metadata.x.any.0"),
        ({"query": "x", "filters": {"metadata.x": 10**30}}, "filters.metadata.x"),
        ({"query": "x", "filters": {"a\x00": 1}}, "filters.a\N{REPLACEMENT CHARACTER}"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(house, body, field):
    async with house().client() as http:
        told = problem(await http.post("/api/v1/search", json=body), 422, "invalid")
    assert field in [error["field"] for error in told["errors"]]


async def test_a_number_beyond_every_float_is_named(house):
    async with house().client() as http:
        reply = await http.post(
            "/api/v1/search",
            content=b'{"query": "x", "filters": {"metadata.x": 1e999}}',
            headers={"content-type": "application/json"},
        )
    assert problem(reply, 422, "invalid")["errors"][0]["field"] == "filters.metadata.x"


@pytest.mark.parametrize("query", ["", "emoji \N{GRINNING FACE}", "שלום", "tab\tnew\nline\x07", "x" * 8192])
async def test_unusual_queries_reach_the_room_or_are_422(house, query):
    made = house()
    async with made.client() as http:
        reply = await http.post("/api/v1/search", json={"query": query})
    assert reply.status_code == (200 if query else 422)
    assert [asked.query for asked in made.asked.of("Retrieval.search")] == ([query] if query else [])


async def test_another_kind_of_body_is_415(house):
    async with house().client() as http:
        reply = await http.post("/api/v1/search", data={"query": "x"})
        assert "application/json" in problem(reply, 415, "media-type-unfit")["accepted"]
        headers = {"content-type": "Application/JSON; charset=utf-8"}
        assert (await http.post("/api/v1/search", content=b'{"query":"x"}', headers=headers)).status_code == 200
        headers = {"content-type": "application/json"}
        assert (await http.post("/api/v1/search", content=b"", headers=headers)).status_code == 422


async def test_a_body_over_the_limit_is_413_and_names_it(house):
    made = house(body_limit_bytes=2000)

    async def pieces():
        for _ in range(100):
            yield b"x" * 100

    async with made.client() as http:
        told = problem(await http.post("/api/v1/search", json={"query": "x" * 3000}), 413, "too-large")
        assert told["limit_bytes"] == 2000
        assert told["field"] == "body"
        problem(await http.post("/api/v1/search", content=pieces()), 413, "too-large")


async def test_unknown_addresses_and_methods(house):
    async with house().client() as http:
        problem(await http.get("/api/v1/nothing"), 404, "missing")
        problem(await http.get("/api/v1/collections/"), 404, "missing")
        reply = await http.get("/api/v1/search")
        problem(reply, 405, "not-allowed")
        assert reply.headers["allow"] == "OPTIONS, POST"
        reply = await http.options("/api/v1/collections/handbook")
        assert (reply.status_code, reply.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH")
        assert (await http.head("/api/v1/collections/handbook")).status_code == 200
        for later in (
            "/api/v1/live-letters",
            "/api/v1/conversations",
        ):
            problem(await http.get(later), 404, "missing")


async def test_path_and_body_meet_in_a_patch(house):
    user = User(id="usr_1", username="ada", roles=(), groups=(), clearance="internal", created_at=AT)
    made = house({"Identity.update_user": user})
    async with made.client(ADMIN) as http:
        reply = await http.patch("/api/v1/users/ada", json={"clearance": None, "roles": ["viewer"]})
        assert reply.json()["created_at"] == "2026-01-02T03:04:05Z"
        told = problem(await http.patch("/api/v1/users/ada", json={"name": "bob"}), 422, "invalid")
    assert told["errors"][0]["field"] == "name"
    asked = made.asked.of("Identity.update_user")[0]
    assert (asked.name, asked.model_fields_set) == ("ada", {"name", "clearance", "roles"})


async def test_a_group_is_renamed_and_filled(house):
    group = Group(id="grp_1", name="engineers", members=(), created_at=AT)
    made = house({"Identity.update_group": group, "Identity.add_member": Nothing()})
    async with made.client(ADMIN) as http:
        assert (await http.patch("/api/v1/groups/eng", json={"name": "engineers"})).status_code == 200
        assert (await http.put("/api/v1/groups/eng/members/user:ada")).status_code == 204
        told = problem(await http.put("/api/v1/groups/eng/members/ada"), 422, "invalid")
    assert told["errors"][0]["field"] == "subject"
    asked = made.asked.of("Identity.update_group")[0]
    assert (asked.group, asked.name) == ("eng", "engineers")
    asked = made.asked.of("Identity.add_member")[0]
    assert (asked.group, asked.subject) == ("eng", "user:ada")


async def test_a_list_takes_its_parameters_from_the_query(house):
    made = house({"Identity.list_users": Page[User](items=(), next_cursor="abc")})
    async with made.client(ADMIN) as http:
        assert (await http.get("/api/v1/users?limit=7&cursor=x")).json() == {"items": [], "next_cursor": "abc"}
        for wrong, field in [
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=", "limit"),
            ("limit=1&limit=2", "limit"),
            ("size=3", "size"),
            ("cursor=%00", "cursor"),
            ("&".join(f"a{n}=1" for n in range(100)), "query"),
        ]:
            told = problem(await http.get(f"/api/v1/users?{wrong}"), 422, "invalid")
            assert told["errors"][0]["field"] == field
    assert made.asked.of("Identity.list_users")[0].limit == 7


async def test_what_only_rooms_may_say_nobody_else_may(house):
    async with house().client() as http:
        for address in ("/api/v1/collections", "/api/v1/collections/handbook"):
            told = problem(await http.get(f"{address}?readable=col_9"), 422, "invalid")
            assert told["errors"][0]["field"] == "readable"


@pytest.mark.parametrize("version", ["0", "-1", "1.5", "x", str(2**31), "9" * 400])
async def test_a_version_that_no_document_has(house, version):
    async with house().client() as http:
        problem(await http.get(f"/api/v1/documents/doc_1/text?version={version}"), 422, "invalid")


async def test_problems_of_rooms_come_out_as_they_are(house):
    answers = {
        "Documents.get": DocumentMissing("no document doc_1", document="doc_1"),
        "Documents.list": Invalid("cursor: not a cursor", errors=[{"field": "cursor", "reason": "not a cursor"}]),
        "Retrieval.search": Throttled("slower", retry_after_seconds=7),
        "Collections.get": CollectionMissing("no collection x", collection="x"),
    }
    async with house(answers).client() as http:
        assert problem(await http.get("/api/v1/documents/doc_1"), 404, "document-missing")["document"] == "doc_1"
        problem(await http.get("/api/v1/collections/handbook/documents?cursor=zz"), 422, "invalid")
        reply = await http.post("/api/v1/search", json={"query": "x"})
        problem(reply, 429, "throttled")
        assert reply.headers["retry-after"] == "7"
        assert problem(await http.get("/api/v1/collections/x"), 404, "collection-missing")["collection"] == "x"


async def test_a_defect_behind_the_edge_is_an_internal_problem(house):
    def defect(_request):
        raise ZeroDivisionError

    async with house({"Retrieval.search": defect}).client() as http:
        problem(await http.post("/api/v1/search", json={"query": "x"}), 500, "internal")


async def test_a_room_that_takes_too_long_is_504(house):
    async def never(_request):
        await asyncio.Event().wait()

    async with house({"Retrieval.search": never}, request_seconds=0.05).client() as http:
        problem(await http.post("/api/v1/search", json={"query": "x"}), 504, "deadline-exceeded")


async def test_answers_tell_a_browser_to_guess_nothing(house):
    async with house().client() as http:
        for reply in (await http.post("/api/v1/search", json={"query": "x"}), await http.get("/nothing")):
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["cache-control"] == "no-store"
            assert "default-src 'none'" in reply.headers["content-security-policy"]
            assert "access-control-allow-origin" not in reply.headers


async def test_pages_of_allowed_origins_may_call(house):
    made = house(allowed_origins="https://app.example, https://b.example")
    headers = {"origin": "https://app.example", "access-control-request-method": "POST"}
    async with made.client() as http:
        reply = await http.options("/api/v1/search", headers=headers)
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
        reply = await http.options("/api/v1/search", headers=headers | {"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in reply.headers
        reply = await http.post("/api/v1/search", json={"query": "x"}, headers={"origin": "https://app.example"})
        assert reply.headers["access-control-allow-origin"] == "https://app.example"


async def test_a_body_that_is_cut_is_a_problem(house):
    sent = []
    messages = iter([{"type": "http.request", "body": b'{"que', "more_body": True}, {"type": "http.disconnect"}])

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/search",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"authorization", f"Bearer {READER}".encode()), (b"content-type", b"application/json")],
    }
    await house().application(scope, receive, send)
    assert sent[0]["status"] == 400
    assert json.loads(sent[1]["body"])["type"] == "urn:muniment:problem:body-cut"
