"""What is written while there are two indexes, or while one comes or goes, stands in both."""

import asyncio
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.generations.conftest import (
    FIRST,
    SECOND,
    begun,
    built,
    clean,
    dropped,
    found,
    points,
    state,
    switched,
)
from kit.office import Office, text_document
from muniment.collections.contract import (
    HISTORY,
    OfCollection,
    PrepareIndex,
    StandbyMissing,
    StandbyNotReady,
    StandbyThere,
)
from muniment.documents.contract import ById, SetAccess, UpdateDocument
from muniment.kernel.caller import calling_as
from muniment.retrieval.contract import Search
from retrieval.conftest import retrieval_over


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


KEYS = st.sampled_from(["a.md", "b.md", "c.md"])
STEP = st.one_of(
    st.tuples(st.just("put"), KEYS, st.sampled_from(["One word.", "Two words.", "Three more words."])),
    st.tuples(st.sampled_from(["delete", "close", "open", "rename"]), KEYS, st.just("")),
    st.tuples(st.sampled_from(["build", "switch", "drop"]), st.just(""), st.just("")),
)
_names = count()


@settings(
    max_examples=12,
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
