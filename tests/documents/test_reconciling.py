"""Whether tables, index and blobs say the same; each kind of damage is found, named and mended."""

import asyncio

import pytest
from sqlalchemy import update

from kit.blobs import put
from kit.office import Office, text_document
from muniment.documents.contract import ById, Discrepancy, Reconcile
from muniment.documents.store import MIGRATIONS, jobs, versions
from muniment.kernel.database import open_database
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Forbidden
from muniment.vectors.contract import EngineDown, EnsureIndex

WORDS = "the probe reads temperature of load and warns driver when it is too warm for goods in truck. "
LONG = "\n\n".join(f"# Part {n}\n\n{WORDS * 6}" for n in range(6))


async def idle(office: Office) -> None:
    """Until no job is open."""
    async with asyncio.timeout(20):
        while True:
            with office.asking("root") as room:
                runs = (await room.status(Nothing())).runs
            if not runs["queued"] + runs["running"]:
                return
            await asyncio.sleep(0.01)


async def look(office: Office, *, repair: bool = False) -> dict[str, Discrepancy]:
    with office.asking("root") as room:
        told = await room.reconcile(Reconcile(repair=repair))
    return {discrepancy.kind: discrepancy for discrepancy in told.discrepancies}


async def mended(office: Office, *kinds: str) -> None:
    """These kinds of damage are found, and after a repair none."""
    assert set(await look(office)) == set(kinds)
    assert set(await look(office, repair=True)) == set(kinds)
    await idle(office)
    assert await look(office) == {}


async def test_a_house_in_order_has_no_discrepancy_whatever_has_happened_in_it(office: Office) -> None:
    await office.put("ada", "a.md", LONG)
    await office.put("ada", "b.md", WORDS)
    await office.put("ada", "a.md", LONG + WORDS)
    gone = await office.put("ada", "c.md", WORDS)
    with office.asking("ada") as room:
        await room.delete(ById(id=gone.id or ""))
    await idle(office)
    with office.asking("root") as room:
        told = await room.reconcile(Reconcile())
    assert told.discrepancies == ()
    assert (told.documents, told.versions, told.blobs) == (2, 3, 3)
    assert told.points == sum(map(len, office.vectors.points.values())) > 3


async def test_only_operators_look(office: Office) -> None:
    with office.asking("ada") as room, pytest.raises(Forbidden):
        await room.reconcile(Reconcile())


async def test_lost_points_are_indexed_again(sqlite_office: Office) -> None:
    office = sqlite_office
    await office.put("ada", "a.md", LONG)
    await idle(office)
    (points,) = office.vectors.points.values()
    lost = next(iter(points))
    del points[lost]
    await mended(office, "missing-points", "wrong-readers")
    assert lost in points
    assert len(await office.passages("ada")) == len(points)


async def test_points_of_nothing_and_bytes_of_nothing_are_removed(sqlite_office: Office) -> None:
    office = sqlite_office
    await office.put("ada", "a.md", WORDS)
    await idle(office)
    (points,) = office.vectors.points.values()
    id_, (point, vector) = next(iter(points.items()))
    stray = point.model_copy(update={"payload": point.payload | {"version": "ver_gone", "document": "doc_gone"}})
    points[type(id_)(int=1)] = (stray, vector)
    await put(office.blobs, "documents/ver_gone", b"left behind")
    found = await look(office)
    assert found["orphan-points"].examples == ("ver_gone",)
    assert found["orphan-blobs"].examples == ("ver_gone",)
    await mended(office, "orphan-points", "orphan-blobs")
    assert not await office.blobs.exists("documents/ver_gone")


async def test_readers_that_the_index_has_wrong_are_told_again(office: Office) -> None:
    document = await office.put("ada", "a.md", WORDS, access_level="confidential")
    await office.put("ada", "b.md", WORDS)
    await idle(office)
    (points,) = office.vectors.points.values()
    for id_, (point, vector) in list(points.items()):
        if point.payload["document"] == document.id:
            open_to_eve = point.payload | {"readers": (*point.payload["readers"], "usr_eve")}
            points[id_] = (point.model_copy(update={"payload": open_to_eve}), vector)
    assert (await look(office))["wrong-readers"].examples == (document.id,)
    await mended(office, "wrong-readers")


async def test_lost_bytes_are_named_and_what_is_stuck_is_ended(sqlite_office: Office, sqlite_url: str) -> None:
    office = sqlite_office
    kept = await office.put("ada", "a.md", WORDS)
    await idle(office)
    (point, _) = next(iter(next(iter(office.vectors.points.values())).values()))
    await office.blobs.delete(f"documents/{point.payload['version']}")
    assert (await look(office))["missing-blobs"].count == 1
    async with (
        open_database(sqlite_url, room="documents", migrations=MIGRATIONS) as database,
        database.write() as connection,
    ):
        await connection.execute(update(versions).values(state="chunked"))
    assert set(await look(office, repair=True)) == {"stuck-versions"}
    shown = await office.get("ada", kept.id)
    assert shown.versions[-1].state == "failed"


async def test_a_version_that_was_overtaken_at_work_is_not_looked_for(sqlite_office: Office) -> None:
    office = sqlite_office
    await office.put("ada", "a.md", WORDS)
    blocked = asyncio.Event()
    office.vectors.before["upsert"] = blocked.wait
    second = await office.upload("ada", text_document("a.md", LONG))
    third = await office.upload("ada", text_document("a.md", LONG + WORDS))
    blocked.set()
    await office.over("ada", second.run)
    await office.over("ada", third.run)
    await idle(office)
    assert await look(office) == {}


async def test_history_that_was_not_moved_is_moved(sqlite_office: Office, sqlite_url: str) -> None:
    office = sqlite_office
    await office.put("ada", "a.md", WORDS)
    office.vectors.fails["fetch"] = EngineDown("away")
    await office.put("ada", "a.md", LONG)
    async with (
        open_database(sqlite_url, room="documents", migrations=MIGRATIONS) as database,
        database.write() as connection,
    ):
        await connection.execute(update(jobs).where(jobs.c.kind == "retire").values(state="failed"))
    del office.vectors.fails["fetch"]
    await mended(office, "late-history")
    assert len(office.vectors.payloads(history=True)) == 1


async def test_an_index_that_is_lost_is_made_anew_and_lost_history_is_no_longer_looked_for(
    sqlite_office: Office,
) -> None:
    office = sqlite_office
    await office.put("ada", "a.md", WORDS)
    await office.put("ada", "a.md", LONG)
    await idle(office)
    office.vectors.points.clear()
    await office.vectors.ensure(EnsureIndex(index="other", dimensions=8))
    found = await look(office, repair=True)
    assert {"missing-points", "missing-history"} <= set(found)
    await idle(office)
    assert await look(office) == {}
    assert len(await office.passages("ada")) == sum(map(len, office.vectors.points.values()))
