"""Searching as of a time, through retrieval and documents together, against a plain record of what was when."""

from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.office import Office
from muniment.documents.contract import ById, SetAccess, UpdateDocument
from muniment.kernel.caller import calling_as
from muniment.kernel.model import now
from muniment.kernel.problems import NotAvailable
from muniment.retrieval.contract import Hit, Mode, Search
from retrieval.conftest import retrieval_over

INSTANT = timedelta(microseconds=1)
MODES: tuple[Mode, ...] = ("hybrid", "dense", "keyword")
_names = count()


async def hits(
    office: Office, who: str, at: datetime | None, *, collection: str | None = "handbook", mode: Mode = "hybrid"
) -> tuple[Hit, ...]:
    retrieval = retrieval_over(office)
    collections = None if collection is None else (collection,)
    with calling_as(office.callers[who]):
        asked = Search(query="storage lease", collections=collections, limit=50, mode=mode, as_of=at)
        return (await retrieval.search(asked)).hits


class Shown(NamedTuple):
    """What a hit says, where a later version says it otherwise."""

    key: str
    text: str
    status: str | None


class Written(NamedTuple):
    """A version as it was written: from when to when it was current."""

    shown: Shown
    start: datetime
    end: datetime | None


class Record:
    """The naive oracle: every version there ever was, in a list."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.written: dict[str, list[Written]] = {}

    def put(self, key: str, document: str, text: str, at: datetime) -> None:
        past = self.written.setdefault(key, [])
        if past:
            past[-1] = past[-1]._replace(end=at)
        past.append(Written(Shown(key, text, past[-1].shown.status if past else None), at, None))
        self.ids[key] = document

    def label(self, key: str, status: str) -> None:
        last = self.written[key][-1]
        self.written[key][-1] = last._replace(shown=last.shown._replace(status=status))

    def delete(self, key: str) -> None:
        del self.written[key], self.ids[key]

    def at(self, time: datetime) -> set[Shown]:
        return {
            w.shown
            for past in self.written.values()
            for w in past
            if w.start <= time and (not w.end or time < w.end)
        }


KEYS = st.sampled_from(["a.md", "b.md"])
STEP = st.one_of(
    st.tuples(st.just("put"), KEYS, st.sampled_from(["lease", "storage lease", "storage"])),
    st.tuples(st.just("put"), KEYS, st.sampled_from(["storage storage", "a lease"])),
    st.tuples(st.just("label"), KEYS, st.sampled_from(["draft", "review"])),
    st.tuples(st.just("delete"), KEYS, st.just("")),
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=2, max_size=9))
async def test_any_history_is_found_as_it_was(office: Office, steps: list[tuple[str, str, str]]) -> None:
    name = f"h{next(_names)}"
    office.shelves.add(name)
    office.user("ada", member_of=[name])
    record, times = Record(), [now()]
    for what, key, word in steps:
        if what == "put":
            put = await office.put("ada", key, word, collection=name)
            found = await office.get("ada", put.id)
            if not put.duplicate:
                start = next(v.current_from for v in found.versions if v.number == found.version)
                assert start is not None
                record.put(key, found.id, word, start)
                times += [start - INSTANT, start]
        elif key in record.ids and what == "label":
            with office.asking("ada") as room:
                await room.update(UpdateDocument.model_validate({"id": record.ids[key], "status": word}))
            record.label(key, word)
        elif key in record.ids:
            with office.asking("ada") as room:
                await room.delete(ById(id=record.ids[key]))
            record.delete(key)
        times.append(now())
    for place, time in enumerate(times):
        mode = MODES[place % len(MODES)] if place % 2 else "dense"
        found_then = await hits(office, "ada", time, collection=name, mode=mode)
        shown = [Shown(h.document.key, h.chunk.text, h.document.status) for h in found_then]
        expected = record.at(time)
        if mode == "keyword":
            assert set(shown) <= expected
        else:
            assert set(shown) == expected
        assert len(shown) == len(set(shown))
    today = await hits(office, "ada", None, collection=name, mode="dense")
    assert {Shown(h.document.key, h.chunk.text, h.document.status) for h in today} == record.at(now())


async def test_before_during_and_after_the_move_the_same_is_found(office: Office) -> None:
    put = await office.put("ada", "a.md", "lease")
    office.vectors.fails["fetch"] = NotAvailable("not yet")
    await office.put("ada", "a.md", "storage")
    at = next(v.current_from for v in (await office.get("ada", put.id)).versions if v.number == 2)
    assert at is not None
    for _ in range(2):
        for mode in MODES:
            assert [h.chunk.text for h in await hits(office, "ben", at - INSTANT, mode=mode)] == ["lease"]
            assert [h.chunk.text for h in await hits(office, "ben", at, mode=mode)] == ["storage"]
            assert [h.chunk.text for h in await hits(office, "ben", None, mode=mode)] == ["storage"]
        office.vectors.fails.clear()
        await office.put("ada", "a.md", "storage", tags=("x",))


async def test_what_came_later_takes_no_places_from_what_was(office: Office) -> None:
    await office.put("ada", "old.md", "a lease of storage")
    at = now()
    text = "\n\n".join(f"# Part {n}\n\nstorage lease storage lease" for n in range(250))
    await office.put("ada", "new.md", text)
    office.vectors.calls.clear()
    assert [h.document.key for h in await hits(office, "ben", at)] == ["old.md"]
    assert office.vectors.calls["candidates"] == 2


async def test_todays_access_opens_and_closes_the_past(office: Office) -> None:
    put = await office.put("ada", "a.md", "lease")
    await office.put("ada", "a.md", "storage")
    at = next(v.current_from for v in (await office.get("ada", put.id)).versions if v.number == 2)
    assert at is not None
    for grants, readers in (((), {"ada", "ben"}), (("user:eve",), {"ada", "ben", "eve"}), ((), {"ada", "ben"})):
        with office.asking("ada") as room:
            await room.set_access(SetAccess(id=str(put.id), grants=grants))
        for who in ("ada", "ben", "eve"):
            found = await hits(office, who, at - INSTANT, collection=None)
            assert [h.chunk.text for h in found] == (["lease"] if who in readers else [])


async def test_a_collection_that_keeps_nothing_says_so(office: Office) -> None:
    await office.put("ada", "a.md", "lease")
    office.shelves.keep("handbook", 0)
    with pytest.raises(NotAvailable, match="handbook"):
        await hits(office, "ben", now())
    with pytest.raises(NotAvailable):
        await hits(office, "ben", now(), collection=None)
    assert await hits(office, "eve", now(), collection=None) == ()
