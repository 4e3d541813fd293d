"""Uploads: files arrive piece by piece, and what no room took is forgotten."""

import asyncio
import json

import pytest

from gateway.fakes import READER, collection_ref, uploaded
from gateway.test_gateway_calls import problem
from kit.blobs import get
from muniment.collections.contract import CollectionRefs
from muniment.documents.contract import Counts, Uploaded, UploadedDocument
from muniment.kernel.problems import Forbidden, Unavailable

ADDRESS = "/api/v1/collections/handbook/documents"
REFUSED = {
    "type": "urn:muniment:problem:key-taken",
    "title": "Key taken",
    "status": 409,
    "detail": "the key a.txt is taken",
}

UNFIT = {"type": "urn:muniment:problem:invalid", "errors": [{"field": "key", "reason": "is empty"}]}


def form(*parts, boundary=b"xyz", end=True):
    body = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, head, data) for head, data in parts)
    return body + (b"--%b--\r\n" % boundary if end else b"")


def file_part(name, data=b"text"):
    return b'Content-Disposition: form-data; name="file"; filename="%b"' % name, data


def sent(body, boundary="xyz"):
    return {"content": body, "headers": {"content-type": f"multipart/form-data; boundary={boundary}"}}


async def test_files_are_staged_and_handed_over_in_order(house, blobs):
    received = {}

    async def upload(request):
        for document in request.documents:
            received[document.name] = (await get(blobs, document.content.key), document.content.sha256)
        return uploaded(request)

    made = house({"Documents.upload": upload})
    files = [("file", ("a.md", b"# A", "text/markdown")), ("file", ("sub/b.txt", b"x" * 3_000_000, None))]
    options = {"title": "T", "tags": ["x"], "metadata": {"team": "infra"}}
    async with made.client() as http:
        reply = await http.post(
            ADDRESS,
            files=[*files, ("options", (None, json.dumps(options)))],
            headers={"idempotency-key": "once"},
        )
    assert reply.status_code == 202
    assert reply.json()["run"] == "run_documents_all"
    assert [d["key"] for d in reply.json()["documents"]] == ["a.md", "sub/b.txt"]
    request = made.asked.of("Documents.upload")[0]
    assert (request.collection, request.idempotency_key) == ("handbook", "once")
    assert request.documents[0].media_type == "text/markdown"
    assert request.documents[0].options.model_fields_set == {"title", "tags", "metadata"}
    assert received["a.md"][0] == b"# A"
    assert received["sub/b.txt"][0] == b"x" * 3_000_000


async def test_each_file_has_its_own_options_wherever_they_stand(house):
    made = house()
    options = [{"key": "one"}, {"key": "two", "access_level": "restricted"}]
    async with made.client() as http:
        for first in (True, False):
            parts = [("file", ("a", b"1")), ("file", ("b", b"2"))]
            parts.insert(0 if first else 2, ("options", (None, json.dumps(options))))
            assert (await http.post(ADDRESS, files=parts)).status_code == 202
    for request in made.asked.of("Documents.upload"):
        assert [d.options.key for d in request.documents] == ["one", "two"]


async def test_a_file_is_never_whole_in_memory(house, blobs, monkeypatch):
    largest = 0
    stage = blobs.stage

    async def watching(chunks, *, limit_bytes):
        async def seen():
            nonlocal largest
            async for chunk in chunks:
                largest = max(largest, len(chunk))
                yield chunk

        return await stage(seen(), limit_bytes=limit_bytes)

    monkeypatch.setattr(blobs, "stage", watching)
    body = form(file_part(b"big.txt", b"y" * 4_000_000))

    async def pieces():
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    async with house().client() as http:
        reply = await http.post(ADDRESS, **sent(pieces()))
    assert reply.status_code == 202
    assert 0 < largest <= 350_000


async def test_staged_files_of_a_refused_request_are_forgotten(house, staged_files):
    for answer in (Forbidden("no"), Uploaded(run=None, documents=(refused("a.txt"),))):
        async with house({"Documents.upload": answer}).client() as http:
            reply = await http.post(ADDRESS, files=[("file", ("a.txt", b"a"))])
        assert reply.status_code in (403, 422)
        assert staged_files() == []


async def test_staged_files_that_may_have_been_taken_are_kept(house, staged_files):
    def defect(_request):
        raise ZeroDivisionError

    for count, answer in enumerate((Unavailable("down"), defect), 1):
        async with house({"Documents.upload": answer}).client() as http:
            reply = await http.post(ADDRESS, files=[("file", ("a.txt", b"a"))])
        assert reply.status_code in (503, 500)
        assert len(staged_files()) == count


def refused(key, why=REFUSED):
    return UploadedDocument(id=None, key=key, version=None, problem=why)


