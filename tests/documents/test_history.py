"""What was replaced stays readable and can be found as of its time; and goes when its time is over."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from kit.office import Office, text_document
from muniment.documents import history
from muniment.documents.contract import (
    ById,
    CountReadable,
    DocumentMissing,
    OfVersion,
    PurgeCollection,
    SetAccess,
    UpdateDocument,
    Version,
    VersionMissing,
)
from muniment.documents.fields import Layer, effective
from muniment.documents.store import MIGRATIONS, jobs, versions
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.database import Database, open_database
from muniment.kernel.ids import new_id
from muniment.kernel.model import now
from muniment.kernel.problems import Unavailable

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
LONG = [f"Paragraph {n} says something of its own about matter {n}, at some length. " * 8 for n in range(60)]


async def said(office: Office, who: str = "ben", at: datetime | None = None) -> list[str]:
    """What that person finds, as of that time."""
    return [p.chunk.text for p in await office.passages(who, at)]


async def rested(office: Office, *, retired: int) -> None:
    """Until the points of so many chunks are in the history, and no retired one is left outside."""

    def moved() -> bool:
        return len(office.vectors.payloads(history=True)) == retired and not _mixed(office)

    await office.settled(moved)


def _mixed(office: Office) -> bool:
    """Whether a document has points of two versions in an index of current ones."""
    pairs = {(p["document"], p["version"]) for p in office.vectors.payloads()}
    return len(pairs) > len({document for document, _ in pairs})


def documents_of(database_url: str) -> AbstractAsyncContextManager[Database]:
    """The room's tables, while it is closed."""
    return open_database(database_url, room="documents", migrations=MIGRATIONS)


async def numbers_of(office: Office, documents: list[str | None], *, left: list[int]) -> None:
    """Until these are the versions that each has."""
    async with asyncio.timeout(20):
        for document in documents:
            while [v.number for v in await versions_of(office, document)] != left:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)


async def versions_of(office: Office, document: str | None, who: str = "ada") -> tuple[Version, ...]:
    return (await office.get(who, document)).versions


async def changed_once(office: Office, **options: Any) -> tuple[str, datetime]:
    """A document that said alpha and now says beta, and the moment of the change."""
    put = await office.put("ada", "a.md", "alpha", **options)
    await office.put("ada", "a.md", "beta", **options)
    first, second = await versions_of(office, put.id)
    assert first.current_to == second.current_from
    assert second.current_from is not None
    return str(put.id), second.current_from


async def test_each_time_finds_what_was_current_then(office: Office) -> None:
    document, at = await changed_once(office)
    await rested(office, retired=1)
    first = (await versions_of(office, document))[0]
    assert first.current_from is not None
    assert await said(office) == ["beta"]
    assert await said(office, at=at) == ["beta"]
    assert await said(office, at=at - INSTANT) == ["alpha"]
    assert await said(office, at=first.current_from) == ["alpha"]
    assert await said(office, at=first.current_from - INSTANT) == []
    assert await said(office, at=LONG_AGO) == []
    (passage,) = await office.passages("ben", at - INSTANT)
    assert passage.document.version == 1
    with office.asking("ben") as room:
        assert (await room.text(OfVersion(id=document, version=1))).text == "alpha"
        blob = (await room.content(OfVersion(id=document, version=1))).blob
    assert (await office.blobs.path(blob)).read_bytes() == b"alpha"


async def test_nothing_is_embedded_when_a_version_retires(sqlite_office: Office) -> None:
    await changed_once(sqlite_office)
    await rested(sqlite_office, retired=1)
    assert len(sqlite_office.embedding.texts) == 2
    (old,) = sqlite_office.vectors.payloads(history=True)
    assert {"current_from", "current_to", "readers", "collection", "document", "version", "chunk"} <= old.keys()


