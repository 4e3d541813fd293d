"""What an upload makes of documents: new ones, versions, duplicates, refusals; and what their fields become."""

import pytest

from kit.blobs import get
from kit.office import Office, text_document
from muniment.collections.contract import CollectionMissing
from muniment.documents.contract import (
    DocumentMissing,
    KeyTaken,
    ListDocuments,
    NewDocument,
    OfVersion,
    Options,
    Upload,
    VersionMissing,
)
from muniment.identity.contract import SubjectMissing
from muniment.kernel.problems import Forbidden, Invalid, Problem, TooLarge

LEASES = "# Leases\n\nThe vault renews each lease every ten seconds.\n"
TRUCKS = "# Trucks\n\nThe probe warns the driver when the load is too warm.\n"
BROKEN = b"\xff\xfe\x00 \x81\x8d not text \x00\x00"


async def test_a_document_is_kept_read_found_and_told_of(office: Office) -> None:
    put = await office.put("ada", "ops/leases.md", LEASES, tags=("storage",), metadata={"team": "infra"})
    document = await office.get("ben", put.id)
    assert (document.key, document.title, document.version) == ("ops/leases.md", "Leases", 1)
    assert (document.collection, document.owner, document.access_level) == ("handbook", "user:ada", "internal")
    assert (document.tags, document.metadata, document.type) == (("storage",), {"team": "infra"}, "Other")
    assert document.grants is None
    assert [v.state for v in document.versions] == ["current"]
    with office.asking("ben") as room:
        text = await room.text(OfVersion(id=document.id))
        content = await room.content(OfVersion(id=document.id))
        listed = await room.list(ListDocuments(collection="handbook"))
    assert await get(office.blobs, content.blob) == LEASES.encode()
    assert [d.id for d in listed.items] == [document.id]
    (passage,) = await office.passages("ben")
    assert passage.chunk.text == text.text[passage.chunk.span.start : passage.chunk.span.end]
    assert passage.parent.text == text.text[passage.parent.span.start : passage.parent.span.end]
    assert passage.document.metadata == {"team": "infra"}
    assert passage.chunk.section == ("Leases",)
    (payload,) = office.vectors.payloads(document=document.id)
    assert payload["tags"] == ("storage",)
    assert payload["metadata.team"] == "infra"
    await office.heard("document.created")


async def test_the_same_again_is_no_new_work(sqlite_office: Office) -> None:
    first = await sqlite_office.put("ada", "leases.md", LEASES, tags=("storage",))
    embedded = len(sqlite_office.embedding.texts)
    again = await sqlite_office.put("ada", "leases.md", LEASES, tags=("storage",))
    assert (again.id, again.version, again.duplicate, again.run) == (first.id, 1, True, None)
    assert len(sqlite_office.embedding.texts) == embedded
    assert len((await sqlite_office.get("ada", first.id)).versions) == 1


async def test_the_same_bytes_with_other_options_change_fields_in_place(office: Office) -> None:
    first = await office.put("ada", "leases.md", LEASES, status="draft")
    again = await office.put("ada", "leases.md", LEASES, status="approved", grants=("user:eve",))
    assert (again.id, again.version, again.duplicate) == (first.id, 1, False)
    document = await office.get("ada", first.id)
    assert (document.status, document.grants, len(document.versions)) == ("approved", ("user:eve",), 1)
    assert {p["status"] for p in office.vectors.payloads()} == {"approved"}
    assert [p.document.id for p in await office.passages("eve")] == [first.id]


async def test_other_bytes_are_the_next_version_and_only_what_changed_is_embedded(office: Office) -> None:
    paragraphs = [f"## Part {n}\n\n" + f"Part {n} of the handbook speaks of matter {n}. " * 12 for n in range(8)]
    first = await office.put("ada", "book.md", "\n\n".join(["# Book", *paragraphs]))
    old = {str(p["version"]) for p in office.vectors.payloads()}
    before = len(office.embedding.texts)
    paragraphs[3] += " This sentence is new and nobody has read it before."
    second = await office.put("ada", "book.md", "\n\n".join(["# Book", *paragraphs]))
    assert (second.id, second.version, second.duplicate) == (first.id, 2, False)
    assert 1 <= len(office.embedding.texts) - before <= 3 < before
    await office.settled(lambda: old.isdisjoint({str(p["version"]) for p in office.vectors.payloads()}))
    document = await office.get("ada", first.id)
    assert [(v.number, v.state) for v in document.versions] in (
        [(1, "retired"), (2, "current")],
        [(2, "current"), (1, "retired")],
    )
    passages = await office.passages("ben")
    assert {p.document.version for p in passages} == {2}
    assert any("nobody has read it before" in p.chunk.text for p in passages)
    with office.asking("ben") as room:
        assert "nobody has read" not in (await room.text(OfVersion(id=document.id, version=1))).text
        with pytest.raises(VersionMissing):
            await room.text(OfVersion(id=document.id, version=3))
    await office.heard("document.updated")


