"""Changes in place, deletion, lists and runs."""

import asyncio

import pytest

from kit.office import Office, text_document
from muniment.collections.contract import CollectionMissing
from muniment.documents.contract import (
    ById,
    ByKey,
    DocumentMissing,
    ListDocuments,
    ListRuns,
    NewDocument,
    Options,
    RunMissing,
    RunNotOver,
    UpdateDocument,
)
from muniment.embedding.contract import PassageTooLong
from muniment.kernel.model import Nothing
from muniment.kernel.pages import encode_cursor
from muniment.kernel.problems import Forbidden, Invalid
from muniment.vectors.contract import EngineDown

LEASES = "# Leases\n\nThe vault renews each lease every ten seconds.\n"
TRUCKS = "# Trucks\n\nThe probe warns the driver when the load is too warm.\n"


async def test_fields_change_in_place_and_null_clears(office: Office) -> None:
    put = await office.put("ada", "a.md", LEASES, status="draft", tags=("x",), metadata={"team": "infra"})
    embedded = len(office.embedding.texts)
    with office.asking("ada") as room:
        changed = await room.update(
            UpdateDocument(id=put.id or "", status="approved", tags=None, metadata={"squad": "blue"})
        )
    assert (changed.status, changed.tags, changed.metadata) == ("approved", None, {"squad": "blue"})
    (payload,) = office.vectors.payloads()
    assert payload["status"] == "approved"
    assert not payload.get("tags")
    assert payload["metadata.squad"] == "blue"
    await office.settled(lambda: not any(p.get("metadata.team") for p in office.vectors.payloads()))
    assert len(office.embedding.texts) == embedded
    with office.asking("ada") as room:
        assert await room.update(UpdateDocument(id=put.id or "")) == changed


async def test_a_new_title_is_shown_at_once_and_embedded_soon(sqlite_office: Office) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES)
    with sqlite_office.asking("ada") as room:
        assert (await room.update(UpdateDocument(id=put.id or "", title="Renewals"))).title == "Renewals"
    await sqlite_office.settled(lambda: any("Renewals" in text for text in sqlite_office.embedding.texts))

    def indexed() -> bool:
        points = [point for points in sqlite_office.vectors.points.values() for point, _ in points.values()]
        return len(points) == 1 and "Renewals" in points[0].text

    await sqlite_office.settled(indexed)
    (passage,) = await sqlite_office.passages("ben")
    assert (passage.document.title, passage.document.version) == ("Renewals", 1)


async def test_what_is_deleted_is_gone_and_its_key_is_free(office: Office) -> None:
    put = await office.put("ada", "a.md", LEASES)
    chunks = office.all_chunks()
    with office.asking("ada") as room:
        await room.delete(ById(id=put.id or ""))
    assert not await office.hydrated("ada", chunks)
    assert not office.vectors.payloads()
    await office.heard("document.deleted")
    again = await office.put("ada", "a.md", LEASES)
    assert again.id != put.id
    with office.asking("ada") as room:
        await room.delete_by_key(ByKey(collection="handbook", key="a.md"))
        with pytest.raises(DocumentMissing):
            await room.delete_by_key(ByKey(collection="handbook", key="a.md"))


async def test_a_collection_that_is_not_seen_is_missing_for_a_deletion_by_key_too(sqlite_office: Office) -> None:
    await sqlite_office.put("ada", "a.md", LEASES)
    told = []
    with sqlite_office.asking("eve") as room:
        for name in ("handbook", "unknown"):
            with pytest.raises(CollectionMissing) as missing:
                await room.delete_by_key(ByKey(collection=name, key="a.md"))
            told.append(missing.value.detail.replace(name, ""))
    assert told[0] == told[1]
    with sqlite_office.asking("root") as room, pytest.raises(DocumentMissing):
        await room.delete_by_key(ByKey(collection="handbook", key="a.md"))


async def test_what_is_deleted_while_the_index_is_down_is_in_no_answer_either(sqlite_office: Office) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES)
    chunks = sqlite_office.all_chunks()
    sqlite_office.vectors.fails["delete"] = EngineDown("down")
    with sqlite_office.asking("ada") as room:
        await room.delete(ById(id=put.id or ""))
    assert not await sqlite_office.hydrated("ada", chunks)
    sqlite_office.vectors.fails.clear()
    await sqlite_office.settled(lambda: not sqlite_office.vectors.payloads())


