"""Users and groups: who may change what, and what a change does."""

import asyncio
from typing import Any

import pytest

from kit.migrations import assert_migrations_match
from muniment.identity.contract import (
    ByName,
    CreateGroup,
    CreateUser,
    GroupCircle,
    GroupMissing,
    Ids,
    LastAdmin,
    Membership,
    NameTaken,
    SubjectMissing,
    Subjects,
    UpdateGroup,
    UpdateUser,
    UserMissing,
    WrongCredentials,
)
from muniment.identity.store import MIGRATIONS, metadata
from muniment.kernel.model import Nothing, Paged
from muniment.kernel.problems import Forbidden, Invalid, Unauthenticated


async def test_migrations_make_the_tables(database_url: str) -> None:
    await assert_migrations_match(metadata, MIGRATIONS, database_url)


async def test_a_user_is_made_changed_and_deleted(desk: Any) -> None:
    with desk.asking(await desk.admin()) as identity:
        await identity.create_group(CreateGroup(name="eng"))
        made = await identity.create_user(
            CreateUser(
                username="ada", password="password1", roles=("editor", "editor"), groups=("eng", "everyone")
            )
        )
        assert (made.roles, made.groups, made.clearance) == (("editor",), ("eng",), "internal")
        assert await identity.get_user(ByName(name="ada")) == made
        assert await identity.get_user(ByName(name=made.id)) == made
        same = await identity.update_user(UpdateUser(name="ada"))
        assert same == made
        changed = await identity.update_user(
            UpdateUser(name=made.id, username="lovelace", clearance="restricted", groups=None, roles=None)
        )
        assert (changed.username, changed.clearance, changed.groups, changed.roles) == (
            "lovelace",
            "restricted",
            (),
            (),
        )
        for field in ("username", "password", "clearance"):
            with pytest.raises(Invalid) as wrong:
                await identity.update_user(UpdateUser.model_validate({"name": made.id, field: None}))
            assert wrong.value.extra["errors"][0]["field"] == field
        await identity.delete_user(ByName(name="lovelace"))
        for gone in ("lovelace", made.id):
            with pytest.raises(UserMissing):
                await identity.get_user(ByName(name=gone))
        with pytest.raises(UserMissing):
            await identity.delete_user(ByName(name=made.id))


async def test_names_are_taken_while_they_exist(desk: Any) -> None:
    ada = await desk.user("ada")
    await desk.user("bob")
    with desk.asking(await desk.admin()) as identity:
        with pytest.raises(NameTaken):
            await identity.create_user(CreateUser(username="ada", password="password1"))
        with pytest.raises(NameTaken):
            await identity.update_user(UpdateUser(name="bob", username="ada"))
        await identity.create_group(CreateGroup(name="ada"))
        for name in ("ada", "everyone"):
            with pytest.raises(NameTaken):
                await identity.create_group(CreateGroup(name=name))
        await identity.update_user(UpdateUser(name="ada", username="ada"))
        await identity.delete_user(ByName(name="ada"))
        again = await identity.create_user(CreateUser(username="ada", password="password1"))
    assert again.id != ada.id


async def test_an_id_wins_over_a_name_that_looks_like_it(desk: Any) -> None:
    ada = await desk.user("ada")
    await desk.user(ada.id)
    with desk.asking(await desk.admin()) as identity:
        assert (await identity.get_user(ByName(name=ada.id))).username == "ada"


async def test_a_password_that_an_admin_sets_ends_the_sessions(desk: Any) -> None:
    await desk.user("ada")
    token = (await desk.sign_in("ada")).access_token
    with desk.asking(await desk.admin()) as identity:
        await identity.update_user(UpdateUser(name="ada", password="another one"))
    with pytest.raises(Unauthenticated):
        await desk.who(token)
    with pytest.raises(WrongCredentials):
        await desk.sign_in("ada")
    await desk.sign_in("ada", "another one")


