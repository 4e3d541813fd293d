"""Dead letters: who sees them, and what becomes of a document when one is retried or dropped."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from kit.office import Office, text_document
from muniment.collections.contract import (
    CollectionMissing,
    DeadLetter,
    DeadLetterMissing,
    ListDeadLetters,
    OfDeadLetter,
)
from muniment.documents import store
from muniment.documents.contract import ById, ListRuns, RunMissing
from muniment.kernel.database import Database, open_database
from muniment.kernel.model import Page, now
from muniment.kernel.problems import Forbidden, Invalid, Missing, Unavailable


async def letters(office: Office, who: str, **asked: Any) -> Page[DeadLetter]:
    with office.asking(who) as room:
        return await room.list_dead_letters(ListDeadLetters(**asked))


async def retry(office: Office, who: str, letter: str) -> None:
    with office.asking(who) as room:
        await room.retry_dead_letter(OfDeadLetter(id=letter))


async def drop(office: Office, who: str, letter: str) -> None:
    with office.asking(who) as room:
        await room.drop_dead_letter(OfDeadLetter(id=letter))


async def failed(office: Office, key: str = "a.md", text: str = "The probe reads.") -> str:
    """A document of ada's whose newest version could not be embedded; the id of its letter."""
    office.embedding.fails = Missing("no such model")
    put = await office.put("ada", key, text)
    office.embedding.fails = None
    assert put.run is not None
    return put.run


async def test_a_failed_job_is_a_letter_to_those_who_see_its_run(office: Office) -> None:
    run = await failed(office)
    (letter,) = (await letters(office, "ada")).items
    assert (letter.id, letter.kind, letter.what, letter.room) == (run, "ingest", "job", "documents")
    assert (letter.collection, letter.key, letter.attempts) == ("handbook", "a.md", 1)
    assert letter.problem is not None
    assert letter.problem["detail"] == "no such model"
    assert letter.created_at <= letter.failed_at
    assert (await letters(office, "ben")).items == (letter,)
    assert (await letters(office, "eve")).items == ()
    (seen,) = (await letters(office, "root")).items
    assert (seen.id, seen.key) == (run, None), "no role is a reason to read"
    assert (await letters(office, "ada", kind="reindex")).items == ()


async def test_a_retried_letter_goes_back_to_work_with_all_attempts(office: Office) -> None:
    run = await failed(office)
    for who, problem in (("eve", DeadLetterMissing), ("ben", Forbidden)):
        with pytest.raises(problem):
            await retry(office, who, run)
    go = asyncio.Event()
    office.embedding.before = go.wait
    await retry(office, "ada", run)
    await retry(office, "root", run)  # at work: nothing is wrong with asking twice at once
    go.set()
    assert (await office.over("ada", run)).state == "succeeded"
    assert (await letters(office, "ada")).items == ()
    with pytest.raises(DeadLetterMissing):
        await retry(office, "ada", run)


async def test_a_dropped_letter_leaves_the_older_version_and_no_bytes(office: Office) -> None:
    first = await office.put("ada", "a.md", "The probe reads.")
    run = await failed(office, text="The probe writes.")
    assert len([b async for b in _blobs(office)]) == 2
    version = await office.get("ada", first.id)
    assert [v.state for v in version.versions] == ["current", "failed"]
    for who, problem in (("eve", DeadLetterMissing), ("ben", Forbidden)):
        with pytest.raises(problem):
            await drop(office, who, run)
    await drop(office, "ada", run)
    kept = await office.get("ada", first.id)
    assert (kept.version, [v.state for v in kept.versions]) == (1, ["current", "failed"])
    assert [p.chunk.text for p in await office.passages("ada")] == ["The probe reads."]
    with office.asking("ada") as room, pytest.raises(RunMissing):
        await room.get_run(ById(id=run))
    with pytest.raises(DeadLetterMissing):
        await drop(office, "ada", run)
    async with asyncio.timeout(20):
        while len([b async for b in _blobs(office)]) > 1:  # noqa: ASYNC110 - a job in the background
            await asyncio.sleep(0.01)
    again = await office.put("ada", "a.md", "The probe writes.")
    assert (again.version, again.duplicate) == (2, False)
    assert (await office.get("ada", first.id)).version == 2


async def _blobs(office: Office) -> Any:
    for file in (Path(office.blobs._folder) / "documents").iterdir():
        yield file


async def test_the_same_bytes_again_take_the_place_of_a_letter(office: Office) -> None:
    run = await failed(office)
    again = await office.put("ada", "a.md", "The probe reads.")
    assert again.run not in {None, run}
    assert (await letters(office, "ada")).items == ()
    assert (await office.over("ada", run)).state == "cancelled"


