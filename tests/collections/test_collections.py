"""Collections: made, seen, changed and deleted by those who may."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import event, select

from kit.migrations import assert_migrations_match
from muniment.collections import store
from muniment.collections.build import build
from muniment.collections.contract import (
    Collection,
    CollectionMissing,
    CollectionTaken,
    CreateCollection,
    DeleteCollection,
    DeletedCollection,
    GetCollection,
    ListCollections,
    Lookup,
    Purged,
    UpdateCollection,
)
from muniment.collections.service import CollectionsSettings
from muniment.identity.contract import ByName, Membership, SubjectMissing
from muniment.kernel.blobs import Blobs
from muniment.kernel.house import Ground
from muniment.kernel.model import Nothing
from muniment.kernel.outbox import Event
from muniment.kernel.problems import Forbidden, Invalid, Unauthenticated

READ = frozenset({"documents:read"})


async def create(town: Any, name: str, by: str = "ada", **fields: Any) -> Collection:
    async with town.asking(by) as collections:
        made: Collection = await collections.create(CreateCollection(name=name, **fields))
    return made


async def names_seen(town: Any, by: str, readable: frozenset[str] = frozenset()) -> list[str]:
    async with town.asking(by) as collections:
        page = await collections.list(ListCollections(readable=readable))
    return [item.name for item in page.items]


async def test_migrations_make_the_tables(database_url: str) -> None:
    await assert_migrations_match(store.metadata, store.MIGRATIONS, database_url)


async def test_who_makes_a_collection_is_its_member_and_manager(town: Any) -> None:
    await town.user("ada")
    made = await create(town, "handbook", title="The handbook 🦊", language="en", grants=("group:everyone",))
    assert made.id.startswith("col_")
    assert (made.members, made.managers, made.grants) == (("user:ada",), ("user:ada",), ("group:everyone",))
    assert (made.title, made.description, made.access_level, made.language) == (
        "The handbook 🦊",
        None,
        "internal",
        "en",
    )
    assert made.documents is None
    async with town.asking("ada") as collections:
        assert await collections.get(GetCollection(name="handbook")) == made
        assert await collections.get(GetCollection(name=made.id)) == made
        (ref,) = (await collections.lookup(Lookup(collections=("handbook",)))).items
    assert (ref.visible, ref.member, ref.manager) == (True, True, True)
    tokens = (await town.entitlement("ada")).tokens
    assert {t.partition(":")[2] for t in tokens} == {"public", "internal", "granted", "manager"}


async def test_making_one_needs_the_scope_and_known_subjects(town: Any) -> None:
    await town.user("ada")
    await town.user("vic", "viewer")
    with pytest.raises(Forbidden):
        await create(town, "handbook", by="vic")
    for field in ("members", "managers", "grants"):
        with pytest.raises(SubjectMissing) as missing:
            await create(town, "handbook", **{field: ("user:ada", "group:nobody")})
        assert missing.value.extra["subject"] == "group:nobody"
    assert await names_seen(town, "admin") == []


async def test_a_name_is_taken_even_by_what_one_does_not_see(town: Any) -> None:
    await town.user("ada")
    await town.user("bob")
    await create(town, "secret")
    for by in ("ada", "bob"):
        with pytest.raises(CollectionTaken):
            await create(town, "secret", by=by)
    async with town.asking("bob") as collections:
        request = CreateCollection(name="race")
        answers = await asyncio.gather(*(collections.create(request) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers].count(CollectionTaken) == 2


async def test_it_is_seen_by_those_who_have_to_do_with_it_and_by_no_one_else(town: Any) -> None:
    for name in ("ada", "mem", "man", "gra", "out"):
        await town.user(name, "viewer" if name == "gra" else "member")
    await town.group("inner", "user:mem")
    await town.group("outer", "group:inner")
    made = await create(town, "plans", members=("group:outer",), managers=("user:man",), grants=("user:gra",))
    await create(town, "alien", by="out")
    for by in ("ada", "mem", "man", "gra", "admin"):
        assert "plans" in await names_seen(town, by)
        async with town.asking(by) as collections:
            assert (await collections.get(GetCollection(name="plans"))).id == made.id
    assert await names_seen(town, "out") == ["alien"]
    readable = frozenset({made.id})
    assert await names_seen(town, "out", readable) == ["alien", "plans"]
    async with town.asking("out") as collections:
        seen = await collections.get(GetCollection(name="plans", readable=readable))
        assert (seen.members, seen.managers, seen.grants) == (None, None, None)
        for name in ("plans", made.id, "nothing", "\x00", "ünknown"):
            with pytest.raises(CollectionMissing) as missing:
                await collections.get(GetCollection(name=name))
            assert missing.value.extra["collection"] == name
        for call in (
            collections.update(UpdateCollection(name="plans", title="Mine")),
            collections.delete(DeleteCollection(name="plans")),
        ):
            with pytest.raises(CollectionMissing):
                await call
        refs = (await collections.lookup(Lookup(collections=("plans",)))).items
        assert [(r.id, r.visible, r.member, r.manager) for r in refs] == [(made.id, False, False, False)]


async def test_people_are_shown_to_those_who_may_change_them(town: Any) -> None:
    for name in ("ada", "mem", "edi"):
        await town.user(name, "editor" if name == "edi" else "member")
    await create(town, "plans", members=("user:mem", "user:edi"), grants=("group:everyone",))
    members = ("user:ada", "user:edi", "user:mem")
    expected = {
        "ada": (members, ("user:ada",), ("group:everyone",)),
        "admin": (members, ("user:ada",), ("group:everyone",)),
        "edi": (members, None, None),
        "mem": (None, None, None),
    }
    for by, people in expected.items():
        async with town.asking(by) as collections:
            one = await collections.get(GetCollection(name="plans"))
            (listed,) = (await collections.list(ListCollections())).items
        assert (one.members, one.managers, one.grants) == people
        assert listed == one


async def test_who_may_change_what(town: Any) -> None:
    for name in ("ada", "mem", "edi", "far"):
        await town.user(name, "editor" if name in {"edi", "far"} else "member")
    await create(town, "plans", members=("user:mem", "user:edi"), grants=("user:far",))
    for by in ("ada", "admin"):
        async with town.asking(by) as collections:
            changed = await collections.update(
                UpdateCollection(name="plans", title=f"By {by}", access_level="public")
            )
        assert (changed.title, changed.access_level) == (f"By {by}", "public")
    async with town.asking("edi") as collections:
        changed = await collections.update(
            UpdateCollection(name="plans", members=("user:mem", "user:edi", "user:far"))
        )
        assert changed.members == ("user:edi", "user:far", "user:mem")
    refused = {
        "edi": [{"title": "Mine"}, {"members": ("user:edi",), "managers": ("user:edi",)}],
        "mem": [{"title": "Mine"}, {"members": ("user:mem",)}, {}],
    }
    for by, requests in refused.items():
        async with town.asking(by) as collections:
            for fields in requests:
                with pytest.raises(Forbidden):
                    await collections.update(UpdateCollection(name="plans", **fields))
            with pytest.raises(Forbidden):
                await collections.delete(DeleteCollection(name="plans"))
    async with town.asking("ada", scopes=READ) as collections:
        with pytest.raises(Forbidden):
            await collections.update(UpdateCollection(name="plans", title="By a key that only reads"))
        with pytest.raises(Forbidden):
            await collections.delete(DeleteCollection(name="plans"))


async def test_null_clears_and_omitted_keeps(town: Any) -> None:
    await town.user("ada")
    made = await create(
        town, "plans", title="Plans", description="All of them", language="en", grants=("group:everyone",)
    )
    async with town.asking("ada") as collections:
        assert await collections.update(UpdateCollection(name="plans")) == made
        changed = await collections.update(
            UpdateCollection(name="plans", title=None, language=None, grants=None, members=())
        )
        assert (changed.title, changed.description, changed.language) == (None, "All of them", None)
        assert (changed.members, changed.managers, changed.grants) == ((), ("user:ada",), ())
        with pytest.raises(Invalid) as wrong:
            await collections.update(UpdateCollection(name="plans", access_level=None))
        assert wrong.value.extra["errors"][0]["field"] == "access_level"
        with pytest.raises(SubjectMissing):
            await collections.update(UpdateCollection(name="plans", title="Kept out", grants=("user:x",)))
        assert (await collections.get(GetCollection(name="plans"))).title is None


async def test_a_change_of_people_is_in_force_on_the_next_request(town: Any) -> None:
    await town.user("ada")
    await town.user("bob", clearance="confidential")
    made = await create(town, "plans")
    before = await town.entitlement("bob")
    assert before.tokens == ()
    async with town.asking("ada") as collections:
        await collections.update(UpdateCollection(name="plans", members=("user:bob",), grants=("user:bob",)))
    after = await town.entitlement("bob")
    assert after.epoch != before.epoch
    assert set(after.tokens) == {f"{made.id}:{last}" for last in ("public", "internal", "confidential", "granted")}
    async with town.asking("ada") as collections:
        await collections.update(UpdateCollection(name="plans", members=(), grants=None))
    assert (await town.entitlement("bob")).tokens == ()
    assert await names_seen(town, "bob") == []


async def test_a_new_user_of_an_old_name_inherits_nothing(town: Any) -> None:
    await town.user("ada")
    await town.user("bob")
    await create(town, "plans", members=("user:bob",))
    async with town.asking("admin"):
        await town.identity.delete_user(ByName(name="bob"))
    await town.user("bob")
    assert (await town.entitlement("bob")).tokens == ()
    async with town.asking("ada") as collections:
        assert (await collections.get(GetCollection(name="plans"))).members == ("user:ada",)


async def test_a_deleted_one_is_gone_at_once_and_withheld_until_purged(town: Any) -> None:
    await town.user("ada")
    made = await create(town, "plans", grants=("group:everyone",))
    epoch = (await town.entitlement("ada")).epoch
    async with town.asking("ada") as collections:
        gone = await collections.delete(DeleteCollection(name="plans"))
        assert (gone.id, gone.name) == (made.id, "plans")
        assert gone.run.startswith("run_documents_")
        with pytest.raises(CollectionMissing):
            await collections.delete(DeleteCollection(name="plans"))
    entitlement = await town.entitlement("ada")
    assert (entitlement.tokens, entitlement.withheld) == ((), (made.id,))
    assert entitlement.epoch != epoch
    for by in ("ada", "admin"):
        assert await names_seen(town, by, frozenset({made.id})) == []
        async with town.asking(by) as collections:
            assert (await collections.lookup(Lookup(collections=("plans", made.id)))).items == ()
            with pytest.raises(CollectionMissing):
                await collections.get(GetCollection(name="plans", readable=frozenset({made.id})))
            assert (await collections.indexes(Nothing())).items == ()
    again = await create(town, "plans")
    assert again.id != made.id
    for known in (made.id, made.id, again.id, "col_unknown"):
        await town.collections.purged(Purged(collection=known))
    assert (await town.entitlement("ada")).withheld == ()
    assert await names_seen(town, "ada") == ["plans"]


async def test_deletion_is_told_once_with_the_run(town: Any) -> None:
    await town.user("ada")
    await create(town, "plans")
    async with town.asking("ada") as collections:
        answers = await asyncio.gather(
            *(collections.delete(DeleteCollection(name="plans")) for _ in range(3)), return_exceptions=True
        )
    (gone,) = (answer for answer in answers if isinstance(answer, DeletedCollection))
    async with town.database.read() as connection:
        (row,) = (await connection.execute(select(store.outbox))).all()
    assert (row.type, DeletedCollection.model_validate(row.data)) == ("collection.deleted", gone)


async def test_lookup_answers_in_the_order_asked_and_names_the_index(town: Any) -> None:
    await town.user("ada")
    one, two = await create(town, "one"), await create(town, "two", access_level="restricted", language="de")
    async with town.asking("ada") as collections:
        asked = ("two", "none", one.id, "\x00", "two")
        refs = (await collections.lookup(Lookup(collections=asked))).items
        (index,) = (await collections.indexes(Nothing())).items
    assert [ref.id for ref in refs] == [two.id, one.id, two.id]
    assert (refs[0].access_level, refs[0].language) == ("restricted", "de")
    assert refs[0].index == index
    assert index.name == "all-minilm-l6-v2.structure-160.1"


async def test_more_names_than_an_engine_takes_in_one_query_are_looked_up(town: Any) -> None:
    await town.user("ada")
    made = await create(town, "plans")
    async with town.asking("ada") as collections:
        asked = (*(f"none-{number}" for number in range(40_000)), "plans")
        assert [ref.id for ref in (await collections.lookup(Lookup(collections=asked))).items] == [made.id]


async def test_lists_come_in_pages_by_name(town: Any) -> None:
    await town.user("ada")
    for name in ("b", "d", "a", "c", "e"):
        await create(town, name)
    await create(town, "bb", by="admin")
    for by, expected in (("ada", ["a", "b", "c", "d", "e"]), ("admin", ["a", "b", "bb", "c", "d", "e"])):
        seen, cursor = [], None
        async with town.asking(by) as collections:
            while True:
                page = await collections.list(ListCollections(limit=2, cursor=cursor))
                assert len(page.items) <= 2
                seen += [item.name for item in page.items]
                if (cursor := page.next_cursor) is None:
                    break
            with pytest.raises(Invalid):
                await collections.list(ListCollections(cursor="nonsense"))
        assert seen == expected


async def test_no_caller_is_unauthenticated(town: Any) -> None:
    with town.calling(None) as collections:
        for call in (
            collections.list(ListCollections()),
            collections.create(CreateCollection(name="x")),
            collections.lookup(Lookup(collections=())),
        ):
            with pytest.raises(Unauthenticated):
                await call


async def test_a_known_entitlement_costs_no_read_of_a_file_and_one_of_a_server(town: Any) -> None:
    await town.user("ada")
    await create(town, "plans")
    first = await town.entitlement("ada")
    statements: list[str] = []
    event.listen(
        town.database._readers.sync_engine,
        "before_cursor_execute",
        lambda *seen: statements.append(seen[2]),
    )
    assert await town.entitlement("ada") == first
    read = [statement for statement in statements if statement != "BEGIN"]
    assert all("FROM state" in statement for statement in read)
    assert len(read) == (town.database.dialect == "postgresql")


async def test_a_changed_group_changes_what_its_members_see(town: Any) -> None:
    await town.user("ada")
    await town.user("bob")
    await town.group("eng")
    await create(town, "plans", members=("group:eng",))
    async with town.asking("admin"):
        await town.identity.add_member(Membership(group="eng", subject="user:bob"))
    assert await names_seen(town, "bob") == ["plans"]
    async with town.asking("admin"):
        await town.identity.remove_member(Membership(group="eng", subject="user:bob"))
    assert await names_seen(town, "bob") == []


async def test_the_built_room_delivers_its_events(town: Any, sqlite_url: str, tmp_path: Path) -> None:
    await town.user("ada")
    heard: asyncio.Queue[Event] = asyncio.Queue()
    ground = Ground(
        data=tmp_path,
        database_url=sqlite_url.replace("/data", "/built"),
        blobs=Blobs.open(f"file://{tmp_path}/blobs"),
        secrets=("s",),
        subscribers={"collection.deleted": [heard.put]},
        announcements={},
        mounted=[],
        addresses={},
        peers={},
    )
    settings = CollectionsSettings(default_model="other")
    async with build(settings, ground, town.identity) as collections, town.asking("ada"):
        await collections.create(CreateCollection(name="plans"))
        (index,) = (await collections.indexes(Nothing())).items
        assert index.name == "other.structure-160.1"
        who = await town.who("admin")
        with town.calling(who):
            gone = await collections.delete(DeleteCollection(name="plans"))
        async with asyncio.timeout(10):
            told = await heard.get()
    assert DeletedCollection.model_validate(told.data) == gone


async def test_how_long_history_is_kept(town: Any) -> None:
    await town.user("ada")
    assert (await create(town, "plans")).history_days is None
    assert (await create(town, "notes", history_days=30)).history_days == 30
    async with town.asking("ada") as collections:
        assert (await collections.update(UpdateCollection(name="plans", history_days=0))).history_days == 0
        assert (await collections.update(UpdateCollection(name="plans", title="Plans"))).history_days == 0
        refs = (await collections.lookup(Lookup(collections=("plans", "notes")))).items
        assert [ref.history_days for ref in refs] == [0, 30]
        assert refs[0].index.history == f"{refs[0].index.name}.history"
        assert (await collections.update(UpdateCollection(name="notes", history_days=None))).history_days is None
    for days in (-1, 36_501):
        with pytest.raises(ValidationError):
            UpdateCollection(name="plans", history_days=days)