async def test_an_earlier_version_says_what_its_readers_saw_then(office: Office) -> None:
    put = await office.put(
        "ada", "a.md", "alpha", title="First", tags=("one",), metadata={"team": "infra", "x": 1}
    )
    with office.asking("ada") as room:
        await room.update(UpdateDocument(id=str(put.id), type="Task", metadata={"team": "web"}))
        await room.update(UpdateDocument(id=str(put.id), status="draft"))
    await office.put("ada", "a.md", "beta", title="Second", metadata={"team": "ops"})
    at = (await versions_of(office, put.id))[1].current_from
    assert at is not None
    with office.asking("ada") as room:
        await room.update(UpdateDocument(id=str(put.id), title="Third", status="approved"))
    await rested(office, retired=1)
    (then,) = await office.passages("ben", at - INSTANT)
    assert (then.document.title, then.document.type, then.document.status) == ("First", "Task", "draft")
    assert then.document.metadata == {"team": "web"}
    (today,) = await office.passages("ben", at)
    assert (today.document.title, today.document.version) == ("Third", 2)
    (old,) = office.vectors.payloads(history=True)
    assert (old["tags"], old["type"], old["status"]) == (("one",), "Task", "draft")
    assert (old["metadata.team"], "metadata.x" in old) == ("web", False)


LAYER = st.builds(
    Layer,
    fields=st.dictionaries(
        st.sampled_from(["title", "type", "author"]), st.none() | st.sampled_from(["Page", " ", "x"]), max_size=3
    ),
    metadata=st.dictionaries(st.sampled_from("ab"), st.none() | st.integers(0, 3), max_size=2),
)


@given(said=LAYER, options=LAYER, patched=LAYER)
def test_what_was_seen_is_kept_whatever_made_it_up(said: Layer, options: Layer, patched: Layer) -> None:
    class Document:
        key = "a.md"

    class Old:
        pass

    document, version = Document(), Old()
    document.patched = patched.model_dump()  # type: ignore[attr-defined]
    version.said, version.options = said.model_dump(), options.model_dump()  # type: ignore[attr-defined]
    kept = history.retired(document, version, LONG_AGO)  # type: ignore[arg-type]  # only these columns are read
    own = Layer.model_validate(kept["options"])
    seen = effective("a.md", said=said, options=options, patched=patched)
    assert effective("a.md", said=said, options=own, patched=Layer()) == seen


async def test_access_is_todays(office: Office) -> None:
    document, at = await changed_once(office)
    await rested(office, retired=1)
    then = at - INSTANT
    assert await said(office, "eve", then) == []
    with office.asking("ada") as room:
        await room.set_access(SetAccess(id=document, access_level="restricted", grants=("user:eve",)))
    assert await said(office, "eve", then) == ["alpha"]
    assert await said(office, "ben", then) == []
    assert await said(office, "ada", then) == ["alpha"]
    (old,) = office.vectors.payloads(history=True)
    assert old["access_level"] == "restricted"
    assert office.people.ids["user:eve"] in old["readers"]  # type: ignore[operator]
    with office.asking("ada") as room:
        await room.set_access(SetAccess(id=document, grants=()))
    assert await said(office, "eve", then) == []
    with calling_as(Caller(principal="usr_x", name="x")):
        assert (await office.room.history(CountReadable())).days == {}


async def test_access_that_changes_while_points_move_reaches_them(sqlite_office: Office) -> None:
    office = sqlite_office
    put = await office.put("ada", "a.md", "alpha")
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        if office.vectors.calls["fetch"]:
            waiting.set()
            await go_on.wait()

    office.vectors.before["upsert"] = hold
    office.vectors.calls.clear()
    await office.put("ada", "a.md", "beta")
    await asyncio.wait_for(waiting.wait(), 10)
    with office.asking("ada") as room:
        granting = asyncio.create_task(room.set_access(SetAccess(id=str(put.id), grants=("user:eve",))))
        async with asyncio.timeout(10):
            while not (await room.get_access(ById(id=str(put.id)))).grants:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
    go_on.set()
    await granting
    await rested(office, retired=1)
    (old,) = office.vectors.payloads(history=True)
    assert office.people.ids["user:eve"] in old["readers"]  # type: ignore[operator]


async def test_what_is_deleted_was_never_there(office: Office) -> None:
    document, at = await changed_once(office)
    await rested(office, retired=1)
    with office.asking("ada") as room:
        await room.delete(ById(id=document))
    assert await said(office, at=at - INSTANT) == []
    await office.settled(lambda: not any(office.vectors.points.values()))


async def test_a_purged_collection_leaves_no_history(office: Office) -> None:
    await changed_once(office)
    await rested(office, retired=1)
    with calling_as(Caller.system("test")):
        collection = office.shelves.refs["handbook"].id
        purge = PurgeCollection(id=collection, name="handbook", run=new_id("run_documents"))
        await office.room.purge_collection(purge)
    await office.settled(lambda: office.shelves.purged_ids == [collection])
    assert not any(office.vectors.points.values())


