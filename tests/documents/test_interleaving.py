"""What two do to one document at the same moment, or one that is cut off in between, leaves nothing half done."""

import asyncio
from typing import Any, cast

import numpy as np
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.office import Office, text_document
from muniment.collections.contract import ListDeadLetters
from muniment.documents import store
from muniment.documents.contract import ById, SetAccess, UpdateDocument
from muniment.documents.indexing import Indexing
from muniment.embedding.contract import EmbedPassages
from muniment.kernel.database import Database, open_database
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Missing
from muniment.vectors.contract import Vectors

LEASES = "# Leases\n\nThe vault renews each lease every ten seconds.\n"


class Gate:
    """Shows when somebody stands before it, and lets through once it is open."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.opened.wait()


async def room_database(url: str) -> Any:
    return open_database(url, room="documents", migrations=store.MIGRATIONS)


async def version(connection: AsyncConnection) -> Any:
    return (await connection.execute(select(store.versions))).one()


async def until_waiting(database: Database) -> None:
    """Until somebody waits for a lock; with SQLite whoever writes next waits for us."""
    if database.dialect == "sqlite":
        return
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(20):
        while True:
            async with database.read() as connection:
                if await connection.scalar(text(waiting)):
                    return
            await asyncio.sleep(0.01)


async def test_a_version_that_becomes_current_while_its_run_is_cancelled_stays_so(
    office: Office, database_url: str
) -> None:
    office.embedding.before = Gate()
    uploaded = await office.upload("ada", text_document("a.md", LEASES))
    await asyncio.wait_for(office.embedding.before.reached.wait(), 10)

    async def cancel() -> None:
        with office.asking("ada") as room:
            await room.cancel_run(ById(id=uploaded.run or ""))

    async with await room_database(database_url) as database:
        async with database.write() as connection:
            await connection.execute(update(store.versions).values(state="current"))
            cancelling = asyncio.create_task(cancel())
            await until_waiting(database)
        await asyncio.wait_for(cancelling, 20)
        async with database.read() as connection:
            found = await version(connection)
    assert (found.state, found.problem) == ("current", None)


async def test_a_version_that_is_cancelled_while_it_becomes_current_does_not(
    office: Office, database_url: str
) -> None:
    gate = Gate()
    office.vectors.before["upsert"] = gate
    uploaded = await office.upload("ada", text_document("a.md", LEASES))
    await asyncio.wait_for(gate.reached.wait(), 10)
    async with await room_database(database_url) as database:
        async with database.write() as connection:
            await connection.execute(update(store.versions).values(state="failed"))
            gate.opened.set()
            await until_waiting(database)
        await office.over("ada", uploaded.run)
        async with database.read() as connection:
            assert (await version(connection)).state == "failed"
            assert await connection.scalar(select(store.documents.c.current)) is None
    await office.settled(lambda: not office.vectors.payloads())


async def test_points_written_after_a_deletion_go_though_their_writer_was_killed(closed_office: Office) -> None:
    office, writing, clearing = closed_office, Gate(), Gate()

    async def cleaned() -> bool:
        with office.asking("root") as room:
            return (await room.status(Nothing())).runs["succeeded"] == 1

    async with office.opened():
        office.vectors.before["upsert"] = writing
        uploaded = await office.upload("ada", text_document("a.md", LEASES))
        await asyncio.wait_for(writing.reached.wait(), 10)
        with office.asking("ada") as room:
            await room.delete(ById(id=uploaded.documents[0].id or ""))
        async with asyncio.timeout(20):
            while not await cleaned():  # noqa: ASYNC110 - what is waited for has no event to tell of it
                await asyncio.sleep(0.01)
        office.vectors.before["delete"] = clearing
        writing.opened.set()
        await asyncio.wait_for(clearing.reached.wait(), 10)
    assert office.vectors.payloads()
    office.vectors.before.clear()
    async with office.opened():
        assert (await office.over("ada", uploaded.run)).state == "cancelled"
        assert not office.vectors.payloads()


async def test_a_version_whose_workers_died_is_failed_and_leaves_no_points(
    closed_office: Office, database_url: str
) -> None:
    office, lost = closed_office, {"type": "urn:muniment:problem:worker-lost", "status": 500}
    async with office.opened():
        put = await office.put("ada", "a.md", LEASES)
    async with await room_database(database_url) as database, database.write() as connection:
        await connection.execute(update(store.jobs).values(state="failed", problem=lost))
        await connection.execute(update(store.versions).values(state="indexed"))
        await connection.execute(update(store.documents).values(current=None))
    async with office.opened():
        await office.settled(lambda: not office.vectors.payloads())
        (found,) = (await office.get("ada", put.id)).versions
        assert (found.state, found.problem) == ("failed", lost)


async def test_an_older_run_that_is_retried_takes_the_place_of_a_newer_letter(office: Office) -> None:
    office.embedding.fails = Missing("no such model")
    first = await office.put("ada", "a.md", LEASES)
    second = await office.put("ada", "a.md", LEASES)
    assert first.run != second.run
    office.embedding.fails = None
    with office.asking("ada") as room:
        await room.retry_run(ById(id=first.run or ""))
        assert (await office.over("ada", first.run)).state == "succeeded"
        assert (await room.list_dead_letters(ListDeadLetters())).items == ()
    assert (await office.get("ada", first.id)).version == 1


async def test_readers_written_by_two_processes_end_as_the_tables_say(office: Office, database_url: str) -> None:
    put = await office.put("ada", "a.md", LEASES, access_level="confidential")
    slow = Gate()
    async with await room_database(database_url) as database:
        elsewhere = Indexing(database, cast("Vectors", office.vectors))

        async def granted(*grants: str) -> None:
            with office.asking("ada") as room:
                await room.set_access(SetAccess(id=put.id or "", grants=grants))

        async with database.write() as connection:
            await connection.execute(update(store.documents).values(acl_version=store.documents.c.acl_version + 1))
        office.vectors.before["set_payload"] = slow
        pushing = asyncio.create_task(elsewhere.push(put.id or ""))
        await asyncio.wait_for(slow.reached.wait(), 10)
        office.vectors.before.clear()
        await granted("user:ben")
        slow.opened.set()
        await asyncio.wait_for(pushing, 20)
    (payload,) = office.vectors.payloads()
    assert office.callers["ben"].principal in cast("tuple[str, ...]", payload["readers"])


async def test_a_title_taken_back_while_it_is_indexed_leaves_no_vector_of_it(sqlite_office: Office) -> None:
    office = sqlite_office
    put = await office.put("ada", "a.md", LEASES)
    taken_back: list[asyncio.Task[Any]] = []

    async def rename(title: str) -> None:
        with office.asking("ada") as room:
            await room.update(UpdateDocument(id=put.id or "", title=title))

    async def take_back() -> None:
        """Committed before the points with the other title are written, and heard of after."""
        del office.vectors.before["upsert"]
        taken_back.append(asyncio.create_task(rename("Leases")))
        while (await office.get("ada", put.id)).title != "Leases":  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)

    def points() -> list[Any]:
        return [entry for index in office.vectors.points.values() for entry in index.values()]

    office.vectors.before["upsert"] = take_back
    await rename("Entirely other words")
    async with asyncio.timeout(20):
        while True:
            with office.asking("root") as room:
                runs = (await room.status(Nothing())).runs
            if taken_back and not runs["queued"] and not runs["running"]:
                break
            await asyncio.sleep(0.01)
    await taken_back[0]
    ((point, vector),) = points()
    assert point.text.startswith("Leases")
    made = await office.embedding.embed_passages(EmbedPassages(model="m", texts=(point.text,)))
    np.testing.assert_allclose(vector, made.vectors[0])


async def test_a_version_takes_no_vectors_of_one_that_is_being_renamed(
    closed_office: Office, database_url: str
) -> None:
    office = closed_office
    async with office.opened():
        await office.put("ada", "a.md", LEASES)
        (index,) = office.vectors.points.values()
        ((name, (point, vector)),) = index.items()
        index[name] = (point, -vector)  # as of another title
        async with await room_database(database_url) as database, database.write() as connection:
            await connection.execute(update(store.versions).values(indexed_chunks=0))
        again = await office.put("ada", "a.md", LEASES + "\n")
        (fresh,) = [vector_ for id_, (_, vector_) in index.items() if id_ != name]
    assert again.version == 2
    np.testing.assert_allclose(fresh, vector)


async def test_a_replaced_version_leaves_the_index_before_others_are_ingested(
    closed_office: Office, database_url: str
) -> None:
    office = closed_office
    async with office.opened(ingest_at_once=1):
        await office.put("ada", "a.md", LEASES)
        several = [text_document(key, f"The probe {key}.") for key in ("a.md", "b.md", "c.md", "d.md")]
        await office.over("ada", (await office.upload("ada", *several)).run)
    async with await room_database(database_url) as database, database.read() as connection:
        query = select(store.jobs.c.kind).order_by(store.jobs.c.ended_at)
        done = (await connection.scalars(query)).all()
    assert done.index("retire") == 2, done