async def test_somebody_always_administers(desk: Any) -> None:
    with desk.asking(await desk.admin()) as identity:
        for last in (
            identity.delete_user(ByName(name="admin")),
            identity.update_user(UpdateUser(name="admin", roles=("editor",))),
        ):
            with pytest.raises(LastAdmin):
                await last
        await identity.update_user(UpdateUser(name="admin", roles=("admin", "editor")))
    await desk.user("root", "admin")
    with desk.asking(await desk.admin()) as identity:
        answers = await asyncio.gather(
            identity.update_user(UpdateUser(name="admin", roles=("viewer",))),
            identity.update_user(UpdateUser(name="root", roles=("viewer",))),
            return_exceptions=True,
        )
    assert [type(answer) for answer in answers].count(LastAdmin) == 1


async def test_only_those_with_the_scope_manage_people(desk: Any) -> None:
    await desk.user("ada", "editor", "product_manager")
    with desk.asking(await desk.who((await desk.sign_in("ada")).access_token)) as identity:
        asked = [
            identity.create_user(CreateUser(username="eve", password="password1", roles=("admin",))),
            identity.list_users(Paged()),
            identity.get_user(ByName(name="ada")),
            identity.update_user(UpdateUser(name="ada", roles=("admin",))),
            identity.delete_user(ByName(name="admin")),
            identity.create_group(CreateGroup(name="eng")),
            identity.list_groups(Paged()),
            identity.get_group(ByName(name="everyone")),
            identity.update_group(UpdateGroup(group="everyone", name="us")),
            identity.delete_group(ByName(name="everyone")),
            identity.add_member(Membership(group="everyone", subject="user:ada")),
            identity.remove_member(Membership(group="everyone", subject="user:ada")),
        ]
        for call in asked:
            with pytest.raises(Forbidden) as problem:
                await call
            assert problem.value.extra["scope"] == "users:admin"
        assert (await identity.me(Nothing())).roles == ("editor", "product_manager")


async def test_groups_nest_and_never_in_a_circle(desk: Any) -> None:
    await desk.user("ada")
    token = (await desk.sign_in("ada")).access_token
    with desk.asking(await desk.admin()) as identity:
        for name in ("core", "eng", "staff"):
            await identity.create_group(CreateGroup(name=name))
        for group, subject in [("core", "user:ada"), ("eng", "group:core"), ("staff", "group:eng")]:
            for _ in range(2):
                await identity.add_member(Membership(group=group, subject=subject))
        await identity.add_member(Membership(group="staff", subject="user:ada"))
        staff = await identity.get_group(ByName(name="staff"))
        assert staff.members == ("group:eng", "user:ada")
        for group, subject in [("core", "group:staff"), ("core", "group:eng"), ("eng", "group:eng")]:
            with pytest.raises(GroupCircle):
                await identity.add_member(Membership(group=group, subject=subject))
        with desk.asking(await desk.who(token)):
            assert (await identity.me(Nothing())).groups == ("core", "eng", "staff")
        await identity.remove_member(Membership(group="eng", subject="group:core"))
        await identity.remove_member(Membership(group="eng", subject="group:core"))
        with desk.asking(await desk.who(token)):
            assert (await identity.me(Nothing())).groups == ("core", "staff")
        await identity.delete_group(ByName(name="staff"))
        with desk.asking(await desk.who(token)):
            assert (await identity.me(Nothing())).groups == ("core",)
        await identity.delete_user(ByName(name="ada"))
        assert (await identity.get_group(ByName(name="core"))).members == ()


async def test_two_halves_of_a_circle_at_once_do_not_close_it(desk: Any) -> None:
    with desk.asking(await desk.admin()) as identity:
        await identity.create_group(CreateGroup(name="a"))
        await identity.create_group(CreateGroup(name="b"))
        answers = await asyncio.gather(
            identity.add_member(Membership(group="a", subject="group:b")),
            identity.add_member(Membership(group="b", subject="group:a")),
            return_exceptions=True,
        )
    assert [type(answer) for answer in answers].count(GroupCircle) == 1