async def test_one_refused_file_does_not_stop_the_others_and_all_refused_is_422(house):
    taken = UploadedDocument(id="doc_1", key="b", version=1, run="run_documents_1")
    answer = Uploaded(run="run_documents_1", documents=(refused("a"), taken))
    parts = [("file", ("a", b"1")), ("file", ("b", b"2"))]
    async with house({"Documents.upload": answer}).client() as http:
        reply = await http.post(ADDRESS, files=parts)
        assert reply.status_code == 202
        assert reply.json()["documents"][0]["problem"] == REFUSED
    answer = Uploaded(run=None, documents=(refused("a"), refused("b", UNFIT)))
    async with house({"Documents.upload": answer}).client() as http:
        told = problem(await http.post(ADDRESS, files=parts), 422, "nothing-taken")
    assert [d["problem"] for d in told["documents"]] == [REFUSED, UNFIT]
    assert [e["field"] for e in told["errors"]] == ["documents.0", "documents.1.key"]


@pytest.mark.parametrize(
    ("ref", "counts", "status", "kind"),
    [
        (None, {}, 404, "collection-missing"),
        (collection_ref(member=False, visible=False), {}, 404, "collection-missing"),
        (collection_ref(member=False, visible=False), {"col_1": 1}, 403, "forbidden"),
        (collection_ref(member=False, visible=True), {}, 403, "forbidden"),
    ],
)
async def test_who_may_not_upload_hears_it_before_the_body_is_read(house, ref, counts, status, kind):
    read = 0

    async def pieces():
        nonlocal read
        for _ in range(3):
            read += 1
            yield b"x"

    made = house(
        {
            "Collections.lookup": CollectionRefs(items=(ref,) if ref else ()),
            "Documents.count_readable": Counts(counts=counts),
        }
    )
    async with made.client() as http:
        told = problem(await http.post(ADDRESS, **sent(pieces())), status, kind)
        assert told["collection"] == "handbook"
        problem(await http.post(f"{ADDRESS}/batch", json={"documents": [{"key": "a", "text": "b"}]}), status, kind)
    async with made.client(READER) as http:
        problem(await http.post(ADDRESS, **sent(pieces())), 403, "forbidden")
    assert read == 0
    assert not made.asked.of("Documents.upload")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"nonsense", "body"),
        (form(file_part(b"a.txt"), end=False), "body"),
        (form(file_part(b"a.txt"))[:60], "body"),
        (form((b"Content-Disposition: form-data", b"x")), "body"),
        (form((b"Content-Type: text/plain", b"x")), "body"),
        (form((b"Bad Header", b"x")), "body"),
        (form(file_part(b"x" * 20_000)), "body"),
        (form(), "file"),
        (form((b'Content-Disposition: form-data; name="options"', b"{}")), "file"),
        (form((b'Content-Disposition: form-data; name="other"', b"{}")), "other"),
        (form(file_part(b"x" * 1025)), "file"),
        (form(file_part(b"a\tb")), "file"),
        (form(file_part(b"a"), (b'Content-Disposition: form-data; name="options"', b"{")), "options"),
        (form(file_part(b"a"), (b'Content-Disposition: form-data; name="options"', b"3")), "options"),
        (form(file_part(b"a"), (b'Content-Disposition: form-data; name="options"', b"[]")), "options"),
        (form(file_part(b"a"), (b'Content-Disposition: form-data; name="options"', b"[{}, {}]")), "options"),
        (form(file_part(b"a"), (b'Content-Disposition: form-data; name="options"', b"[3]")), "options"),
        (
            form(file_part(b"a"), (b'Content-Disposition: form-data; name="options"', b'{"colour": 1}')),
            "options.colour",
        ),
        (
            form(file_part(b"a"), (b'Content-Disposition: form-data; name="options"', b'[{"owner": "ada"}]')),
            "options.0.owner",
        ),
        (
            form(*[(b'Content-Disposition: form-data; name="options"', b"{}")] * 2),
            "options",
        ),
    ],
)
async def test_a_form_that_does_not_fit_is_422_and_nothing_is_kept(house, staged_files, body, field):
    made = house()
    async with made.client() as http:
        told = problem(await http.post(ADDRESS, **sent(body)), 422, "invalid")
    assert told["errors"][0]["field"] == field
    assert staged_files() == []
    assert not made.asked.of("Documents.upload")


async def test_other_bodies_are_415_and_no_boundary_is_422(house):
    async with house().client() as http:
        told = problem(await http.post(ADDRESS, json={}), 415, "media-type-unfit")
        assert told["accepted"] == ["multipart/form-data"]
        problem(await http.post(ADDRESS, content=b"x"), 415, "media-type-unfit")
        headers = {"content-type": "multipart/form-data"}
        problem(await http.post(ADDRESS, content=form(file_part(b"a")), headers=headers), 422, "invalid")
        problem(await http.post(ADDRESS, **sent(b"", boundary="b" * 300)), 422, "invalid")


