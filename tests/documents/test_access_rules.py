"""Who may read: in the index, at hydration, in lists, counts and texts; also while an ingestion runs."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.neighbours import tokens
from kit.office import Office, text_document
from muniment.documents.access import Holding, may_read
from muniment.documents.contract import (
    ById,
    CountReadable,
    DocumentMissing,
    ListDocuments,
    OfVersion,
    SetAccess,
    UpdateDocument,
)
from muniment.identity.contract import LEVELS, Level
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.problems import Forbidden, Invalid, Unavailable
from muniment.vectors.contract import EngineDown

LEASES = "# Leases\n\nThe vault renews each lease every ten seconds.\n"


class Gate:
    """Something that waits until it is let through."""

    def __init__(self) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.open.wait()


async def test_readers_given_with_the_upload_hold_before_anything_is_indexed(sqlite_office: Office) -> None:
    gate = sqlite_office.vectors.before["upsert"] = Gate()
    uploaded = await sqlite_office.upload(
        "ada", text_document("a.md", LEASES, access_level="restricted", grants=("user:eve",))
    )
    await gate.reached.wait()
    assert (await sqlite_office.get("eve", uploaded.documents[0].id)).version is None
    with pytest.raises(DocumentMissing):
        await sqlite_office.get("ben", uploaded.documents[0].id)
    gate.open.set()
    await sqlite_office.over("ada", uploaded.run)
    (payload,) = sqlite_office.vectors.payloads()
    collection = sqlite_office.shelves.refs["handbook"].id
    ada, eve = sqlite_office.people.ids["user:ada"], sqlite_office.people.ids["user:eve"]
    assert set(payload["readers"]) == {ada, eve, f"{collection}:restricted", f"{collection}:granted"}


@pytest.mark.parametrize("grants", [("user:eve",), ()], ids=["granted", "revoked"])
async def test_a_change_while_the_document_is_ingested_is_in_the_index_when_it_is_current(
    office: Office, grants: tuple[str, ...]
) -> None:
    stood = () if grants else ("user:eve",)
    for step in ("upsert", "ensure"):
        gate = office.vectors.before[step] = Gate()
        uploaded = await office.upload("ada", text_document(f"{step}.md", LEASES, grants=stood))
        document = uploaded.documents[0].id or ""
        await gate.reached.wait()
        with office.asking("ada") as room:
            changed = asyncio.create_task(room.set_access(SetAccess(id=document, grants=grants)))
        assert (await asyncio.wait_for(changed, 10)).grants == grants
        del office.vectors.before[step]
        gate.open.set()
        await office.over("ada", uploaded.run)
        eve = office.people.ids["user:eve"]
        assert all((eve in p["readers"]) == bool(grants) for p in office.vectors.payloads(document=document))
        hydrated = await office.hydrated("eve", office.all_chunks())
        assert (document in {p.document.id for p in hydrated}) == bool(grants)


async def test_a_grant_and_its_revocation_are_in_force_when_answered(office: Office) -> None:
    put = await office.put("ada", "a.md", LEASES)
    document = put.id or ""
    for grants in (("user:eve",), (), ("group:everyone",), ()):
        with office.asking("ada") as room:
            assert (await room.set_access(SetAccess(id=document, grants=grants))).grants == grants
        assert len(await office.passages("eve")) == len(grants)
        assert len(await office.hydrated("eve", office.all_chunks())) == len(grants)
    with office.asking("ada") as room:
        await room.set_access(SetAccess(id=document, access_level="confidential"))
    assert not await office.passages("ben")
    assert len(await office.passages("ada")) == 1
    with office.asking("ada") as room:
        await room.set_access(SetAccess(id=document, owner="user:eve"))
    assert (await office.get("eve", document)).owner == "user:eve"


async def test_a_revocation_holds_at_once_when_the_index_cannot_be_written(sqlite_office: Office) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES, grants=("user:eve",))
    sqlite_office.vectors.fails["set_payload"] = EngineDown("down")
    with sqlite_office.asking("ada") as room:
        assert (await room.set_access(SetAccess(id=put.id or "", grants=()))).grants == ()
    eve = sqlite_office.people.ids["user:eve"]
    assert all(eve in p["readers"] for p in sqlite_office.vectors.payloads())
    assert not await sqlite_office.passages("eve")
    with pytest.raises(DocumentMissing):
        await sqlite_office.get("eve", put.id)


async def test_a_grant_is_not_answered_before_the_index_took_it(sqlite_office: Office) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES)
    sqlite_office.vectors.fails["set_payload"] = EngineDown("down")
    with sqlite_office.asking("ada") as room:
        with pytest.raises(Unavailable):
            await room.set_access(SetAccess(id=put.id or "", grants=("user:eve",)))
        sqlite_office.vectors.fails.clear()
        await room.set_access(SetAccess(id=put.id or "", grants=("user:eve",)))
    assert len(await sqlite_office.passages("eve")) == 1


async def test_the_index_catches_up_by_itself(sqlite_office: Office) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES, grants=("user:eve",))
    sqlite_office.vectors.fails["set_payload"] = EngineDown("down")
    with sqlite_office.asking("ada") as room:
        await room.set_access(SetAccess(id=put.id or "", grants=()))
    sqlite_office.vectors.fails.clear()
    eve = sqlite_office.people.ids["user:eve"]
    await sqlite_office.settled(lambda: all(eve not in p["readers"] for p in sqlite_office.vectors.payloads()))
    assert len(await sqlite_office.passages("ben")) == 1


async def test_what_one_may_not_read_is_missing_everywhere(office: Office) -> None:
    put = await office.put("ada", "a.md", LEASES, access_level="confidential")
    document = put.id or ""
    chunks = office.all_chunks()
    for who in ("ben", "ed", "eve", "root"):
        assert not await office.hydrated(who, chunks)
        with office.asking(who) as room:
            calls: list[Any] = [
                (room.get, ById(id=document)),
                (room.text, OfVersion(id=document)),
                (room.content, OfVersion(id=document)),
                (room.get_access, ById(id=document)),
                (room.set_access, SetAccess(id=document, grants=())),
                (room.update, UpdateDocument(id=document, status="draft")),
                (room.delete, ById(id=document)),
            ]
            for call, request in calls:
                with pytest.raises(DocumentMissing):
                    await call(request)
            assert document not in (await room.count_readable(CountReadable())).counts
            if who in {"ben", "ed"}:
                assert not (await room.list(ListDocuments(collection="handbook"))).items
    assert len(await office.hydrated("ada", chunks)) == 1


async def test_readable_but_not_writable_is_forbidden(sqlite_office: Office) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES)
    document = put.id or ""
    with sqlite_office.asking("ben") as room:
        for call, request in (
            (room.update, UpdateDocument(id=document, status="draft")),
            (room.set_access, SetAccess(id=document, grants=())),
            (room.delete, ById(id=document)),
        ):
            with pytest.raises(Forbidden):
                await call(request)  # type: ignore[operator]
    with sqlite_office.asking("ada") as room, pytest.raises(Invalid):
        await room.set_access(SetAccess(id=document, owner=None))
    with sqlite_office.asking("ed") as room:
        access = await room.set_access(SetAccess(id=document, grants=("user:eve",)))
    assert (access.owner, access.grants, access.access_level) == ("user:ada", ("user:eve",), "internal")


async def test_a_withheld_collection_is_gone_at_once(sqlite_office: Office) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES)
    chunks = sqlite_office.all_chunks()
    collection = sqlite_office.shelves.refs["handbook"].id
    gone = sqlite_office.callers["ada"].model_copy(update={"withheld": frozenset({collection})})
    sqlite_office.callers["ada"] = gone
    assert not await sqlite_office.hydrated("ada", chunks)
    with sqlite_office.asking("ada") as room:
        assert (await room.count_readable(CountReadable())).counts == {}
    with pytest.raises(DocumentMissing):
        await sqlite_office.get("ada", put.id)


async def test_counts_are_of_what_one_reads(office: Office) -> None:
    collection = office.shelves.refs["handbook"].id
    await office.put("ada", "a.md", LEASES)
    await office.put("ada", "b.md", LEASES, access_level="confidential")
    for who, count in (("ada", 2), ("ben", 1), ("eve", 0)):
        with office.asking(who) as room:
            counts = (await room.count_readable(CountReadable(collections=(collection,)))).counts
        assert counts.get(collection, 0) == count


PEOPLE = ("usr_a", "usr_b")
GROUPS = ("grp_g", "grp_everyone")
COLLECTIONS = ("col_x", "col_y")


@given(
    owner=st.sampled_from(PEOPLE),
    grants=st.sets(st.sampled_from((*PEOPLE, *GROUPS))),
    level=st.sampled_from(LEVELS),
    who=st.sampled_from(PEOPLE),
    in_group=st.booleans(),
    member_of=st.sets(st.sampled_from(COLLECTIONS)),
    granted=st.booleans(),
    clearance=st.sampled_from(LEVELS),
    withheld=st.booleans(),
)
def test_reading_is_what_the_rules_say(
    owner: str,
    grants: set[str],
    level: Level,
    who: str,
    in_group: bool,  # noqa: FBT001 - drawn by hypothesis
    member_of: set[str],
    granted: bool,  # noqa: FBT001
    clearance: Level,
    withheld: bool,  # noqa: FBT001
) -> None:
    groups = {"grp_everyone"} | ({"grp_g"} if in_group else set())
    held = tokens(who, groups=groups, member_of=member_of, clearance=clearance)
    held |= {"col_x:granted"} if granted else frozenset()
    caller = Caller(
        principal=who,
        name=who,
        roles=frozenset({"admin"}),
        tokens=held,
        withheld=frozenset({"col_x"} if withheld else ()),
    )
    expected = not withheld and (
        who == owner
        or who in grants
        or bool(grants & groups)
        or granted
        or ("col_x" in member_of and LEVELS.index(clearance) >= LEVELS.index(level))
    )
    with calling_as(caller):
        assert may_read(Holding("col_x", owner, level, tuple(grants)), caller) is expected
