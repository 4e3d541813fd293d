"""From a document to a cited answer that only its readers see, over HTTP, in both forms."""

import json
import time
import uuid
from pathlib import Path

import httpx
import pytest

from muniment.collections.contract import CollectionMissing
from muniment.documents.contract import DocumentMissing
from muniment.kernel.problems import Forbidden, Unauthenticated
from muniment.sdk import File, Muniment

LEASES = """---
title: Lease design
status: approved
team: infra
---
# Lease design

The vault renews every lease each ten seconds. A lease that is not renewed within thirty seconds expires,
and its holder loses the lock.

## Clients

Clients never renew a lease by themselves. They ask the vault for the state of the lease and wait.
"""

PASSWORD = "a password of the tests"


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def wait(muniment: Muniment, run: str) -> dict:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        told = muniment.get(f"/api/v1/runs/{run}")
        if told["state"] in ("succeeded", "failed", "cancelled"):
            return told
        time.sleep(0.05)
    raise AssertionError(f"{run} is not over: {told}")


def add(muniment: Muniment, collection: str, key: str, text: str, **options) -> dict:
    body = {"documents": [{"key": key, "text": text, **options}]}
    answer = muniment.post(f"/api/v1/collections/{collection}/documents/batch", body)
    if answer["run"]:
        assert wait(muniment, answer["run"])["state"] == "succeeded"
    return answer["documents"][0]


def user(house, **fields) -> Muniment:
    name = unique("user")
    with house.admin() as admin:
        admin.post("/api/v1/users", {"username": name, "password": PASSWORD, **fields})
    return house.sign_in(name, PASSWORD)


@pytest.fixture(scope="module")
def ada(house):
    with user(house, clearance="internal") as ada:
        yield ada


@pytest.fixture
def collection(ada):
    name = unique("leases")
    ada.post("/api/v1/collections", {"name": name})
    return name


def test_a_question_gets_an_answer_tied_to_the_characters(ada, collection):
    document = add(ada, collection, "lease.md", LEASES, media_type="text/markdown")
    answer = ada.post("/api/v1/ask", {"question": "How often is a lease renewed?", "collections": [collection]})
    assert not answer["abstained"]
    assert "ten seconds" in answer["answer"]
    assert answer["answer"] == " ".join(s["text"] for s in answer["sentences"])
    text = ada.get(f"/api/v1/documents/{document['id']}/text")["text"]
    for sentence in answer["sentences"]:
        assert answer["answer"][sentence["start"] : sentence["end"]] == sentence["text"]
        assert sentence["footnotes"]
        assert sentence["verdict"] in ("quoted", "supported")
    for footnote in answer["footnotes"]:
        span = footnote["span"]
        assert footnote["quote"] == text[span["start"] : span["end"]]
        assert footnote["document"]["title"] == "Lease design"


def test_the_answer_streams_in_its_order(ada, collection):
    add(ada, collection, "lease.md", LEASES)
    body = {"question": "How often is a lease renewed?", "collections": [collection]}
    events = list(ada.events("/api/v1/ask", body))
    names = [name for name, _ in events]
    assert names[0] == "passages"
    assert names[-1] == "done"
    assert names.index("footnote") < names.index("sentence")
    said = [data for name, data in events if name == "sentence"]
    assert events[-1][1]["sentences"] == said


def test_no_support_no_answer(ada, collection):
    add(ada, collection, "lease.md", LEASES)
    question = "Which airline does the company fly with to Lisbon?"
    answer = ada.post("/api/v1/ask", {"question": question, "collections": [collection]})
    assert answer["abstained"]
    assert answer["sentences"] == []
    assert answer["footnotes"] == []
    assert answer["answer"]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