async def test_limits_name_themselves_and_nothing_is_kept(house, staged_files):
    made = house(file_limit_bytes=1000, upload_limit_bytes=1500, upload_limit_files=3)
    async with made.client() as http:
        told = problem(await http.post(ADDRESS, files=[("file", ("big.txt", b"x" * 1001))]), 413, "too-large")
        assert (told["field"], told["limit_bytes"]) == ("file", 1000)
        assert "big.txt" in told["detail"]
        parts = [("file", (f"{n}", b"x" * 900)) for n in range(2)]
        told = problem(await http.post(ADDRESS, files=parts), 413, "too-large")
        assert (told["field"], told["limit_bytes"]) == ("body", 1500)
        parts = [("file", (f"{n}", b"x")) for n in range(4)]
        told = problem(await http.post(ADDRESS, files=parts), 413, "too-large")
        assert (told["field"], told["limit_files"]) == ("file", 3)
    assert staged_files() == []
    assert not made.asked.of("Documents.upload")


async def test_odd_names_are_only_data(house):
    made = house()
    names = [
        "../../etc/passwd",
        "/etc/passwd",
        "..\\x",
        "naïve \N{GRINNING FACE}.txt",
        "a;b=c.txt",
        "שלום.md",
        "..hidden",
        "a..b",
        "CON",
        "x" * 1000,
    ]
    body = form(*[file_part(name.encode()) for name in names], file_part(b""))
    async with made.client() as http:
        assert (await http.post(ADDRESS, **sent(body))).status_code == 202
    assert [d.name for d in made.asked.of("Documents.upload")[0].documents] == [*names, None]


async def test_a_thousand_small_files_in_one_upload(house):
    made = house()
    body = form(*[file_part(b"%d.txt" % n, b"text %d" % n) for n in range(1000)])
    async with made.client() as http:
        reply = await http.post(ADDRESS, **sent(body))
    assert reply.status_code == 202
    assert len(reply.json()["documents"]) == 1000
    names = [document.name for document in made.asked.of("Documents.upload")[0].documents]
    assert names == [f"{n}.txt" for n in range(1000)]


async def test_an_upload_that_is_cut_leaves_nothing(house, staged_files):
    made, messages = house(), asyncio.Queue()
    body = form(file_part(b"a.txt", b"z" * 100_000), file_part(b"b.txt", b"z" * 100_000))
    messages.put_nowait({"type": "http.request", "body": body[:150_000], "more_body": True})
    messages.put_nowait({"type": "http.disconnect"})
    sent_messages = []

    async def send(message):
        sent_messages.append(message)

    headers = {"authorization": "Bearer writer-token", "content-type": "multipart/form-data; boundary=xyz"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": ADDRESS,
        "query_string": b"",
        "root_path": "",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }
    await made.application(scope, messages.get, send)
    assert sent_messages[0]["status"] == 400
    assert staged_files() == []
    assert not made.asked.of("Documents.upload")


async def test_a_batch_brings_its_texts_with_it(house):
    made = house()
    documents = [
        {"key": "a", "text": "# A", "media_type": "text/markdown", "title": None, "grants": ["group:eng"]},
        {"key": "b", "text": ""},
    ]
    async with made.client() as http:
        reply = await http.post(
            f"{ADDRESS}/batch", json={"documents": documents}, headers={"idempotency-key": "k1"}
        )
    assert (reply.status_code, reply.json()["run"]) == (202, "run_documents_all")
    request = made.asked.of("Documents.upload")[0]
    assert (request.collection, request.idempotency_key) == ("handbook", "k1")
    first, second = request.documents
    assert (first.content, first.media_type, first.options.grants) == ("# A", "text/markdown", ("group:eng",))
    assert first.options.model_fields_set == {"key", "title", "grants"}
    assert (second.media_type, second.options.model_fields_set) == ("text/plain", {"key"})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "documents"),
        ({"documents": []}, "documents"),
        ({"documents": [{"text": "no key"}]}, "documents.0.key"),
        ({"documents": [{"key": "a"}]}, "documents.0.text"),
        ({"documents": [{"key": "a", "text": "b\x00"}]}, "documents.0.text"),
        ({"documents": [{"key": "a", "text": "b", "colour": 1}]}, "documents.0.colour"),
        ({"documents": [{"key": "a", "text": "b"}] * 1001}, "documents"),
        ({"collection": "other", "documents": [{"key": "a", "text": "b"}]}, "collection"),
        ({"idempotency_key": "x", "documents": [{"key": "a", "text": "b"}]}, "idempotency_key"),
    ],
)
async def test_a_batch_that_does_not_fit(house, body, field):
    made = house()
    async with made.client() as http:
        told = problem(await http.post(f"{ADDRESS}/batch", json=body), 422, "invalid")
    assert told["errors"][0]["field"] == field
    assert not made.asked.of("Documents.upload")


async def test_a_batch_has_its_own_limit(house):
    async with house(body_limit_bytes=2000, batch_limit_bytes=4000).client() as http:
        reply = await http.post(f"{ADDRESS}/batch", json={"documents": [{"key": "a", "text": "x" * 3000}]})
        assert reply.status_code == 202
        reply = await http.post(f"{ADDRESS}/batch", json={"documents": [{"key": "a", "text": "x" * 5000}]})
        assert problem(reply, 413, "too-large")["limit_bytes"] == 4000
