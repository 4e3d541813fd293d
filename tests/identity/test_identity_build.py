"""The first start, and what comes of it."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from muniment.identity.base import IdentitySettings
from muniment.identity.build import build
from muniment.identity.contract import Login, SetPassword, WrongCredentials
from muniment.identity.service import SqlIdentity
from muniment.identity.store import MIGRATIONS
from muniment.kernel.blobs import Blobs
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.house import Ground
from muniment.kernel.model import Nothing

CHEAP = IdentitySettings(password_memory_kib=8, password_passes=1)


def ground(url: str, folder: Path) -> Ground:
    return Ground(
        data=folder,
        database_url=url,
        blobs=Blobs.open(f"file://{folder}/blobs"),
        secrets=("s",),
        subscribers={},
        announcements={},
        mounted=[],
        addresses={},
        peers={},
    )


async def test_a_password_is_made_once_and_shown_once(database_url: str, tmp_path: Path) -> None:
    first = ground(database_url, tmp_path)
    async with build(CHEAP, first) as identity:
        assert len((await identity.jwks(Nothing())).keys) == 1
    (text,) = first.announcements.values()
    password = text.split()[3]
    second = ground(database_url, tmp_path)
    async with build(CHEAP, second) as identity:
        assert second.announcements == {}
        await identity.login(Login(username="admin", password=password))
        with calling_as(Caller.system("cli")):
            await identity.set_password(SetPassword(username="admin", password="chosen by me"))
    async with build(CHEAP, ground(database_url, tmp_path)) as identity:
        await identity.login(Login(username="admin", password="chosen by me"))


async def test_a_given_password_is_the_first_ones_and_never_shown(database_url: str, tmp_path: Path) -> None:
    for given, fits in (("chosen", True), ("too late", False)):
        here = ground(database_url, tmp_path)
        settings = CHEAP.model_copy(update={"admin_password": SecretStr(given)})
        async with build(settings, here) as identity:
            assert here.announcements == {}
            sign_in = identity.login(Login(username="admin", password=given))
            if fits:
                assert (await sign_in).access_token
            else:
                with pytest.raises(WrongCredentials):
                    await sign_in


async def test_two_that_start_at_once_make_one_admin(postgresql_url: str, tmp_path: Path) -> None:
    async with ground(postgresql_url, tmp_path).database("identity", MIGRATIONS) as database:
        services = [SqlIdentity(database, CHEAP), SqlIdentity(database, CHEAP)]
        made = await asyncio.gather(*(service.first_start() for service in services))
    assert sum(password is not None for password in made) == 1
