"""API keys act for their owner, with at most the owner's scopes."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from muniment.identity.contract import (
    ApiKeyMissing,
    ByName,
    CreateApiKey,
    NameTaken,
    UpdateApiKey,
    UpdateUser,
)
from muniment.identity.store import api_keys
from muniment.kernel.caller import Caller
from muniment.kernel.model import Nothing, Paged
from muniment.kernel.problems import Forbidden, Invalid, Unauthenticated


async def caller_of(desk: Any, name: str) -> Caller:
    found: Caller = await desk.who((await desk.sign_in(name)).access_token)
    return found


async def test_a_key_acts_for_its_owner_and_only_its_hash_is_kept(desk: Any) -> None:
    await desk.user("ada", "editor")
    ada = await caller_of(desk, "ada")
    with desk.asking(ada) as identity:
        whole = await identity.create_api_key(CreateApiKey(name="whole"))
        narrow = await identity.create_api_key(CreateApiKey(name="narrow", scopes=("documents:read",)))
        assert await identity.get_api_key(ByName(name="narrow")) == await identity.get_api_key(
            ByName(name=narrow.id)
        )
        assert [key.name for key in (await identity.list_api_keys(Paged())).items] == ["whole", "narrow"]
    assert whole.key.startswith("mk_")
    as_whole, as_narrow = await desk.who(whole.key), await desk.who(narrow.key)
    assert (as_whole.principal, as_whole.roles, as_whole.scopes) == (ada.principal, ada.roles, ada.scopes)
    assert (as_narrow.roles, as_narrow.scopes) == (ada.roles, {"documents:read"})
    with desk.asking(as_narrow) as identity:
        assert (await identity.me(Nothing())).scopes == ("documents:read",)
    async with desk.database.read() as connection:
        kept = str((await connection.execute(select(api_keys))).all())
    assert whole.key.removeprefix("mk_") not in kept


async def test_a_key_loses_what_its_owner_loses_and_goes_with_its_owner(desk: Any) -> None:
    await desk.user("ada", "editor")
    with desk.asking(await caller_of(desk, "ada")) as identity:
        key = (await identity.create_api_key(CreateApiKey(name="k"))).key
    assert "documents:write" in (await desk.who(key)).scopes
    with desk.asking(await desk.admin()) as identity:
        await identity.update_user(UpdateUser(name="ada", roles=("viewer",)))
        assert (await desk.who(key)).scopes == {"documents:read"}
        await identity.delete_user(ByName(name="ada"))
    with pytest.raises(Unauthenticated):
        await desk.who(key)


async def test_a_deleted_or_expired_key_is_refused_at_once(desk: Any) -> None:
    with desk.asking(await desk.admin()) as identity:
        deleted = await identity.create_api_key(CreateApiKey(name="deleted"))
        until = desk.clock() + timedelta(hours=1)
        expiring = await identity.create_api_key(CreateApiKey(name="expiring", expires_at=until))
        for key in (deleted, expiring):
            await desk.who(key.key)
        await identity.delete_api_key(ByName(name="deleted"))
        with pytest.raises(ApiKeyMissing):
            await identity.delete_api_key(ByName(name="deleted"))
        with pytest.raises(Unauthenticated):
            await desk.who(deleted.key)
        desk.clock.forward(hours=1)
        with pytest.raises(Unauthenticated):
            await desk.who(expiring.key)
        longer = await identity.update_api_key(UpdateApiKey(key="expiring", expires_at=None, name="eternal"))
        assert (longer.expires_at, longer.name) == (None, "eternal")
        await desk.who(expiring.key)


async def test_changed_scopes_hold_on_the_next_request(desk: Any) -> None:
    with desk.asking(await desk.admin()) as identity:
        key = await identity.create_api_key(CreateApiKey(name="k", scopes=("users:admin", "documents:read")))
        assert key.scopes == ("documents:read", "users:admin")
        assert (await desk.who(key.key)).scopes == set(key.scopes)
        await identity.update_api_key(UpdateApiKey(key=key.id, scopes=("documents:read",)))
        assert (await desk.who(key.key)).scopes == {"documents:read"}
        await identity.update_api_key(UpdateApiKey(key=key.id, scopes=None))
        assert "config:admin" in (await desk.who(key.key)).scopes
        with pytest.raises(Invalid):
            await identity.update_api_key(UpdateApiKey(key=key.id, name=None))


async def test_a_key_gives_no_more_than_it_has(desk: Any) -> None:
    until = desk.clock() + timedelta(hours=1)
    with desk.asking(await desk.admin()) as identity:
        narrow = await identity.create_api_key(
            CreateApiKey(name="narrow", scopes=("documents:read",), expires_at=until)
        )
    with desk.asking(await desk.who(narrow.key)) as identity:
        for request in (
            CreateApiKey(name="wider", scopes=("documents:write",), expires_at=until),
            CreateApiKey(name="longer", expires_at=until + timedelta(seconds=1)),
            CreateApiKey(name="endless"),
        ):
            with pytest.raises(Forbidden):
                await identity.create_api_key(request)
        for change in (
            UpdateApiKey(key="narrow", scopes=("users:admin",)),
            UpdateApiKey(key="narrow", expires_at=None),
        ):
            with pytest.raises(Forbidden):
                await identity.update_api_key(change)
        child = await identity.create_api_key(CreateApiKey(name="child", expires_at=until))
        assert child.scopes == ("documents:read",)


async def test_keys_are_their_owners_alone(desk: Any) -> None:
    await desk.user("ada")
    with desk.asking(await caller_of(desk, "ada")) as identity:
        key = await identity.create_api_key(CreateApiKey(name="k"))
        await identity.create_api_key(CreateApiKey(name=key.id))
        assert (await identity.get_api_key(ByName(name=key.id))).name == "k"
        with pytest.raises(NameTaken):
            await identity.create_api_key(CreateApiKey(name="k"))
        with pytest.raises(NameTaken):
            await identity.update_api_key(UpdateApiKey(key="k", name=key.id))
        first = await identity.list_api_keys(Paged(limit=1))
        rest = await identity.list_api_keys(Paged(limit=1, cursor=first.next_cursor))
        assert (len(first.items), len(rest.items), rest.next_cursor) == (1, 1, None)
    with desk.asking(await desk.admin()) as identity:
        assert (await identity.list_api_keys(Paged())).items == ()
        for call in (
            identity.get_api_key(ByName(name=key.id)),
            identity.delete_api_key(ByName(name=key.id)),
            identity.update_api_key(UpdateApiKey(key=key.id, name="mine")),
        ):
            with pytest.raises(ApiKeyMissing):
                await call
        await identity.create_api_key(CreateApiKey(name="k"))


async def test_the_key_of_this_machine_is_the_first_admins_and_ends_the_one_before(desk: Any) -> None:
    with desk.asking(await desk.admin()) as identity:
        before = await identity.local_key(Nothing())
        after = await identity.local_key(Nothing())
    who = await desk.who(after.key)
    assert (who.name, who.roles) == ("admin", {"admin"})
    assert "users:admin" in who.scopes
    with pytest.raises(Unauthenticated):
        await desk.who(before.key)
