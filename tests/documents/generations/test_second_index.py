"""Another index beside the present one: built, switched to, gone back from, dropped; searches never notice."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from documents.generations.conftest import (
    FIRST,
    HANDBOOK,
    LONG,
    OTHER,
    SECOND,
    begun,
    built,
    clean,
    dropped,
    found,
    points,
    staffed,
    state,
    switched,
)
from kit.office import Office
from muniment.collections.contract import (
    CollectionMissing,
    PrepareIndex,
    StandbyMissing,
    StandbyThere,
)
from muniment.documents.contract import ById, OfVersion, PurgeCollection, UpdateDocument
from muniment.kernel.caller import calling_as
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Forbidden, Invalid
from muniment.retrieval.contract import Search
from retrieval.conftest import retrieval_over


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


async def test_searches_never_find_nothing_or_anything_twice(
    tmp_path: Path, sqlite_url: str, tokenizer_file: Path
) -> None:
    office = staffed(tmp_path, sqlite_url, tokenizer_file)
    async with office.opened(dropped_index_seconds=1):
        looks, odd = await searched_all_the_while(office)
    assert looks > 10
    assert not odd


async def searched_all_the_while(light: Office) -> tuple[int, list[Counter[str]]]:
    """How often was looked while indexes were built, switched and dropped, and what was wrong."""
    expected = {f"Words of {n}." for n in range(8)}
    for n in range(8):
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
            await asyncio.sleep(0.01)  # what goes on meanwhile gets on

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


async def test_a_deleted_collection_takes_both_with_it(light: Office) -> None:
    for n in range(3):
        await light.put("ada", f"{n}.md", f"Words of {n}.")
    await built(light)
    ref = light.shelves.refs.pop("handbook")
    with light.asking("root") as room:
        await room.purge_collection(PurgeCollection(id=ref.id, name=ref.name, run="run_documents_purge"))
    await light.over("root", "run_documents_purge")
    assert not any(light.vectors.points.values())