async def test_everyone_is_in_everyone_and_nobody_changes_it(desk: Any) -> None:
    with desk.asking(await desk.admin()) as identity:
        for change in (
            identity.update_group(UpdateGroup(group="everyone", name="us")),
            identity.delete_group(ByName(name="grp_everyone")),
            identity.add_member(Membership(group="everyone", subject="user:admin")),
            identity.remove_member(Membership(group="everyone", subject="user:admin")),
        ):
            with pytest.raises(Forbidden):
                await change
        await identity.create_group(CreateGroup(name="all-hands"))
        await identity.add_member(Membership(group="all-hands", subject="group:everyone"))
        assert (await identity.me(Nothing())).groups == ("all-hands",)


async def test_a_group_is_renamed_and_what_is_missing_is_named(desk: Any) -> None:
    with desk.asking(await desk.admin()) as identity:
        group = await identity.create_group(CreateGroup(name="eng"))
        renamed = await identity.update_group(UpdateGroup(group="eng", name="engineering"))
        assert (renamed.id, renamed.name) == (group.id, "engineering")
        with pytest.raises(Invalid):
            await identity.update_group(UpdateGroup(group="engineering", name=None))
        with pytest.raises(GroupMissing):
            await identity.get_group(ByName(name="eng"))
        with pytest.raises(GroupMissing):
            await identity.add_member(Membership(group="eng", subject="user:admin"))
        for call in (
            identity.add_member(Membership(group="engineering", subject="user:nobody")),
            identity.create_user(CreateUser(username="x", password="password1", groups=("nobody",))),
            identity.update_user(UpdateUser(name="admin", groups=("nobody",))),
        ):
            with pytest.raises(SubjectMissing) as missing:
                await call
            assert missing.value.extra["subject"].endswith(":nobody")
        with pytest.raises(UserMissing):
            await identity.get_user(ByName(name="x"))


async def test_subjects_are_turned_into_ids_and_back(desk: Any) -> None:
    ada = await desk.user("ada")
    names = ("group:everyone", "user:ada", "user:admin", "user:ada")
    ids = (await desk.identity.subject_ids(Subjects(names=names))).ids
    assert ids[:2] == ("grp_everyone", ada.id)
    assert ids[3] == ada.id
    found = await desk.identity.subject_names(Ids(ids=(*ids, "usr_gone")))
    assert found.names == dict(zip(ids, names, strict=True))
    assert (await desk.identity.subject_ids(Subjects(names=()))).ids == ()
    with pytest.raises(SubjectMissing) as missing:
        await desk.identity.subject_ids(Subjects(names=("user:ada", "group:ada", "user:gone")))
    assert missing.value.extra["subject"] == "group:ada"


async def test_more_subjects_than_an_engine_takes_in_one_query_are_looked_up(desk: Any) -> None:
    ada = await desk.user("ada")
    names = ("user:ada", *(f"user:none-{number}" for number in range(40_000)))
    with pytest.raises(SubjectMissing) as missing:
        await desk.identity.subject_ids(Subjects(names=names))
    assert missing.value.extra["subject"] == "user:none-0"
    assert (await desk.identity.subject_ids(Subjects(names=names[:1]))).ids == (ada.id,)


async def test_lists_come_in_pages(desk: Any) -> None:
    with desk.asking(await desk.admin()) as identity:
        for n in range(4):
            await identity.create_user(CreateUser(username=f"u{n}", password="password1"))
            await identity.create_group(CreateGroup(name=f"g{n}"))
        for ask, name in ((identity.list_users, "username"), (identity.list_groups, "name")):
            seen, cursor, pages = [], None, 0
            while True:
                page = await ask(Paged(limit=2, cursor=cursor))
                seen += [getattr(item, name) for item in page.items]
                pages, cursor = pages + 1, page.next_cursor
                if cursor is None:
                    break
            assert pages == 3
            assert len(seen) == len(set(seen)) == 5
            with pytest.raises(Invalid) as wrong:
                await ask(Paged(cursor="nonsense"))
            assert wrong.value.extra["errors"][0]["field"] == "cursor"
