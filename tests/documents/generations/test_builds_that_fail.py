"""A build that fails, is cut off or called off goes on where it was, and leaves nothing behind."""

import asyncio
from pathlib import Path
from typing import cast

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
    IndexIncomplete,
    PrepareIndex,
    StandbyNotReady,
)
from muniment.documents.contract import ById
from muniment.embedding.contract import Embedded, EmbedPassages
from muniment.kernel.problems import Invalid, Unavailable


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