def test_search_finds_by_each_mode(ada, collection, mode):
    document = add(ada, collection, "lease.md", LEASES)
    query = {"query": "who renews a lease", "collections": [collection], "mode": mode}
    (first, *_) = ada.post("/api/v1/search", query)["hits"]
    assert first["document"]["id"] == document["id"]
    assert first["document"]["metadata"] == {"team": "infra"}
    text = ada.get(f"/api/v1/documents/{document['id']}/text")["text"]
    for part in ("chunk", "parent"):
        span = first[part]["span"]
        assert first[part]["text"] == text[span["start"] : span["end"]]
    assert (first["scores"]["dense"] is None) == (mode == "keyword")


def test_filters_reach_into_the_engine(ada, collection):
    add(ada, collection, "a.md", LEASES)
    add(ada, collection, "b.txt", "Leases of flats are signed by the landlord.", tags=["flats"], type="Page")

    def found(filters):
        query = {"query": "lease", "collections": [collection], "filters": filters, "group_by": "document"}
        return {hit["document"]["key"] for hit in ada.post("/api/v1/search", query)["hits"]}

    assert found({}) == {"a.md", "b.txt"}
    assert found({"metadata.team": ["infra"]}) == {"a.md"}
    assert found({"tags": {"all": ["flats"]}}) == {"b.txt"}
    assert found({"status": "approved"}) == {"a.md"}
    assert found({"type": {"not": ["Page"]}}) == {"a.md"}
    assert found({"metadata.team": {"exists": False}}) == {"b.txt"}


def test_the_same_again_is_no_work_and_other_bytes_are_a_version(ada, collection):
    first = add(ada, collection, "lease.md", LEASES)
    again = add(ada, collection, "lease.md", LEASES)
    assert (again["duplicate"], again["run"], again["version"]) == (True, None, 1)
    changed = add(ada, collection, "lease.md", LEASES.replace("ten seconds", "four minutes"))
    assert (changed["id"], changed["version"]) == (first["id"], 2)
    query = {"query": "how often is a lease renewed", "collections": [collection]}
    hits = ada.post("/api/v1/search", query)["hits"]
    assert {hit["document"]["version"] for hit in hits} == {2}
    assert all("ten seconds" not in hit["chunk"]["text"] for hit in hits)
    old = ada.get(f"/api/v1/documents/{first['id']}/text", version=1)
    assert "ten seconds" in old["text"]


def test_files_of_each_format_are_taken(ada, collection, examples):
    files = [File(path, {"key": path.name}) for path in examples]
    answer = ada.upload(collection, files)
    run = wait(ada, answer["run"])
    assert run["state"] == "succeeded", run
    listed = {d["key"]: d for d in ada.pages(f"/api/v1/collections/{collection}/documents")}
    assert set(listed) == {path.name for path in examples}
    for path in examples:
        document = listed[path.name]
        content = httpx.get(
            f"{ada.server}/api/v1/documents/{document['id']}/content", headers=dict(ada._http.headers)
        )
        assert content.content == path.read_bytes()
        assert content.headers["content-disposition"].startswith("attachment")
        text = ada.get(f"/api/v1/documents/{document['id']}/text")
        assert text["text"]
        assert bool(text["pages"]) == (path.suffix == ".pdf")


@pytest.fixture
def examples():
    handbook = Path(__file__).parents[2] / "examples" / "handbook" / "everyone"
    return [next(iter(sorted(handbook.glob(f"*{ending}")))) for ending in (".md", ".txt", ".html", ".pdf")]


def test_a_broken_file_fails_with_a_reason_and_the_older_version_stays(ada, collection, tmp_path):
    good = tmp_path / "paper.pdf"
    good.write_text(LEASES)
    add(ada, collection, "paper.pdf", LEASES)
    broken = tmp_path / "paper.pdf"
    broken.write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nnothing more")
    answer = ada.upload(collection, [File(broken, {"key": "paper.pdf"})])
    run = wait(ada, answer["documents"][0]["run"])
    assert run["state"] == "failed"
    assert run["problem"]["type"].startswith("urn:muniment:problem:file-")
    document = ada.get(f"/api/v1/documents/{answer['documents'][0]['id']}")
    assert document["version"] == 1
    assert [v["state"] for v in sorted(document["versions"], key=lambda v: v["number"])] == ["current", "failed"]