async def test_lists_filter_sort_and_page(office: Office) -> None:
    for n, status in enumerate(["draft", "approved", "draft", "review"]):
        await office.put("ada", f"d/{n}.md", f"# T{n}\n\nText number {n}.\n", status=status)
    await office.put("ada", "e_.md", LEASES, type="PRD")

    async def keys(**asked: object) -> list[str]:
        return [d.key for d in (await office.listed("ben", **asked)).items]

    assert await keys() == ["d/0.md", "d/1.md", "d/2.md", "d/3.md", "e_.md"]
    assert await keys(sort="-key", limit=2) == ["e_.md", "d/3.md"]
    assert await keys(status="draft") == ["d/0.md", "d/2.md"]
    assert await keys(type="PRD") == ["e_.md"]
    assert await keys(key="d/1.md") == ["d/1.md"]
    assert await keys(key_prefix="d/") == ["d/0.md", "d/1.md", "d/2.md", "d/3.md"]
    assert await keys(key_prefix="d_") == []
    assert await keys(state="failed") == []
    for sort in ("key", "-key", "created_at", "-created_at", "modified_at", "-modified_at"):
        found: list[str] = []
        cursor = None
        while True:
            page = await office.listed("ben", sort=sort, limit=2, cursor=cursor)
            found += [d.key for d in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == await keys(sort=sort)
        assert len(set(found)) == 5
    with office.asking("ben") as room, pytest.raises(Invalid):
        await room.list(ListDocuments(collection="handbook", cursor="nonsense"))


@pytest.mark.parametrize("value", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "soon", "\u0661"])
async def test_a_cursor_with_a_time_that_is_none_is_invalid(office: Office, value: str) -> None:
    cursor = encode_cursor("created_at", value, "doc_x")
    with office.asking("ada") as room, pytest.raises(Invalid):
        await room.list(ListDocuments(collection="handbook", sort="created_at", cursor=cursor))


async def test_a_cursor_with_a_time_without_zone_is_no_defect(office: Office) -> None:
    cursor = encode_cursor("created_at", "2026-01-01", "doc_x")
    with office.asking("ada") as room:
        assert not (await room.list(ListDocuments(collection="handbook", sort="created_at", cursor=cursor))).items


async def test_runs_are_seen_by_those_concerned(office: Office) -> None:
    uploaded = await office.upload("ada", text_document("a.md", LEASES, access_level="confidential"))
    run = await office.over("ada", uploaded.run)
    assert (run.state, run.collection, run.problem) == ("succeeded", "handbook", None)
    one = await office.over("ada", uploaded.documents[0].run)
    assert (one.document, one.attempts) == (uploaded.documents[0].id, 1)
    assert (await office.over("root", one.id)).id == one.id
    for who in ("ben", "eve"):
        with office.asking(who) as room:
            with pytest.raises(RunMissing):
                await room.get_run(ById(id=one.id))
            assert not (await room.list_runs(ListRuns())).items
    with office.asking("ada") as room:
        listed = (await room.list_runs(ListRuns(collection="handbook", state="succeeded"))).items
        assert one.id in {r.id for r in listed}
        assert not (await room.list_runs(ListRuns(state="failed"))).items
        with pytest.raises(RunNotOver):
            await room.cancel_run(ById(id=one.id))


async def test_a_failed_run_can_be_tried_again_and_a_running_one_cancelled(office: Office) -> None:
    staged = await office.staged(b"\xff\xfe\x00 \x81\x8d not text \x00\x00")
    uploaded = await office.upload("ada", NewDocument(content=staged, options=Options(key="b.md")))
    run = uploaded.documents[0].run or ""
    assert (await office.over("ada", run)).state == "failed"
    with office.asking("ada") as room:
        assert (await room.retry_run(ById(id=run))).state in {"queued", "running", "failed"}
    assert (await office.over("ada", run)).state == "failed"
    office.embedding.fails = EngineDown("down for now")
    waiting = await office.upload("ada", text_document("c.md", TRUCKS))
    run = waiting.documents[0].run or ""
    found = await office.until("ada", run, lambda r: r.problem is not None)
    assert (found.state, found.attempts) == ("queued", 1)
    assert found.next_attempt_at is not None
    with office.asking("ben") as room, pytest.raises(Forbidden):
        await room.cancel_run(ById(id=run))
    with office.asking("ada") as room:
        assert (await room.cancel_run(ById(id=run))).state == "cancelled"
    office.embedding.fails = None
    with office.asking("ada") as room:
        await room.retry_run(ById(id=run))
    assert (await office.over("ada", run)).state == "succeeded"
    assert [p.document.key for p in await office.passages("ada")] == ["c.md"]


async def test_the_cleaning_after_a_failure_leaves_alone_what_was_taken_up_again(sqlite_office: Office) -> None:
    office = sqlite_office
    office.embedding.fails = PassageTooLong("too long", index=0, tokens=300, max_tokens=256)
    office.vectors.fails["delete"] = EngineDown("down")
    first = await office.put("ada", "a.md", LEASES)
    assert [v.state for v in (await office.get("ada", first.id)).versions] == ["failed"]
    await office.settled(lambda: office.vectors.calls["delete"] == 1)
    office.embedding.fails = None
    again = await office.put("ada", "a.md", LEASES)
    assert (again.id, again.version) == (first.id, 1)
    office.vectors.fails.clear()

    async def at_rest() -> bool:
        with office.asking("root") as room:
            counts = (await room.status(Nothing())).runs
        return not counts.get("queued") and not counts.get("running")

    async with asyncio.timeout(20):
        while not await at_rest():  # noqa: ASYNC110 - what is waited for has no event to tell of it
            await asyncio.sleep(0.05)
    assert len(await office.passages("ben")) == 1