@pytest.mark.parametrize("step", ["fetch", "ensure", "upsert", "delete"])
async def test_a_move_that_is_cut_off_anywhere_goes_on(closed_office: Office, step: str) -> None:
    office, reached = closed_office, asyncio.Event()

    async def wall() -> None:
        if office.vectors.calls["fetch"]:
            reached.set()
            await asyncio.Event().wait()

    async with office.opened():
        put = await office.put("ada", "a.md", "alpha")
        office.vectors.calls.clear()
        office.vectors.before[step] = wall
        await office.put("ada", "a.md", "beta")
        await asyncio.wait_for(reached.wait(), 10)
        at = (await versions_of(office, put.id))[1].current_from
        assert at is not None
        assert await said(office) == ["beta"]
        assert await said(office, at=at - INSTANT) == ["alpha"]
    office.vectors.before.clear()
    async with office.opened():
        await rested(office, retired=1)
        assert await said(office, at=at - INSTANT) == ["alpha"]


async def test_a_document_deleted_while_its_points_move_leaves_none(closed_office: Office) -> None:
    office, reached = closed_office, asyncio.Event()

    async def wall() -> None:
        if office.vectors.calls["fetch"]:
            reached.set()
            await asyncio.Event().wait()

    async with office.opened():
        put = await office.put("ada", "a.md", "alpha")
        office.vectors.calls.clear()
        office.vectors.before["delete"] = wall
        await office.put("ada", "a.md", "beta")
        await asyncio.wait_for(reached.wait(), 10)
        assert len(office.vectors.payloads(history=True)) == 1
        office.vectors.before.clear()
        with office.asking("ada") as room:
            await room.delete(ById(id=str(put.id)))
        assert await said(office) == []
    async with office.opened():
        await office.settled(lambda: not any(office.vectors.points.values()))
        assert await said(office) == []
        assert await said(office, at=now()) == []


async def test_moving_again_changes_nothing(closed_office: Office, database_url: str) -> None:
    office = closed_office
    async with office.opened():
        _, at = await changed_once(office)
        await rested(office, retired=1)
    before = {name: dict(points) for name, points in office.vectors.points.items()}
    async with documents_of(database_url) as database, database.write() as connection:
        again = update(jobs).where(jobs.c.kind == "retire")
        await connection.execute(again.values(state="queued", next_attempt_at=now()))
    office.vectors.calls.clear()
    async with office.opened():
        await office.settled(lambda: office.vectors.calls["delete"] == 1)
        assert await said(office, at=at - INSTANT) == ["alpha"]
    assert office.vectors.points == before
    assert office.vectors.calls["upsert"] == 0


async def test_a_long_document_moves_whole_and_in_slices(sqlite_office: Office) -> None:
    office = sqlite_office
    put = await office.put("ada", "a.md", "\n\n".join(LONG * 6))
    many = len(office.vectors.payloads())
    assert many > 300
    office.vectors.calls.clear()
    await office.put("ada", "a.md", "beta")
    await rested(office, retired=many)
    at = (await versions_of(office, put.id))[1].current_from
    assert at is not None
    assert len(await said(office, at=at - INSTANT)) == many


async def test_without_history_what_is_replaced_goes_with_everything(office: Office) -> None:
    office.shelves.keep("handbook", 0)
    put = await office.put("ada", "a.md", "alpha")
    (first,) = await versions_of(office, put.id)
    with office.asking("ada") as room:
        blob = (await room.content(OfVersion(id=str(put.id), version=1))).blob
    await office.put("ada", "a.md", "beta")
    await numbers_of(office, [put.id], left=[2])
    assert office.vectors.payloads(history=True) == []
    await office.settled(lambda: len(office.vectors.payloads()) == 1)
    async with asyncio.timeout(20):
        while await office.blobs.exists(blob):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    with office.asking("ada") as room, pytest.raises(VersionMissing):
        await room.text(OfVersion(id=str(put.id), version=1))
    assert await said(office, at=first.current_from) == []
    put = await office.put("ada", "a.md", "gamma")
    assert put.version == 3


async def _aged(database_url: str, days: float) -> None:
    """All that was replaced was replaced so long before."""
    async with documents_of(database_url) as database, database.write() as connection:
        old = now() - timedelta(days=days)
        change = update(versions).where(versions.c.state == "retired")
        await connection.execute(change.values(current_from=old - timedelta(days=1), current_to=old))


