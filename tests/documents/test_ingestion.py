"""Ingestion: every document is indexed once, whatever is stopped, deleted, replaced or purged meanwhile."""

import asyncio

import pytest

from kit.office import Office, text_document
from muniment.documents.contract import ById, DocumentMissing, PurgeCollection
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.ids import new_id
from muniment.kernel.model import Nothing

LEASES = "# Leases\n\nThe vault renews each lease every ten seconds.\n"
TRUCKS = "# Trucks\n\nThe probe warns the driver when the load is too warm.\n"


class Wall:
    """What nobody gets through: it shows when somebody stands before it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("step", ["ensure", "embed", "upsert", "delete"])
async def test_a_room_stopped_at_any_step_goes_on_when_it_is_opened_again(
    closed_office: Office, step: str
) -> None:
    office, wall = closed_office, Wall()
    async with office.opened():
        await office.put("ada", "a.md", LEASES)
        if step == "embed":
            office.embedding.before = wall
        else:
            office.vectors.before[step] = wall
        uploaded = await office.upload("ada", text_document("a.md", TRUCKS), text_document("b.md", LEASES))
        await asyncio.wait_for(wall.reached.wait(), 10)
    office.embedding.before = None
    office.vectors.before.clear()
    async with office.opened():
        assert (await office.over("ada", uploaded.run)).state == "succeeded"
        await office.settled(lambda: len(office.vectors.payloads()) == 2)
        passages = await office.passages("ben")
        assert [(p.document.key, p.document.title, p.document.version) for p in passages] == [
            ("a.md", "Trucks", 2),
            ("b.md", "Leases", 1),
        ]


async def test_a_version_replaces_the_other_in_one_moment(sqlite_office: Office) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES)
    uploaded = await sqlite_office.upload("ada", text_document("a.md", TRUCKS))
    done = asyncio.create_task(sqlite_office.over("ada", uploaded.run))
    seen: list[tuple[int, ...]] = []
    while not done.done():
        hydrated = await sqlite_office.hydrated("ben", sqlite_office.all_chunks())
        seen.append(tuple(p.document.version for p in hydrated))
        await asyncio.sleep(0)
    assert set(seen) <= {(1,), (2,)}
    assert [p.document.title for p in await sqlite_office.passages("ben")] == ["Trucks"]
    assert (await sqlite_office.get("ben", put.id)).version == 2


async def test_versions_uploaded_at_once_end_with_the_newest(office: Office) -> None:
    texts = [f"# Title {n}\n\nThis is what version {n} says.\n" for n in range(5)]
    uploads = [await office.upload("ada", text_document("a.md", text)) for text in texts]
    for uploaded in uploads:
        await office.over("ada", uploaded.run)
    await office.settled(lambda: len(office.vectors.payloads()) == 1)
    (passage,) = await office.passages("ben")
    assert (passage.document.version, passage.document.title) == (5, "Title 4")


async def test_many_documents_share_batches(sqlite_office: Office) -> None:
    documents = [text_document(f"{n}.md", f"# Title {n}\n\nSomething about matter {n}.\n") for n in range(40)]
    uploaded = await sqlite_office.upload("ada", *documents)
    run = await sqlite_office.over("ada", uploaded.run)
    assert (run.state, run.progress.done, run.progress.total) == ("succeeded", 40, 40)
    assert len(await sqlite_office.passages("ben")) == 40
    assert len(sqlite_office.embedding.texts) == 40


async def test_a_document_deleted_while_it_is_ingested_leaves_nothing(office: Office) -> None:
    reached, release = asyncio.Event(), asyncio.Event()

    async def held() -> None:
        reached.set()
        await release.wait()

    office.vectors.before["upsert"] = held
    uploaded = await office.upload("ada", text_document("a.md", LEASES))
    await reached.wait()
    document = uploaded.documents[0].id or ""
    with office.asking("ada") as room:
        await room.delete(ById(id=document))
    with pytest.raises(DocumentMissing):
        await office.get("ada", document)
    release.set()
    assert (await office.over("ada", uploaded.run)).state == "cancelled"
    assert office.vectors.calls["upsert"] == 1
    assert not office.vectors.payloads()
    put = await office.put("ada", "a.md", LEASES)
    assert put.id != document
    assert {p["document"] for p in office.vectors.payloads()} == {put.id}


async def test_a_purge_removes_all_of_a_collection_and_nothing_else(office: Office) -> None:
    office.shelves.add("other")
    office.user("ada", member_of=["handbook", "other"])
    for n in range(3):
        await office.put("ada", f"{n}.md", LEASES)
    kept = await office.put("ada", "kept.md", TRUCKS, collection="other")
    collection = office.shelves.refs.pop("handbook").id
    request = PurgeCollection(id=collection, name="handbook", run=new_id("run_documents"))
    for _ in range(2):
        with calling_as(Caller.system("dispatcher")):
            assert await office.room.purge_collection(request) == Nothing()
    assert (await office.over("root", request.run)).state == "succeeded"
    assert office.shelves.purged_ids == [collection]
    assert {p["document"] for p in office.vectors.payloads()} == {kept.id}
    assert [p.document.id for p in await office.passages("ada")] == [kept.id]
    with office.asking("root") as room:
        status = await room.status(Nothing())
    assert (status.documents, status.chunks) == (1, 1)


async def test_a_passage_within_a_table_tells_the_header_above_it(sqlite_office: Office) -> None:
    rows = "\n".join(f"PN-{n},the probe reads temperature of load {n},{n}.40" for n in range(200))
    await sqlite_office.put("ada", "parts.csv", f"Part number,Use,Price\n{rows}\n", media_type="text/csv")
    passages = await sqlite_office.passages("ben")
    assert len(passages) > 2
    assert {p.chunk.header for p in passages if p.chunk.span.start} == {"Part number | Use | Price"}
    assert not any(p.chunk.header in p.chunk.text for p in passages if p.chunk.span.start)
