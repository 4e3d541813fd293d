"""Answers that are more than one operation's reply: collections, runs, questions, contents, health, pages."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fakes import ADMIN, AT, MONITOR, READER, collection
from gateway.test_gateway_calls import problem
from kit.blobs import put
from muniment.collections.contract import CollectionMissing, DeletedCollection
from muniment.documents.contract import Content, Counts, Progress, Run, Span
from muniment.gateway.ask import wants_events
from muniment.gateway.file_names import attachment
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Unavailable
from muniment.knowledge.contract import (
    Answer,
    AnswerSentence,
    CitedDocument,
    Completed,
    Footnote,
    Noted,
    Retrieved,
    Said,
)

SENTENCE = AnswerSentence(text="Ten.", start=0, end=4, footnotes=(1,), verdict="quoted")
FOOTNOTE = Footnote(
    number=1,
    document=CitedDocument(id="doc_1", key="a", title="A", collection="handbook", version=1),
    chunk="chk_1",
    span=Span(start=3, end=7),
    page=None,
    section=("A",),
    quote="Ten.",
)
ANSWER = Answer(
    answer="Ten.",
    sentences=(SENTENCE,),
    footnotes=(FOOTNOTE,),
    passages=(),
    model="extractive",
    abstained=False,
    took_ms=1.0,
)
EVENTS = [Retrieved(hits=()), Noted(footnote=FOOTNOTE), Said(sentence=SENTENCE), Completed(answer=ANSWER)]


def run(identifier, kind="purge"):
    return Run(
        id=identifier,
        kind=kind,
        state="queued",
        progress=Progress(done=0, total=None, unit="documents"),
        attempts=0,
        next_attempt_at=None,
        eta_seconds=None,
        problem=None,
        created_at=AT,
        started_at=None,
        ended_at=None,
        collection="handbook",
        document=None,
    )


async def test_collections_come_with_their_counts_and_are_seen_for_a_document(house):
    made = house()
    async with made.client(READER) as http:
        page = (await http.get("/api/v1/collections?limit=3")).json()
        one = (await http.get("/api/v1/collections/handbook")).json()
    assert [item["documents"] for item in page["items"]] == [4]
    assert one["documents"] == 4
    assert one["created_at"] == "2026-01-02T03:04:05Z"
    asked = made.asked.of("Collections.list")[0]
    assert (asked.limit, asked.readable) == (3, {"col_1"})
    assert made.asked.of("Collections.get")[0].readable == {"col_1"}
    assert made.asked.of("Documents.count_readable")[-1].collections == ("col_1",)


async def test_a_new_collection_is_empty(house):
    async with house({"Collections.create": collection()}).client() as http:
        reply = await http.post("/api/v1/collections", json={"name": "handbook", "members": ["user:ada"]})
        assert (reply.status_code, reply.json()["documents"]) == (201, 0)
        told = problem(await http.post("/api/v1/collections", json={"name": "Hand Book"}), 422, "invalid")
        assert told["errors"][0]["field"] == "name"


@pytest.mark.parametrize(("count", "status", "kind"), [(1, 403, "forbidden"), (0, 404, "collection-missing")])
async def test_what_is_readable_but_not_writable_is_403(house, count, status, kind):
    missing = CollectionMissing("no collection handbook", collection="handbook")
    made = house(
        {
            "Collections.update": missing,
            "Collections.delete": missing,
            "Documents.count_readable": Counts(counts={"col_1": count}),
        }
    )
    async with made.client() as http:
        told = problem(await http.patch("/api/v1/collections/handbook", json={"title": "x"}), status, kind)
        assert told["collection"] == "handbook"
        problem(await http.delete("/api/v1/collections/handbook"), status, kind)


async def test_a_deleted_collection_answers_with_the_run_that_purges_it(house):
    gone = DeletedCollection(id="col_1", name="handbook", run="run_documents_7")
    made = house(
        {
            "Collections.delete": gone,
            "Documents.purge_collection": Nothing(),
            "Documents.get_run": lambda request: run(request.id),
        }
    )
    async with made.client() as http:
        reply = await http.delete("/api/v1/collections/handbook")
    assert (reply.status_code, reply.json()["id"]) == (202, "run_documents_7")
    purge = made.asked.of("Documents.purge_collection")[0]
    assert (purge.id, purge.name, purge.run) == ("col_1", "handbook", "run_documents_7")


async def test_a_run_is_asked_of_the_room_in_its_name(house):
    made = house({name: lambda request: run(request.id) for name in ("Documents.get_run", "Documents.retry_run")})
    async with made.client() as http:
        assert (await http.get("/api/v1/runs/run_documents_1")).json()["state"] == "queued"
        assert (await http.post("/api/v1/runs/run_documents_1/retry")).status_code == 200
        for unknown in ("run_nowhere_1", "doc_1", "run_documents"):
            problem(await http.get(f"/api/v1/runs/{unknown}"), 404, "run-missing")
            problem(await http.post(f"/api/v1/runs/{unknown}/cancel"), 404, "run-missing")
    assert len(made.asked.of("Documents.get_run")) == 1


async def test_an_answer_as_json(house):
    made = house({"Knowledge.ask": ANSWER})
    async with made.client(READER) as http:
        reply = await http.post("/api/v1/ask", json={"question": "how long?"})
    assert reply.json() == json.loads(ANSWER.model_dump_json())
    assert made.asked.callers("Knowledge.ask")[0].principal == "usr_reader"


def frames(text):
    return [tuple(line.split(": ", 1)[1] for line in frame.split("\n")) for frame in text.split("\n\n") if frame]


async def test_an_answer_as_events(house):
    made = house({"Knowledge.answer": lambda _: EVENTS})
    async with made.client(READER) as http:
        reply = await http.post(
            "/api/v1/ask", json={"question": "how long?"}, headers={"accept": "text/event-stream"}
        )
    assert reply.headers["content-type"].startswith("text/event-stream")
    got = [(event, json.loads(data)) for event, data in frames(reply.text)]
    assert got == [
        ("passages", {"hits": []}),
        ("footnote", json.loads(FOOTNOTE.model_dump_json())),
        ("sentence", json.loads(SENTENCE.model_dump_json())),
        ("done", json.loads(ANSWER.model_dump_json())),
    ]
    assert made.asked.callers("Knowledge.answer")[0].principal == "usr_reader"


async def test_a_failure_before_the_first_event_is_a_status_and_a_later_one_an_event(house):
    headers, body = {"accept": "text/event-stream"}, {"question": "x"}
    async with house({"Knowledge.answer": Unavailable("down")}).client() as http:
        reply = await http.post("/api/v1/ask", json=body, headers=headers)
        problem(reply, 503, "unavailable")
        problem(await http.post("/api/v1/ask", json={"question": ""}, headers=headers), 422, "invalid")
    async with house({"Knowledge.answer": lambda _: [EVENTS[0], Unavailable("down")]}).client() as http:
        reply = await http.post("/api/v1/ask", json=body, headers=headers)
    events = frames(reply.text)
    assert [event for event, _ in events] == ["passages", "problem"]
    told = json.loads(events[-1][1])
    assert told["type"] == "urn:muniment:problem:unavailable"
    assert told["request_id"] == reply.headers["x-request-id"]


async def test_an_answer_ends_when_its_reader_leaves(house):
    closed, started = asyncio.Event(), asyncio.Event()

    class Endless:
        def __iter__(self):
            return self

        def __next__(self):
            return EVENTS[0]

        def __del__(self):
            closed.set()

    made = house({"Knowledge.answer": lambda _: Endless()})
    body = {"type": "http.request", "body": b'{"question": "x"}', "more_body": False}
    messages: asyncio.Queue = asyncio.Queue()
    messages.put_nowait(body)

    sent = []

    async def send(message):
        sent.append(message)
        started.set()
        await asyncio.sleep(0)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/ask",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"authorization", f"Bearer {READER}".encode()), (b"accept", b"text/event-stream")],
    }
    answering = asyncio.create_task(made.application(scope, messages.get, send))
    await asyncio.wait_for(started.wait(), 5)
    messages.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(answering, 5)
    await asyncio.wait_for(closed.wait(), 5)
    assert sent[0]["status"] == 200
    assert all(message.get("more_body", True) for message in sent), "an answer without end has none"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/event-stream", True),
        ("Text/Event-Stream; charset=utf-8", True),
        ("text/event-stream, application/json", True),
        ("application/json, text/event-stream;q=0.5", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=x", False),
        (",;q=,;;", False),
    ],
)
def test_which_form_of_answer_is_wanted(accept, expected):
    assert wants_events(accept) is expected


async def test_contents_are_saved_and_never_shown(house, blobs):
    await put(blobs, "documents/1", b"<script>alert(1)</script>" * 100_000)
    name = 'folder/x"\r\nSet-Cookie: a=b\\; \N{GRINNING FACE}.html'
    content = Content(blob="documents/1", name=name, media_type="text/html\r\nx: y", size_bytes=2_500_000)
    made = house({"Documents.content": content})
    async with made.client(READER) as http:
        reply = await http.get("/api/v1/documents/doc_1/content?version=2")
        assert len(reply.content) == 2_500_000
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in reply.headers
        assert reply.headers["content-disposition"].startswith('attachment; filename="')
        assert "filename*=UTF-8''" in reply.headers["content-disposition"]
        head = await http.head("/api/v1/documents/doc_1/content")
        assert (head.content, head.headers["content-length"]) == (b"", "2500000")
    assert made.asked.of("Documents.content")[0].version == 2


async def test_a_content_whose_blob_is_gone_is_a_problem(house):
    content = Content(blob="documents/gone", name="a.txt", media_type="text/plain", size_bytes=1)
    async with house({"Documents.content": content}).client() as http:
        reply = await http.get("/api/v1/documents/doc_1/content")
    problem(reply, 404, "blob-missing")
    assert "content-disposition" not in reply.headers


async def test_an_empty_content(house, blobs):
    await put(blobs, "documents/1", b"")
    content = Content(blob="documents/1", name="", media_type="text/plain", size_bytes=0)
    async with house({"Documents.content": content}).client() as http:
        reply = await http.get("/api/v1/documents/doc_1/content")
    assert (reply.status_code, reply.content, reply.headers["content-type"]) == (200, b"", "text/plain")


async def test_a_picture_of_a_page_is_shown_once_and_kept_by_the_browser(house, blobs):
    content = Content(blob="documents/ver_1", name="a.pdf", media_type="application/pdf", size_bytes=9)

    async def drawn(request):
        await put(blobs, "staging/picture", b"PNG" * request.width)
        return Content(blob="staging/picture", name="p.png", media_type="image/png", size_bytes=3 * request.width)

    made = house({"Documents.content": content, "Documents.page": drawn})
    address = "/api/v1/documents/doc_1/pages/3"
    async with made.client(READER) as http:
        shown = await http.get(f"{address}?width=100")
        assert (shown.status_code, shown.content) == (200, b"PNG" * 100)
        assert shown.headers["content-type"] == "image/png"
        assert shown.headers["content-disposition"] == "inline"
        assert shown.headers["cache-control"] == "private, no-cache"
        assert shown.headers["content-security-policy"] == "default-src 'none'"
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert not await blobs.exists("staging/picture")
        again = await http.get(f"{address}?width=100", headers={"if-none-match": shown.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", shown.headers["etag"])
        other = await http.get(address, headers={"if-none-match": shown.headers["etag"]})
        assert len(other.content) == 3 * 1200
        head = await http.head(address)
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "3600")
        assert not await blobs.exists("staging/picture")
        for unfit in ("0", "one", "3?width=63", "3?width=4097"):
            problem(await http.get(f"/api/v1/documents/doc_1/pages/{unfit}"), 422, "invalid")
    assert [asked.width for asked in made.asked.of("Documents.page")] == [100, 1200, 1200]


@given(st.text())
def test_no_name_breaks_out_of_its_header(name):
    header = attachment(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


async def test_health_tells_of_each_room(house):
    made = house({"Vectors.status": Unavailable("the engine is being restarted")})
    async with made.client(None, client="127.0.0.1") as http:
        told = (await http.get("/health")).json()
    assert told["status"] == "degraded"
    assert told["rooms"]["vectors"] == {"status": "down", "detail": "the engine is being restarted"}
    assert {room for room, state in told["rooms"].items() if state["status"] == "ok"} == {
        "identity",
        "collections",
        "documents",
        "models",
        "retrieval",
        "knowledge",
        "generation",
    }
    assert told["numbers"] == {
        "documents": 2,
        "chunks": 9,
        "size_bytes": 0,
        "ingested_last_minute": 0,
        "versions_current": 2,
        "runs_failed": 1,
    }
    assert all(who is None or not who.tokens for _, _, who in made.asked)
    async with house().client(None, client="::1") as http:
        told = (await http.get("/health")).json()
    assert (told["status"], told["numbers"]["points"]) == ("ok", 9)


async def test_who_may_look_at_health_and_measures(house):
    for address in ("/health", "/metrics"):
        async with house().client(None, client="10.0.0.1") as http:
            problem(await http.get(address), 401, "unauthenticated")
        async with house().client(READER) as http:
            problem(await http.get(address), 403, "forbidden")
        async with house().client(MONITOR) as http:
            assert (await http.get(address)).status_code == 200
        async with house(open_monitoring_on_loopback=False).client(None, client="127.0.0.1") as http:
            problem(await http.get(address), 401, "unauthenticated")
        async with house().client(None, client="127.0.0.1") as http:
            problem(await http.get(address, headers={"x-forwarded-for": "127.0.0.1"}), 401, "unauthenticated")
        async with house().client(None, client="::ffff:127.0.0.2") as http:
            assert (await http.get(address)).status_code == 200


async def test_measures_count_answers_by_address(house):
    async with house().client(ADMIN) as http:
        await http.get("/api/v1/runs/run_nowhere_1")
        text = (await http.get("/metrics")).text
    assert 'muniment_http_requests_total{route="/api/v1/runs/{id}",status="404"}' in text
    assert "run_nowhere_1" not in text


async def test_the_reference_loads_nothing_from_elsewhere(house):
    async with house().client(None) as http:
        page = await http.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "://" not in page.text
        assert "<script>" not in page.text
        for address, kind in [
            ("/docs/start.js", "text/javascript"),
            ("/docs/swagger-ui-bundle.js", "text/javascript"),
            ("/docs/swagger-ui.css", "text/css"),
        ]:
            assert address in page.text
            reply = await http.get(address)
            assert reply.status_code == 200
            assert reply.headers["content-type"].startswith(kind)
        problem(await http.get("/docs/../../pyproject.toml"), 404, "missing")
        assert "/docs" in (await http.get("/")).text