@pytest.mark.parametrize("of", ["server", "collection", "none at all"])
async def test_what_is_over_its_time_goes_with_a_sweep(
    closed_office: Office, database_url: str, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    office = closed_office
    monkeypatch.setattr(history, "_AT_ONCE", 2)
    keys = [f"{n}.md" for n in range(5)]
    async with office.opened():
        for text in ("alpha", "beta"):
            uploaded = await office.upload("ada", *(text_document(key, f"{text} {key}") for key in keys))
            await office.over("ada", uploaded.run)
        ids = [d.id for d in uploaded.documents]
        await rested(office, retired=5)
    if of != "none at all":
        await _aged(database_url, 9.9)
    if of == "collection":
        office.shelves.keep("handbook", 10)
    async with office.opened(sweep_seconds=0.05, history_days=10 if of == "server" else 1):
        if of != "none at all":
            await numbers_of(office, ids, left=[1, 2])
    if of == "none at all":
        office.shelves.keep("handbook", 0)
    else:
        await _aged(database_url, 10.1)
    async with office.opened(sweep_seconds=0.05, history_days=10):
        await numbers_of(office, ids, left=[2])
        await office.settled(lambda: not office.vectors.payloads(history=True))
        assert len(await said(office)) == 5


async def test_how_far_back_is_said_for_each_collection(closed_office: Office) -> None:
    office = closed_office
    office.shelves.add("notes")
    office.shelves.keep("notes", 0)
    office.user("ada", member_of=["handbook", "notes"])
    ids = {name: ref.id for name, ref in office.shelves.refs.items()}
    async with office.opened(history_days=30):
        await office.put("ada", "a.md", "alpha")
        with office.asking("ada") as room:
            assert (await room.history(CountReadable())).days == {ids["handbook"]: 30}
            both = CountReadable(collections=tuple(ids.values()))
            assert (await room.history(both)).days == {ids["handbook"]: 30, ids["notes"]: 0}


async def test_only_changed_chunks_are_embedded_there_and_back(sqlite_office: Office) -> None:
    office = sqlite_office
    text = "\n\n".join(LONG)
    changed = text.replace("Paragraph 30 says", "Paragraph 30 denies")
    put = await office.put("ada", "a.md", text, title="Matters")
    whole = len(office.embedding.texts)
    assert whole > 20
    for n, version in enumerate((changed, text), 2):
        office.embedding.texts.clear()
        again = await office.put("ada", "a.md", version, title="Matters")
        assert again.version == n
        assert 1 <= len(office.embedding.texts) <= 4
    office.embedding.texts.clear()
    with office.asking("ada") as room:
        await room.set_access(SetAccess(id=str(put.id), access_level="public", grants=("user:eve",)))
        await room.update(UpdateDocument(id=str(put.id), status="draft", metadata={"team": "infra"}))
        await room.update(UpdateDocument(id=str(put.id), metadata=None))
    await rested(office, retired=2 * whole)
    assert office.embedding.texts == []
    assert (await office.put("ada", "a.md", text, title="Matters", tags=("x",))).version == 3
    assert office.embedding.texts == []


async def test_a_version_that_was_never_current_is_in_no_index(sqlite_office: Office) -> None:
    office = sqlite_office
    await office.put("ada", "a.md", "alpha")
    office.vectors.fails["upsert"] = DocumentMissing("final", document="x")
    failed = await office.put("ada", "a.md", "beta")
    office.vectors.fails.clear()
    assert [v.state for v in await versions_of(office, failed.id)] == ["current", "failed"]
    await office.put("ada", "a.md", "gamma")
    await rested(office, retired=1)
    assert [v.state for v in await versions_of(office, failed.id)] == ["retired", "failed", "current"]
    indexed = {p["version"] for past in (True, False) for p in office.vectors.payloads(history=past)}
    assert len(indexed) == 2
    assert await said(office) == ["gamma"]


async def test_while_the_engine_is_down_points_wait_to_be_moved(closed_office: Office) -> None:
    office = closed_office
    async with office.opened():
        await office.put("ada", "a.md", "alpha")
        office.vectors.fails["fetch"] = Unavailable("down")
        put = await office.put("ada", "a.md", "beta")
        at = (await versions_of(office, put.id))[1].current_from
        assert at is not None
        assert await said(office) == ["beta"]
        assert await said(office, at=at - INSTANT) == ["alpha"]
        office.vectors.fails.clear()
        await rested(office, retired=1)