async def test_a_version_that_fails_leaves_the_older_one_and_its_bytes_may_be_tried_again(office: Office) -> None:
    first = await office.put("ada", "leases.md", LEASES)
    options = Options(key="leases.md")
    for _ in range(2):
        staged = await office.staged(BROKEN)
        uploaded = await office.upload("ada", NewDocument(content=staged, options=options))
        (document,) = uploaded.documents
        assert (document.version, document.duplicate) == (2, False)
        run = await office.over("ada", document.run)
        assert run.state == "failed"
        assert run.problem is not None
    document = await office.get("ada", first.id)
    assert document.version == 1
    states = {v.number: v for v in document.versions}
    assert (states[1].state, states[2].state) == ("current", "failed")
    assert states[2].problem is not None
    assert states[2].problem["detail"]
    assert len(await office.passages("ben")) == 1
    with office.asking("ben") as room:
        failed = await room.list(ListDocuments(collection="handbook", state="failed"))
    assert [d.id for d in failed.items] == [first.id]


async def test_a_key_of_others_is_taken_or_forbidden(sqlite_office: Office) -> None:
    await sqlite_office.put("ada", "secret.md", LEASES, access_level="restricted")
    await sqlite_office.put("ada", "open.md", LEASES)
    with pytest.raises(KeyTaken):
        await sqlite_office.upload("ben", text_document("secret.md", TRUCKS))
    with pytest.raises(Forbidden):
        await sqlite_office.upload("ben", text_document("open.md", TRUCKS))
    put = await sqlite_office.put("ed", "open.md", TRUCKS)
    assert put.version == 2


async def test_only_members_upload(sqlite_office: Office) -> None:
    with pytest.raises(CollectionMissing):
        await sqlite_office.upload("eve", text_document("a.md", LEASES))
    with pytest.raises(Forbidden):
        await sqlite_office.upload("root", text_document("a.md", LEASES))
    await sqlite_office.put("ada", "a.md", LEASES, grants=("user:eve",))
    with pytest.raises(Forbidden):
        await sqlite_office.upload("eve", text_document("b.md", LEASES))
    with pytest.raises(CollectionMissing):
        await sqlite_office.upload("ada", text_document("a.md", LEASES), collection="unknown")
    sqlite_office.user("viewer", role="viewer", member_of=["handbook"])
    with pytest.raises(Forbidden):
        await sqlite_office.upload("viewer", text_document("c.md", LEASES))


@pytest.mark.parametrize("name", ["../up.md", "a/../../b.md", "/etc/passwd", "C:\\x.md", "a\nb.md", "..\\up.md"])
async def test_a_path_trick_is_refused_by_name_of_the_field(sqlite_office: Office, name: str) -> None:
    for document, field in (
        (NewDocument(content=LEASES, name=name), "name"),
        (NewDocument(content=LEASES, options=Options(key=name)), "key"),
    ):
        with pytest.raises(Invalid) as refused:
            await sqlite_office.upload("ada", document)
        assert refused.value.extra["errors"][0]["field"].endswith(field)
    assert not (await sqlite_office.listed("ada")).items


async def test_a_refused_document_does_not_hold_up_the_others(sqlite_office: Office) -> None:
    uploaded = await sqlite_office.upload(
        "ada", text_document("a.md", LEASES), NewDocument(content=TRUCKS, name="../b.md")
    )
    good, bad = uploaded.documents
    assert (good.problem, bad.id) == (None, None)
    assert bad.problem is not None
    assert (await sqlite_office.over("ada", uploaded.run)).state == "succeeded"


async def test_several_that_are_all_refused_leave_nothing_behind(sqlite_office: Office) -> None:
    await sqlite_office.put("ada", "secret.md", LEASES, access_level="restricted")
    staged = [await sqlite_office.staged(data) for data in (b"", b"text")]
    uploaded = await sqlite_office.upload(
        "ben",
        NewDocument(content=staged[0], name="empty.md"),
        NewDocument(content=staged[1], name="secret.md"),
    )
    assert uploaded.run is None
    assert [(d.id, d.run) for d in uploaded.documents] == [(None, None)] * 2
    kinds = [d.problem["type"].rpartition(":")[2] for d in uploaded.documents if d.problem]
    assert kinds == ["file-empty", "key-taken"]
    assert not any([await sqlite_office.blobs.exists(s.key) for s in staged])


