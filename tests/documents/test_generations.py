"""Another index beside the present one: built, switched to, gone back from, dropped; searches never notice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.office import Office, text_document
from muniment.collections.contract import (
    HISTORY,
    CollectionMissing,
    IndexIncomplete,
    IndexState,
    OfCollection,
    PrepareIndex,
    StandbyMissing,
    StandbyNotReady,
    StandbyThere,
)
from muniment.documents.contract import ById, OfVersion, PurgeCollection, Reconcile, Run, SetAccess, UpdateDocument
from muniment.embedding.contract import Embedded, EmbedPassages
from muniment.kernel.caller import calling_as
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Forbidden, Invalid, Unavailable
from muniment.retrieval.contract import Search
from retrieval.conftest import retrieval_over

HANDBOOK = OfCollection(collection="handbook")
OTHER = PrepareIndex(collection="handbook", recipe="structure-200")
FIRST, SECOND = "m.structure-160.1", "m.structure-200.2"
LONG = " ".join(f"The probe reads temperature {n} of load in words." for n in range(600))


@pytest.fixture
async def office(tmp_path: Path, database_url: str, tokenizer_file: Path) -> AsyncIterator[Office]:
    """A room whose dropped indexes are cleared at once; mia manages the handbook."""
    office = staffed(tmp_path, database_url, tokenizer_file)
    async with office.opened(dropped_index_seconds=0):
        yield office


@pytest.fixture
async def light(tmp_path: Path, sqlite_url: str, tokenizer_file: Path) -> AsyncIterator[Office]:
    """The same for what does not depend on the database."""
    office = staffed(tmp_path, sqlite_url, tokenizer_file)
    async with office.opened(dropped_index_seconds=0):
        yield office


def staffed(folder: Path, database_url: str, tokenizer: Path) -> Office:
    office = Office.staffed(folder, database_url, tokenizer)
    office.user("mia", member_of=["handbook"], manager_of=["handbook"], clearance="confidential")
    return office


async def begun(office: Office, request: PrepareIndex = OTHER) -> Run:
    with office.asking("mia") as room:
        return await room.build_index(request)


async def built(office: Office, request: PrepareIndex = OTHER) -> Run:
    return await office.over("mia", (await begun(office, request)).id)


async def state(office: Office) -> IndexState:
    with office.asking("mia") as room:
        return await room.index_status(HANDBOOK)


async def switched(office: Office) -> IndexState:
    with office.asking("mia") as room:
        return await room.switch_index(HANDBOOK)


async def dropped(office: Office) -> IndexState:
    with office.asking("mia") as room:
        return await room.drop_index(HANDBOOK)


async def found(office: Office, who: str = "ben", *, everywhere: bool = False, query: str = "words") -> list[str]:
    """The texts that a search finds."""
    asked = Search(query=query, collections=None if everywhere else ("handbook",), limit=200)
    with calling_as(office.callers[who]):
        return sorted(hit.chunk.text for hit in (await retrieval_over(office).search(asked)).hits)


async def clean(office: Office) -> None:
    """Until nothing is on its way, and nothing is amiss."""
    async with asyncio.timeout(20):
        while True:
            with office.asking("root") as room:
                found = await room.reconcile(Reconcile())
                runs = (await room.status(Nothing())).runs
            if not found.discrepancies and not runs["queued"] + runs["running"]:
                return
            await asyncio.sleep(0.02)


def points(office: Office, index: str) -> int:
    return len(office.vectors.points.get(index, {}))


async def test_a_second_index_is_built_switched_to_gone_back_from_and_dropped(office: Office) -> None:
    await office.put("ada", "a.md", LONG)
    await office.put("ada", "b.md", "Short words.")
    before = await found(office)
    run = await built(office)
    assert (run.kind, run.state, run.progress.done, run.progress.total) == ("build-index", "succeeded", 2, 2)
    there = await state(office)
    assert (there.state, there.done, there.total, there.missing, there.run) == ("ready", 2, 2, 0, run.id)
    assert await found(office) == before
    assert points(office, SECOND) != points(office, FIRST) > 0
    after = await switched(office)
    assert (after.index.name, after.standby and after.standby.name) == (SECOND, FIRST)
    other = await found(office)
    assert other != before
    assert len(other) == points(office, SECOND)
    await clean(office)
    assert (await switched(office)).index.name == FIRST
    assert await found(office) == before
    assert (await dropped(office)).state == "none"
    await clean(office)
    assert (points(office, FIRST), points(office, SECOND)) == (len(before), 0)
    assert await found(office) == before


async def test_the_first_index_may_go_and_all_goes_on_from_the_second(office: Office) -> None:
    put = await office.put("ada", "a.md", LONG)
    await built(office)
    await switched(office)
    passages = await found(office)
    await dropped(office)
    await clean(office)
    assert points(office, FIRST) == 0
    assert await found(office) == passages
    shown = await office.get("ada", put.id)
    assert [(v.number, v.state) for v in shown.versions] == [(1, "current")]
    with office.asking("ada") as room:
        assert (await room.text(OfVersion(id=str(put.id)))).text == LONG
        assert (await room.status(Nothing())).chunks == len(passages)
        await room.update(UpdateDocument(id=str(put.id), title="Another title"))
    await clean(office)
    assert all("Another title" in point.text for point, _ in office.vectors.points[SECOND].values())
    await office.put("ada", "a.md", "New words.")
    await clean(office)
    assert await found(office) == ["New words."]
    await built(office, PrepareIndex(collection="handbook"))
    await switched(office)
    assert await found(office) == ["New words."]
    await clean(office)
    with office.asking("ada") as room:
        await room.delete(ById(id=str(put.id)))
    await clean(office)
    assert not any(office.vectors.points.values())


async def test_who_may_not_is_told_so_and_what_cannot_be_made_changes_nothing(light: Office) -> None:
    for who, problem in (("ada", Forbidden), ("eve", CollectionMissing)):
        with light.asking(who) as room:
            for call in (room.index_status, room.switch_index, room.drop_index):
                with pytest.raises(problem):
                    await call(HANDBOOK)
            with pytest.raises(problem):
                await room.build_index(OTHER)
    with pytest.raises(Invalid, match="recipe"):
        await begun(light, PrepareIndex(collection="handbook", recipe="no-such"))
    light.embedding.fails = Invalid("no such model")
    with pytest.raises(Invalid, match="model"):
        await begun(light, PrepareIndex(collection="handbook", model="no-such"))
    light.embedding.fails = None
    assert (await state(light)).state == "none"
    with light.asking("mia") as room:
        for call in (room.switch_index, room.drop_index):
            with pytest.raises(StandbyMissing):
                await call(HANDBOOK)
    await built(light)
    with pytest.raises(StandbyThere):
        await begun(light)


async def test_what_is_written_while_it_is_built_stands_in_both(office: Office) -> None:
    for n in range(12):
        await office.put("ada", f"{n}.md", f"Words of {n}.")
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    office.embedding.before = wait
    run = await begun(office)
    with pytest.raises(StandbyNotReady):
        await switched(office)
    assert (await state(office)).state == "building"
    gate.set()
    ids = {d.key: d.id for d in (await office.listed("ada", limit=50)).items}
    await office.put("ada", "0.md", "Words that are new.")
    await office.put("ada", "12.md", "Words of 12.")
    with office.asking("ada") as room:
        await room.update(UpdateDocument(id=ids["1.md"], title="Renamed"))
        await room.set_access(SetAccess(id=ids["2.md"], access_level="confidential"))
        await room.delete(ById(id=ids["3.md"]))
    assert (await office.over("mia", run.id)).state == "succeeded"
    await clean(office)
    before = {who: await found(office, who) for who in ("ada", "ben")}
    assert len(before["ada"]) == 12
    assert len(before["ben"]) == 11
    await switched(office)
    assert {who: await found(office, who) for who in ("ada", "ben")} == before
    titles = {point.payload["key"]: point.text for point, _ in office.vectors.points[SECOND].values()}
    assert titles["1.md"].startswith("Renamed")
    await clean(office)


async def test_changes_after_the_switch_reach_both(office: Office) -> None:
    put = await office.put("ada", "a.md", "Old words.")
    await built(office)
    await switched(office)
    await office.put("ada", "a.md", "New words.")
    with office.asking("ada") as room:
        await room.set_access(SetAccess(id=str(put.id), access_level="confidential"))
        await room.update(UpdateDocument(id=str(put.id), title="Renamed"))
    await clean(office)
    for _ in range(2):
        assert (await found(office, "ada"), await found(office, "ben")) == (["New words."], [])
        for index in (FIRST, SECOND):
            ((point, _vector),) = office.vectors.points[index].values()
            assert "Renamed" in point.text
        await switched(office)


async def test_what_was_retired_before_and_after_a_switch_is_found_as_of_its_time(office: Office) -> None:
    put = await office.put("ada", "a.md", "First words.")
    await office.put("ada", "a.md", "Second words.")
    await built(office)
    await switched(office)
    await office.put("ada", "a.md", "Third words.")
    await clean(office)
    await dropped(office)
    await office.put("ada", "a.md", "Fourth words.")
    await clean(office)
    assert {index: points(office, index) for index in office.vectors.points} == {
        FIRST: 0, SECOND: 1, FIRST + HISTORY: 1, SECOND + HISTORY: 2,
    }  # fmt: skip
    versions = (await office.get("ada", put.id)).versions
    assert [v.state for v in versions] == ["retired", "retired", "retired", "current"]
    for everywhere in (False, True):
        for version, text in zip(versions, ("First", "Second", "Third", "Fourth"), strict=True):
            collections = None if everywhere else ("handbook",)
            asked = Search(query="words", collections=collections, as_of=version.current_from)
            with calling_as(office.callers["ben"]):
                hits = (await retrieval_over(office).search(asked)).hits
            assert [(h.chunk.text, h.document.version) for h in hits] == [(f"{text} words.", version.number)]


async def test_a_collection_that_keeps_no_history_keeps_none_of_either(light: Office) -> None:
    light.shelves.keep("handbook", 0)
    put = await light.put("ada", "a.md", "First words.")
    await built(light)
    await switched(light)
    await light.put("ada", "a.md", "Second words.")
    await clean(light)
    assert [v.number for v in (await light.get("ada", put.id)).versions] == [2]
    assert (points(light, FIRST), points(light, SECOND)) == (1, 1)


async def test_collections_that_share_an_index_are_not_found_twice(light: Office) -> None:
    light.shelves.add("notes")
    light.user("ben", member_of=["handbook", "notes"])
    light.user("ada", member_of=["handbook", "notes"])
    await light.put("ada", "a.md", "Words here.")
    await light.put("ada", "n.md", "Words there.", collection="notes")
    await built(light, PrepareIndex(collection="handbook"))
    for _ in range(2):
        assert await found(light, everywhere=True) == ["Words here.", "Words there."]
        await switched(light)
    await switched(light)
    await dropped(light)
    assert await found(light, everywhere=True) == ["Words here.", "Words there."]
    await clean(light)


async def test_one_document_that_fails_stops_no_other(light: Office) -> None:
    put = [await light.put("ada", f"{n}.md", f"Words of {n}.") for n in range(6)]

    seen = 0

    async def first_fails() -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            raise Invalid("not this one")

    light.embedding.before = first_fails
    run = await built(light)
    assert run.state == "failed"
    assert run.problem is not None
    assert run.problem["type"] == IndexIncomplete.urn
    (told,) = cast("list[dict[str, str]]", run.problem["documents"])
    assert told["document"] in {p.id for p in put}
    there = await state(light)
    assert (there.state, there.done, there.missing) == ("incomplete", 5, 1)
    with pytest.raises(StandbyNotReady):
        await switched(light)
    with light.asking("mia") as room:
        await room.retry_run(ById(id=run.id))
    assert (await light.over("mia", run.id)).state == "succeeded"
    await switched(light)
    await clean(light)


async def test_a_build_that_is_cut_off_goes_on_where_it_was(
    tmp_path: Path, database_url: str, tokenizer_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.documents.copying.SLICE", 8)
    office = staffed(tmp_path, database_url, tokenizer_file)
    async with office.opened():
        await office.put("ada", "a.md", LONG)
        hold = asyncio.Event()

        async def stop() -> None:
            if points(office, SECOND) >= 16:
                hold.set()
                await asyncio.Event().wait()

        office.embedding.before = stop
        run = await begun(office)
        await hold.wait()
        done = len(office.embedding.texts)
    office.embedding.before = None
    async with office.opened():
        assert (await office.over("mia", run.id)).state == "succeeded"
        assert len(office.embedding.texts) < done + points(office, SECOND)
        assert len(office.embedding.texts) - done == points(office, SECOND) - 16
        await switched(office)
        assert len(await found(office, query="probe")) == points(office, SECOND)
        await clean(office)


async def test_dropped_in_the_middle_nothing_is_left(light: Office) -> None:
    for n in range(4):
        await light.put("ada", f"{n}.md", f"Words of {n}.")
    reached, gate = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await gate.wait()

    light.vectors.before["upsert"] = wait
    run = await begun(light)
    await reached.wait()
    await dropped(light)
    gate.set()
    assert (await light.over("mia", run.id)).state == "cancelled"
    await clean(light)
    assert points(light, SECOND) == 0
    again = await built(light)
    assert again.state == "succeeded"


async def test_the_index_of_a_collection_that_is_out_of_reach_is_tried_again(light: Office) -> None:
    await light.put("ada", "a.md", "Words.")
    light.vectors.fails["upsert"] = Unavailable("down")
    run = await begun(light)
    await light.until("mia", run.id, lambda r: r.attempts > 0 and r.next_attempt_at is not None)
    del light.vectors.fails["upsert"]
    assert (await light.over("mia", run.id)).state == "succeeded"
    await switched(light)
    assert await found(light) == ["Words."]


async def test_searches_never_find_nothing_or_anything_twice(
    tmp_path: Path, sqlite_url: str, tokenizer_file: Path
) -> None:
    office = staffed(tmp_path, sqlite_url, tokenizer_file)
    async with office.opened(dropped_index_seconds=0.5):
        looks, odd = await searched_all_the_while(office)
    assert looks > 10
    assert not odd


async def searched_all_the_while(light: Office) -> tuple[int, list[Counter[str]]]:
    """How often was looked while indexes were built, switched and dropped, and what was wrong."""
    expected = {f"Words of {n}." for n in range(20)}
    for n in range(20):
        await light.put("ada", f"{n}.md", f"Words of {n}.")
    over, looks = False, 0
    odd: list[Counter[str]] = []

    async def ask(*, everywhere: bool) -> None:
        nonlocal looks
        while not over:
            looks += 1
            said = Counter(await found(light, everywhere=everywhere))
            if set(said) != expected or max(said.values()) > 1:
                odd.append(said)

    async with asyncio.TaskGroup() as tasks:
        for everywhere in (False, True):
            tasks.create_task(ask(everywhere=everywhere))
        for _ in range(2):
            await built(light)
            for _ in range(3):
                await switched(light)
                await asyncio.sleep(0)
            await dropped(light)
            await clean(light)
        over = True
    return looks, odd


KEYS = st.sampled_from(["a.md", "b.md", "c.md"])
STEP = st.one_of(
    st.tuples(st.just("put"), KEYS, st.sampled_from(["One word.", "Two words.", "Three more words."])),
    st.tuples(st.sampled_from(["delete", "close", "open", "rename"]), KEYS, st.just("")),
    st.tuples(st.sampled_from(["build", "switch", "drop"]), st.just(""), st.just("")),
)
_names = count()


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=4, max_size=14))
async def test_whatever_is_done_both_indexes_say_the_same(
    light: Office, steps: list[tuple[str, str, str]]
) -> None:
    """Against a plain record of what ada and ben read; nothing waits for what was begun before it."""
    name = f"g{next(_names)}"
    light.shelves.add(name)
    for person in ("ada", "ben", "mia"):
        light.user(person, member_of=[name], manager_of=[name], clearance="internal")
    light.user("ada", member_of=[name], manager_of=[name], clearance="confidential")
    record: dict[str, tuple[str, str, bool]] = {}
    for what, key, text in steps:
        with light.asking("ada") as room:
            if what == "put":
                put = await light.put("ada", key, text, collection=name)
                record[key] = (str(put.id), text, key in record and record[key][2])
            elif key in record and what == "delete":
                await room.delete(ById(id=record.pop(key)[0]))
            elif key in record and what in ("open", "close"):
                level = "internal" if what == "open" else "confidential"
                await room.set_access(SetAccess.model_validate({"id": record[key][0], "access_level": level}))
                record[key] = (*record[key][:2], what == "close")
            elif key in record and what == "rename":
                await room.update(UpdateDocument(id=record[key][0], title=f"Title {next(_names)}"))
            elif what == "build":
                with suppress(StandbyThere):
                    await room.build_index(PrepareIndex(collection=name, recipe="structure-200"))
            elif what in ("switch", "drop"):
                with suppress(StandbyMissing, StandbyNotReady):
                    await (room.switch_index if what == "switch" else room.drop_index)(
                        OfCollection(collection=name)
                    )
        await _agree(light, name, record)
    await clean(light)
    for _ in range(2):
        await _agree(light, name, record)
        with light.asking("ada") as room, suppress(StandbyMissing):
            await room.switch_index(OfCollection(collection=name))


async def _agree(office: Office, name: str, record: dict[str, tuple[str, str, bool]]) -> None:
    for who in ("ada", "ben"):
        asked = Search(query="word", collections=(name,), limit=200)
        with calling_as(office.callers[who]):
            hits = (await retrieval_over(office).search(asked)).hits
        expected = {key: text for key, (_, text, closed) in record.items() if who == "ada" or not closed}
        assert sorted((h.document.key, h.chunk.text) for h in hits) == sorted(expected.items())


async def test_the_standby_is_searched_by_who_may_switch_it(light: Office) -> None:
    await light.put("ada", "a.md", "Words.")
    asked = Search(query="words", collections=("handbook",), standby=True)
    retrieval = retrieval_over(light)
    with calling_as(light.callers["mia"]), pytest.raises(StandbyMissing):
        await retrieval.search(asked)
    await built(light)
    with calling_as(light.callers["mia"]):
        assert len((await retrieval.search(asked)).hits) == 1
        with pytest.raises(Invalid, match="standby"):
            await retrieval.search(Search(query="words", standby=True))
    for who, problem in (("ada", Forbidden), ("eve", CollectionMissing)):
        with calling_as(light.callers[who]), pytest.raises(problem):
            await retrieval.search(asked)


async def test_an_upload_that_is_called_off_leaves_nothing_in_either(light: Office) -> None:
    await light.put("ada", "a.md", "Old words.")
    await built(light)
    reached, gate = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        if points(light, SECOND) > 1:
            reached.set()
            await gate.wait()

    light.vectors.before["delete"] = wait  # the last thing that is done to a copy
    uploaded = await light.upload("ada", text_document("a.md", "New words."))
    await reached.wait()
    with light.asking("ada") as room:
        await room.cancel_run(ById(id=str(uploaded.run)))
    gate.set()
    await clean(light)
    assert (points(light, FIRST), points(light, SECOND)) == (1, 1)
    assert await found(light) == ["Old words."]
    with light.asking("ada") as room:
        await room.retry_run(ById(id=str(uploaded.run)))
    await light.over("ada", uploaded.run)
    await switched(light)
    assert await found(light) == ["New words."]
    await clean(light)


async def test_a_second_model_that_breaks_holds_uploads_up_until_its_index_is_dropped(light: Office) -> None:
    await light.put("ada", "a.md", "Old words.")
    await built(light, PrepareIndex(collection="handbook", model="other"))
    embed = light.embedding.embed_passages

    async def broken(request: EmbedPassages) -> Embedded:
        if request.model == "other":
            raise Invalid("it is broken")
        return await embed(request)

    light.embedding.embed_passages = broken  # type: ignore[method-assign]
    failed = await light.put("ada", "a.md", "New words.")
    assert (await light.get("ada", failed.id)).versions[-1].state == "failed"
    assert await found(light) == ["Old words."]
    await dropped(light)
    with light.asking("ada") as room:
        await room.retry_run(ById(id=str(failed.run)))
    await light.over("ada", failed.run)
    await clean(light)
    assert await found(light) == ["New words."]


async def test_what_was_being_indexed_where_is_dropped_meanwhile_comes_into_the_other(light: Office) -> None:
    await light.put("ada", "a.md", "Old words.")
    await built(light)
    reached, gate = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await gate.wait()

    light.vectors.before["upsert"] = wait
    uploaded = await light.upload("ada", text_document("a.md", "New words."))
    await reached.wait()
    await switched(light)
    await dropped(light)
    gate.set()
    assert (await light.over("ada", uploaded.run)).state == "succeeded"
    await clean(light)
    assert await found(light) == ["New words."]
    assert (points(light, FIRST), points(light, SECOND)) == (0, 1)


async def test_a_deleted_collection_takes_both_with_it(light: Office) -> None:
    for n in range(3):
        await light.put("ada", f"{n}.md", f"Words of {n}.")
    await built(light)
    ref = light.shelves.refs.pop("handbook")
    with light.asking("root") as room:
        await room.purge_collection(PurgeCollection(id=ref.id, name=ref.name, run="run_documents_purge"))
    await light.over("root", "run_documents_purge")
    assert not any(light.vectors.points.values())


async def test_what_was_dropped_while_nobody_took_note_is_cleared_by_the_sweep(
    tmp_path: Path, sqlite_url: str, tokenizer_file: Path
) -> None:
    office = staffed(tmp_path, sqlite_url, tokenizer_file)
    async with office.opened(dropped_index_seconds=0):
        await office.put("ada", "a.md", "Words.")
        await built(office)
    await office.shelves.drop_index(HANDBOOK)
    async with office.opened(dropped_index_seconds=0):
        await office.settled(lambda: points(office, SECOND) == 0)
        await clean(office)
        assert await found(office) == ["Words."]


async def test_a_second_index_that_this_room_was_never_told_of_is_taken_up(light: Office) -> None:
    await light.put("ada", "a.md", "Words.")
    await light.shelves.prepare_index(OTHER)
    there = await state(light)
    assert (there.state, there.missing, there.run) == ("incomplete", 1, None)
    assert (await built(light)).state == "succeeded"
    await switched(light)
    assert await found(light) == ["Words."]


async def test_what_failed_in_an_index_that_is_gone_is_retried_in_the_other(light: Office) -> None:
    light.embedding.fails = Invalid("not now")
    failed = await light.put("ada", "a.md", "Words.")
    assert (await light.get("ada", failed.id)).versions[0].state == "failed"
    light.embedding.fails = None
    await built(light)
    await switched(light)
    await dropped(light)
    with light.asking("ada") as room:
        await room.retry_run(ById(id=str(failed.run)))
    assert (await light.over("ada", failed.run)).state == "succeeded"
    await clean(light)
    assert await found(light) == ["Words."]
    assert points(light, FIRST) == 0


async def test_what_changes_while_its_copy_is_made_is_what_the_copy_says(light: Office) -> None:
    """All is renamed, closed and put into another language between a copy's points and the end of it."""
    put = await light.put("ada", "a.md", "Words.", metadata={"team": "old"})
    reached, gate = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await gate.wait()

    light.vectors.before["delete"] = wait  # comes after the last point of a copy
    run = await begun(light)
    await reached.wait()
    with light.asking("ada") as room:
        await room.update(UpdateDocument(id=str(put.id), language="de", metadata={}))
        await room.set_access(SetAccess(id=str(put.id), access_level="confidential"))
    gate.set()
    assert (await light.over("mia", run.id)).state == "succeeded"
    await clean(light)
    (first, _), (second, _) = (next(iter(light.vectors.points[index].values())) for index in (FIRST, SECOND))
    assert (first.text, first.language) == (second.text, second.language) == (second.text, "de")
    said = [
        {k: v for k, v in p.payload.items() if v not in (None, ()) and k != "version"} for p in (first, second)
    ]
    assert said[0] == said[1]
    assert "metadata.team" not in second.payload
    assert await found(light) == []