def test_what_one_may_not_read_is_not_there(house, ada, collection):
    document = add(ada, collection, "lease.md", LEASES)
    with user(house) as eve:
        for path in ("", "/text", "/content", "/access"):
            with pytest.raises(DocumentMissing):
                eve.get(f"/api/v1/documents/{document['id']}{path}")
        with pytest.raises(CollectionMissing):
            eve.post("/api/v1/search", {"query": "lease", "collections": [collection]})
        assert eve.post("/api/v1/search", {"query": "lease renewed vault"})["hits"] == []
        assert collection not in {c["name"] for c in eve.pages("/api/v1/collections")}
        with pytest.raises(CollectionMissing):
            eve.post(
                f"/api/v1/collections/{collection}/documents/batch", {"documents": [{"key": "x", "text": "y"}]}
            )


def test_a_grant_and_its_end_hold_from_the_next_request(house, ada, collection):
    document = add(ada, collection, "lease.md", LEASES)
    with user(house) as eve:
        name = eve.get("/api/v1/auth/me")["username"]
        query = {"query": "how often is a lease renewed"}
        for _ in range(2):
            ada.put(f"/api/v1/documents/{document['id']}/access", {"grants": [f"user:{name}"]})
            assert {h["document"]["id"] for h in eve.post("/api/v1/search", query)["hits"]} == {document["id"]}
            assert eve.get(f"/api/v1/documents/{document['id']}")["grants"] is None
            with pytest.raises(Forbidden):
                eve.put(f"/api/v1/documents/{document['id']}/access", {"grants": []})
            ada.put(f"/api/v1/documents/{document['id']}/access", {"grants": []})
            assert eve.post("/api/v1/search", query)["hits"] == []
            with pytest.raises(DocumentMissing):
                eve.get(f"/api/v1/documents/{document['id']}")


def test_deleted_is_gone_at_once(ada, collection):
    document = add(ada, collection, "lease.md", LEASES)
    add(ada, collection, "other.txt", "The landlord signs each lease of a flat.")
    ada.delete(f"/api/v1/documents/{document['id']}")
    hits = ada.post("/api/v1/search", {"query": "lease", "collections": [collection]})["hits"]
    assert {h["document"]["key"] for h in hits} == {"other.txt"}
    run = ada.delete(f"/api/v1/collections/{collection}")
    with pytest.raises(CollectionMissing):
        ada.get(f"/api/v1/collections/{collection}")
    hits = ada.post("/api/v1/search", {"query": "landlord signs lease of a flat"})["hits"]
    assert collection not in {h["document"]["collection"] for h in hits}
    assert wait(ada, run["id"])["state"] == "succeeded"


def test_signing_out_ends_the_session(house):
    with user(house) as eve:
        name = eve.get("/api/v1/auth/me")["username"]
        tokens = eve.post("/api/v1/auth/login", {"username": name, "password": PASSWORD})
        with Muniment(house.address, tokens["access_token"]) as session:
            session.get("/api/v1/auth/me")
            session.post("/api/v1/auth/logout", {"refresh_token": tokens["refresh_token"]})
            with pytest.raises(Unauthenticated):
                session.get("/api/v1/auth/me")


@pytest.mark.parametrize(
    "query",
    ["", "x" * 100_000, "\x00", "\u202eabc", "🜁🜂" * 9, "\ud83d", " \n\t ", "a\x1b[31m"],
    ids=lambda q: repr(q[:9]),
)
def test_odd_queries_get_an_answer_or_a_422(ada, query):
    for path, field in (("search", "query"), ("ask", "question")):
        body = json.dumps({field: query}).encode()
        headers = {**ada._http.headers, "content-type": "application/json"}
        reply = httpx.post(f"{ada.server}/api/v1/{path}", content=body, headers=headers, timeout=30)
        assert reply.status_code in (200, 422), reply.text