async def test_bytes_over_the_limit_are_refused_and_not_kept(sqlite_office: Office) -> None:
    staged = await sqlite_office.staged(b"x" * 2_000_001)
    with pytest.raises(TooLarge) as refused:
        await sqlite_office.upload("ada", NewDocument(content=staged, name="big.txt"))
    assert refused.value.extra["limit_bytes"] == 2_000_000
    assert not await sqlite_office.blobs.exists(staged.key)


async def test_an_idempotency_key_answers_the_same_twice(office: Office) -> None:
    def request(text: str) -> Upload:
        return Upload(collection="handbook", documents=(text_document("a.md", text),), idempotency_key="k1")

    with office.asking("ada") as room:
        first = await room.upload(request(LEASES))
        assert await room.upload(request(LEASES)) == first
        with pytest.raises(Problem) as refused:
            await room.upload(request(TRUCKS))
    assert 400 <= refused.value.status < 500
    await office.over("ada", first.run)
    with office.asking("ed") as room:
        other = await room.upload(request(TRUCKS))
    assert other.documents[0].version == 2


async def test_a_key_twice_in_one_upload_is_two_versions(office: Office) -> None:
    uploaded = await office.upload("ada", text_document("a.md", LEASES), text_document("a.md", TRUCKS))
    assert [d.version for d in uploaded.documents] == [1, 2]
    await office.over("ada", uploaded.run)
    document = await office.get("ada", uploaded.documents[0].id)
    assert document.version == 2
    await office.settled(lambda: len({p["version"] for p in office.vectors.payloads()}) == 1)
    assert [p.document.title for p in await office.passages("ben")] == ["Trucks"]


async def test_access_left_out_keeps_what_stands(sqlite_office: Office) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES, access_level="confidential", grants=("user:eve",))
    await sqlite_office.put("ada", "a.md", TRUCKS)
    document = await sqlite_office.get("ada", put.id)
    assert (document.access_level, document.grants, document.owner) == ("confidential", ("user:eve",), "user:ada")
    await sqlite_office.put("ada", "a.md", LEASES, grants=())
    assert (await sqlite_office.get("ada", put.id)).grants == ()
    with pytest.raises(DocumentMissing):
        await sqlite_office.get("eve", put.id)


async def test_an_unknown_subject_refuses_its_own_document_only_and_many_the_upload(sqlite_office: Office) -> None:
    def documents(unknown: int) -> list[NewDocument]:
        bad = [text_document(f"{n}.md", LEASES, grants=(f"user:no-{n}", "user:eve")) for n in range(unknown)]
        return [*bad, text_document("good.md", LEASES, grants=("user:eve",))]

    uploaded = await sqlite_office.upload("ada", *documents(3))
    assert [d.problem is None for d in uploaded.documents] == [False, False, False, True]
    with pytest.raises(SubjectMissing):
        await sqlite_office.upload("ada", *documents(101))


async def test_subjects_must_exist_and_an_owner_is_a_user(sqlite_office: Office) -> None:
    with pytest.raises(SubjectMissing):
        await sqlite_office.upload("ada", text_document("a.md", LEASES, grants=("user:nobody",)))
    with pytest.raises(Invalid):
        await sqlite_office.upload("ada", text_document("a.md", LEASES, owner="group:everyone"))
    put = await sqlite_office.put("ada", "a.md", LEASES, owner="user:eve")
    assert (await sqlite_office.get("eve", put.id)).owner == "user:eve"


async def test_front_matter_yields_to_options_and_never_says_who_reads(sqlite_office: Office) -> None:
    text = (
        "---\ntitle: From front matter\nauthor: Grace\nstatus: review\nowner: user:eve\ngrants: [user:eve]\n"
        "access_level: public\nsquad: blue\n---\n" + LEASES
    )
    put = await sqlite_office.put("ada", "a.md", text, status="approved", access_level="confidential")
    document = await sqlite_office.get("ada", put.id)
    assert (document.title, document.author, document.status) == ("From front matter", "Grace", "approved")
    assert (document.owner, document.grants, document.access_level) == ("user:ada", (), "confidential")
    assert document.metadata["squad"] == "blue"
    with pytest.raises(DocumentMissing):
        await sqlite_office.get("eve", put.id)
    untitled = await sqlite_office.put("ada", "notes/plain.txt", "no heading here", media_type="text/plain")
    assert (await sqlite_office.get("ada", untitled.id)).title.startswith("plain")
