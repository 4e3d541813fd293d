"""Long documents, whose ingestion takes many steps; and runs of many documents."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from kit.office import Office, text_document
from muniment.documents.contract import (
    ById,
    ListRuns,
    NewDocument,
    Options,
    PurgeCollection,
    RunNotOver,
    SetAccess,
    Upload,
    Uploaded,
)
from muniment.documents.store import MIGRATIONS, jobs
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.database import open_database
from muniment.kernel.ids import new_id
from muniment.kernel.problems import Forbidden
from muniment.vectors.contract import EngineDown

LONG = "# Leases\n\n" + "".join(f"The vault renews lease number {n} every ten seconds. " for n in range(60))
SLICE = 4
BROKEN = b"\xff\xfe\x00 \x81\x8d not text \x00\x00"


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.documents.saga.SLICE", SLICE)
    monkeypatch.setattr("muniment.documents.reindexing.SLICE", SLICE)
    monkeypatch.setattr("muniment.documents.saga._SHORT_CHARACTERS", 1000)


class Stop:
    """Lets so many through, then nobody."""

    def __init__(self, through: int) -> None:
        self.reached, self._left = asyncio.Event(), through

    async def __call__(self) -> None:
        if not self._left:
            self.reached.set()
            await asyncio.Event().wait()
        self._left -= 1


@pytest.mark.parametrize("through", [0, 1, 2])
async def test_a_long_document_goes_on_where_it_stood(closed_office: Office, through: int) -> None:
    office, stop = closed_office, Stop(through)
    async with office.opened():
        office.vectors.before["upsert"] = stop
        uploaded = await office.upload("ada", text_document("a.md", LONG))
        await asyncio.wait_for(stop.reached.wait(), 10)
        run = await office.until("ada", uploaded.run, lambda r: r.progress.done == through * SLICE)
        assert run.state == "running"
        assert (run.eta_seconds is None) == (through == 0)
        (version,) = (await office.get("ada", uploaded.documents[0].id)).versions
        assert (version.state, run.progress.total) == ("chunked", version.chunks)
    office.vectors.before.clear()
    async with office.opened():
        run = await office.over("ada", uploaded.run)
        assert (run.state, run.progress.done) == ("succeeded", version.chunks)
        assert len(await office.passages("ben")) == version.chunks
        # Nothing but the slice in hand was embedded twice.
        assert len(office.embedding.texts) == version.chunks + SLICE


async def test_a_parser_that_is_stopped_after_parsing_does_not_parse_again(
    closed_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, stop, parsed = closed_office, Stop(0), []
    here = "kit.parsing.ParsersHere"
    with monkeypatch.context() as patched:
        patched.setattr(f"{here}.chunk", lambda *_, **__: stop())
        async with office.opened():
            uploaded = await office.upload("ada", text_document("a.md", LONG))
            await asyncio.wait_for(stop.reached.wait(), 10)
            assert (await office.get("ada", uploaded.documents[0].id)).versions[0].state == "parsed"

    async def parse(*_: Any, **__: Any) -> None:
        parsed.append(1)

    monkeypatch.setattr(f"{here}.parse", parse)
    async with office.opened():
        assert (await office.over("ada", uploaded.run)).state == "succeeded"
    assert not parsed


async def test_access_changed_between_slices_is_what_all_points_say(office: Office) -> None:
    stop = office.vectors.before["upsert"] = Stop(2)
    uploaded = await office.upload("ada", text_document("a.md", LONG))
    await asyncio.wait_for(stop.reached.wait(), 10)
    del office.vectors.before["upsert"]
    office.vectors.fails["upsert"] = EngineDown("down")  # for what comes next
    document = uploaded.documents[0].id or ""
    with office.asking("ada") as room:
        await room.cancel_run(ById(id=uploaded.run or ""))
        await room.set_access(SetAccess(id=document, grants=("user:eve",), access_level="restricted"))
        office.vectors.fails.clear()
        await room.retry_run(ById(id=uploaded.run or ""))
    assert (await office.over("ada", uploaded.run)).state == "succeeded"
    whole = (await office.get("eve", document)).versions[0].chunks
    assert len(await office.passages("eve")) == whole
    eve = office.people.ids["user:eve"]
    payloads = office.vectors.payloads(document=document)
    assert len(payloads) == whole
    assert all(eve in payload["readers"] for payload in payloads)
    assert not await office.passages("ben")


async def test_a_version_whose_workers_died_is_failed_not_at_work_for_ever(closed_office: Office) -> None:
    office = closed_office
    stop = office.vectors.before["upsert"] = Stop(0)
    async with office.opened():
        uploaded = await office.upload("ada", text_document("a.md", LONG))
        await asyncio.wait_for(stop.reached.wait(), 10)
        lost = {"state": "failed", "problem": {"type": "urn:muniment:problem:worker-lost"}}
        async with (
            open_database(office._database_url, room="documents", migrations=MIGRATIONS) as database,
            database.write() as connection,
        ):
            await connection.execute(update(jobs).where(jobs.c.id == uploaded.run).values(lost))
    office.vectors.before.clear()
    document = uploaded.documents[0].id
    async with office.opened():
        version = (await office.get("ada", document)).versions[0]
        async with asyncio.timeout(10):
            while version.state != "failed":
                version = (await office.get("ada", document)).versions[0]
        assert version.problem == lost["problem"]
        with office.asking("ada") as room:
            await room.retry_run(ById(id=uploaded.run or ""))
        assert (await office.over("ada", uploaded.run)).state == "succeeded"


async def test_a_batch_ends_with_its_last_document_and_is_retried_as_one(office: Office) -> None:
    broken = NewDocument(content=await office.staged(BROKEN), options=Options(key="broken.md"))
    uploaded = await office.upload("ada", text_document("a.md", "# A\n\nFine."), broken)
    run = await office.over("ada", uploaded.run)
    assert (run.kind, run.state, run.progress.done, run.progress.total) == ("batch", "failed", 2, 2)
    assert run.problem is not None
    assert run.problem["type"] == "urn:muniment:problem:not-text"
    with office.asking("ada") as room:
        with pytest.raises(RunNotOver):
            await room.cancel_run(ById(id=run.id))
        assert (await room.retry_run(ById(id=run.id))).kind == "batch"
        assert (await office.over("ada", uploaded.run)).state == "failed"
        first = await room.list_runs(ListRuns(limit=2))
        rest = await room.list_runs(ListRuns(limit=2, cursor=first.next_cursor))
        assert len({r.id for r in (*first.items, *rest.items)}) == 3
        assert rest.next_cursor is None
        assert [r.kind for r in (await room.list_runs(ListRuns(kind="batch", state="failed"))).items] == ["batch"]
        assert not (await room.list_runs(ListRuns(kind="batch", state="succeeded"))).items


async def test_a_batch_is_called_off_as_one(office: Office) -> None:
    office.embedding.fails = EngineDown("down for now")
    uploaded = await office.upload("ada", *(text_document(f"{n}.md", f"# T{n}\n\nText.") for n in range(3)))
    with office.asking("ada") as room:
        assert (await room.cancel_run(ById(id=uploaded.run or ""))).state == "cancelled"
        run = await room.get_run(ById(id=uploaded.run or ""))
    assert (run.state, run.progress.done) == ("cancelled", 3)
    (version,) = (await office.get("ada", uploaded.documents[0].id)).versions
    assert version.problem is not None
    assert version.problem["type"] == "urn:muniment:problem:run-cancelled"


async def test_a_purge_is_not_called_off(office: Office) -> None:
    stop = office.vectors.before["delete"] = Stop(0)
    await office.put("ada", "a.md", LONG)
    request = PurgeCollection(id=office.shelves.refs["handbook"].id, name="handbook", run=new_id("run_documents"))
    with calling_as(Caller.system("dispatcher")):
        await office.room.purge_collection(request)
    await asyncio.wait_for(stop.reached.wait(), 10)
    with office.asking("root") as room, pytest.raises(Forbidden):
        await room.cancel_run(ById(id=request.run))
    with office.asking("ada") as room:
        assert (await room.get_run(ById(id=request.run))).kind == "purge"


async def test_uploads_of_one_key_at_once_are_versions_of_one_document(office: Office) -> None:
    uploads = [office.upload("ada", text_document("a.md", f"# T{n}\n\nText {n}.")) for n in range(6)]
    answers = [uploaded.documents[0] for uploaded in await asyncio.gather(*uploads)]
    assert len({answer.id for answer in answers}) == 1
    assert sorted(answer.version or 0 for answer in answers) == [1, 2, 3, 4, 5, 6]
    for answer in answers:
        await office.over("ada", answer.run)
    assert [p.document.version for p in await office.passages("ben")] == [6]


async def test_the_same_upload_at_once_is_one_document(office: Office) -> None:
    upload = Upload(
        collection="handbook", documents=(text_document("a.md", "# A\n\nText."),), idempotency_key="once"
    )

    async def ask() -> Uploaded:
        with office.asking("ada") as room:
            return await room.upload(upload)

    answers = await asyncio.gather(*(ask() for _ in range(5)))
    assert len({answer.model_dump_json() for answer in answers}) == 1
    assert (await office.over("ada", answers[0].run)).state == "succeeded"