async def test_a_batch_goes_with_the_last_of_its_runs(office: Office) -> None:
    office.embedding.fails = Missing("no such model")
    both = await office.upload("ada", text_document("a.md", "One."), text_document("b.md", "Two."))
    assert (await office.over("ada", both.run)).state == "failed"
    page = await letters(office, "ada", limit=1)
    rest = await letters(office, "ada", limit=1, cursor=page.next_cursor)
    found = [*page.items, *rest.items]
    assert {letter.key for letter in found} == {"a.md", "b.md"}
    assert found == sorted(found, key=lambda letter: letter.id, reverse=True)
    assert rest.next_cursor is None
    for letter in found:
        await drop(office, "ada", letter.id)
    with office.asking("ada") as room:
        assert (await room.list_runs(ListRuns())).items == ()


async def test_what_waits_for_its_next_attempt_says_why_and_when(office: Office) -> None:
    office.embedding.fails = Unavailable("the model loads", retry_after_seconds=600)
    uploaded = await office.upload("ada", text_document("a.md", "The probe reads."))
    run = await office.until("ada", uploaded.run, lambda run: run.state == "queued" and run.attempts == 1)
    assert run.problem is not None
    assert run.problem["detail"] == "the model loads"
    assert run.next_attempt_at is not None
    assert run.next_attempt_at > now() + timedelta(seconds=500)
    assert (await letters(office, "root")).items == ()


async def room_database(url: str) -> Any:
    return open_database(url, room="documents", migrations=store.MIGRATIONS)


async def dead_event(database: Database, number: int) -> None:
    row = {
        "id": f"evt_{number:08}",
        "type": "document.updated",
        "at": now(),
        "data": {"id": "doc_x", "collection": "col_x", "key": "secret.md", "version": 1},
        "attempts": 12,
        "next_attempt_at": now(),
        "dead": True,
        "problem": Unavailable("not now").document(),
    }
    async with database.write() as connection:
        await connection.execute(insert(store.outbox), row)


async def test_events_that_nobody_took_are_the_operators(closed_office: Office, database_url: str) -> None:
    office = closed_office
    async with office.opened(), await room_database(database_url) as database:
        for number in range(3):
            await dead_event(database, number)
        await failed(office)
        assert [letter.what for letter in (await letters(office, "ada")).items] == ["job"]
        found, cursor = [], None
        while True:
            page = await letters(office, "root", limit=1, cursor=cursor)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [letter.what for letter in found] == ["job", "event", "event", "event"]
        assert found[1].id == "evt_documents_00000002"
        assert (found[1].document, found[1].key, found[1].kind) == ("doc_x", None, "document.updated")
        for act in (retry, drop):
            with pytest.raises(DeadLetterMissing):
                await act(office, "ada", found[1].id)
        await drop(office, "root", found[1].id)
        await retry(office, "root", found[2].id)
        await office.heard("document.updated")
        assert [e.what for e in (await letters(office, "root")).items] == ["job", "event"]
        with pytest.raises(Invalid):
            await letters(office, "root", cursor="nonsense")


async def test_ended_runs_are_trimmed_but_failed_ones_kept(closed_office: Office, database_url: str) -> None:
    office = closed_office
    async with office.opened():
        done = await office.put("ada", "done.md", "The probe reads.")
        run = await failed(office)
        await failed(office, "gone.md")
        with office.asking("ada") as room:
            await room.delete(ById(id=(await office.listed("ada", key="gone.md")).items[0].id))
    async with await room_database(database_url) as database, database.write() as connection:
        long_ago = now() - timedelta(days=31)
        await connection.execute(update(store.jobs).values(ended_at=long_ago))
    async with office.opened(run_days=30):
        async with await room_database(database_url) as database, asyncio.timeout(20):
            while await _count(database) > 1:  # noqa: ASYNC110 - the sweep in the background
                await asyncio.sleep(0.01)
        with office.asking("ada") as room:
            assert [found.id for found in (await room.list_runs(ListRuns())).items] == [run]
            with pytest.raises(RunMissing):
                await room.get_run(ById(id=done.run or ""))
        assert (await office.get("ada", done.id)).version == 1


async def _count(database: Database) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(store.runs)) or 0)


async def test_runs_of_an_unknown_collection_are_missing(office: Office) -> None:
    await office.put("ada", "a.md", "The probe reads.")
    for who, name in (("ada", "nowhere"), ("eve", "handbook"), ("root", "nowhere")):
        with office.asking(who) as room, pytest.raises(CollectionMissing):
            await room.list_runs(ListRuns(collection=name))
    for who in ("ben", "root"):
        with office.asking(who) as room:
            assert len((await room.list_runs(ListRuns(collection="handbook"))).items) == 1


async def test_a_letter_goes_with_its_document(sqlite_office: Office) -> None:
    office = sqlite_office
    gone = await office.put("ada", "broken.pdf", "%PDF-1.7 and no more", media_type="application/pdf")
    with office.asking("ada") as room:
        assert (await room.list_dead_letters(ListDeadLetters())).items
        await room.delete(ById(id=gone.id or ""))
        assert not (await room.list_dead_letters(ListDeadLetters())).items
