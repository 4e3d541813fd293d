"""Signing in and out: what each credential is good for, and until when."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from pydantic import ValidationError
from sqlalchemy import event, select

from muniment.identity.contract import (
    Authenticate,
    ByName,
    ChangePassword,
    Login,
    Logout,
    Refresh,
    SetPassword,
    UpdateUser,
    UserMissing,
    WrongCredentials,
)
from muniment.identity.store import refresh_tokens, users
from muniment.identity.tokens import new_signing_key, public, read_token, signer, trusted, write_token
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.model import Nothing, Paged, now
from muniment.kernel.problems import Forbidden, Problem, Unauthenticated


def part(token: str, index: int) -> dict[str, Any]:
    raw = token.split(".")[index]
    return dict(json.loads(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))))


async def refused(desk: Any, *credentials: str) -> None:
    for credential in credentials:
        with pytest.raises(Unauthenticated):
            await desk.who(credential)


async def test_the_first_admin_signs_in_and_is_who_they_say(desk: Any) -> None:
    tokens = await desk.sign_in()
    assert (tokens.token_type, tokens.expires_in_seconds) == ("Bearer", 900)
    assert set(part(tokens.access_token, 1)) == {"sub", "sid", "iat", "exp", "jti"}
    principal = await desk.identity.authenticate(Authenticate(credential=tokens.access_token))
    assert (principal.username, principal.roles, principal.groups) == ("admin", ("admin",), ())
    assert principal.group_ids == ("grp_everyone",)
    with desk.asking(await desk.who(tokens.access_token)) as identity:
        me = await identity.me(Nothing())
    assert me.username == "admin"
    assert me.scopes == principal.scopes
    assert "users:admin" in me.scopes


async def test_neither_of_name_and_password_is_told_wrong(desk: Any) -> None:
    details = set()
    for name, password in [("admin", "wrong"), ("nobody", "correct horse"), ("", ""), ("Ünïcödé 🦊", "x")]:
        with pytest.raises(WrongCredentials) as wrong:
            await desk.sign_in(name, password)
        details.add(wrong.value.detail)
    assert len(details) == 1


async def test_an_unknown_user_costs_a_hash_as_a_known_one_does(desk: Any) -> None:
    hashes = []

    class Counting:
        async def fits(self, password: str, kept: str | None) -> bool:
            hashes.append(kept is not None)
            return bool(await passwords.fits(password, kept))

    passwords, desk.service._passwords = desk.service._passwords, Counting()
    for name in ("admin", "nobody"):
        with pytest.raises(WrongCredentials):
            await desk.sign_in(name, "wrong")
    assert hashes == [True, False]


async def test_an_access_token_is_good_until_it_expires(desk: Any) -> None:
    token = (await desk.sign_in()).access_token
    desk.clock.forward(seconds=890)
    assert (await desk.who(token)).name == "admin"
    desk.clock.forward(seconds=11)
    await refused(desk, token)


async def test_logging_out_refuses_the_access_tokens_of_that_session_alone(desk: Any) -> None:
    here, there = await desk.sign_in(), await desk.sign_in()
    again = await desk.identity.refresh(Refresh(refresh_token=here.refresh_token))
    for token in (here, again, there):
        await desk.who(token.access_token)
    epoch = (await desk.who(there.access_token)).epoch
    for _ in range(2):
        await desk.identity.logout(Logout(refresh_token=again.refresh_token))
    await refused(desk, here.access_token, again.access_token)
    with pytest.raises(Unauthenticated):
        await desk.identity.refresh(Refresh(refresh_token=again.refresh_token))
    assert (await desk.who(there.access_token)).epoch == epoch, "a logout must not empty everybody's caches"
    await desk.identity.logout(Logout(refresh_token="unknown"))


async def test_a_refresh_token_is_good_once_and_its_second_use_ends_the_session(desk: Any) -> None:
    first = await desk.sign_in()
    second = await desk.identity.refresh(Refresh(refresh_token=first.refresh_token))
    third = await desk.identity.refresh(Refresh(refresh_token=second.refresh_token))
    await desk.who(third.access_token)
    with pytest.raises(Unauthenticated):
        await desk.identity.refresh(Refresh(refresh_token=first.refresh_token))
    await refused(desk, first.access_token, second.access_token, third.access_token)
    with pytest.raises(Unauthenticated):
        await desk.identity.refresh(Refresh(refresh_token=third.refresh_token))


async def test_of_two_refreshes_at_once_one_wins_at_most(desk: Any) -> None:
    tokens = await desk.sign_in()
    request = Refresh(refresh_token=tokens.refresh_token)
    answers = await asyncio.gather(*(desk.identity.refresh(request) for _ in range(4)), return_exceptions=True)
    assert sum(not isinstance(answer, Unauthenticated) for answer in answers) == 1
    await refused(desk, tokens.access_token)


async def test_a_session_that_nobody_refreshes_ends(desk: Any) -> None:
    tokens = await desk.sign_in()
    desk.clock.forward(days=29)
    tokens = await desk.identity.refresh(Refresh(refresh_token=tokens.refresh_token))
    desk.clock.forward(days=29)
    tokens = await desk.identity.refresh(Refresh(refresh_token=tokens.refresh_token))
    desk.clock.forward(days=31)
    with pytest.raises(Unauthenticated):
        await desk.identity.refresh(Refresh(refresh_token=tokens.refresh_token))
    await desk.sign_in()
    async with desk.database.read() as connection:
        kept = (await connection.execute(select(refresh_tokens))).all()
    assert len(kept) == 1, "an expired session goes with its tokens when somebody signs in"


async def test_nothing_secret_is_kept_as_it_is(desk: Any) -> None:
    tokens = await desk.sign_in()
    async with desk.database.read() as connection:
        kept = str((await connection.execute(select(refresh_tokens))).all())
        kept += str((await connection.execute(select(users))).all())
    assert tokens.refresh_token not in kept
    assert "correct horse" not in kept
    assert "$argon2id$" in kept


async def test_changing_the_password_ends_the_other_sessions(desk: Any) -> None:
    here, there = await desk.sign_in(), await desk.sign_in()
    with desk.asking(await desk.who(here.access_token)) as identity:
        with pytest.raises(WrongCredentials):
            await identity.change_password(ChangePassword(old_password="wrong", new_password="new password"))
        await identity.change_password(ChangePassword(old_password="correct horse", new_password="new password"))
    await desk.who(here.access_token)
    await refused(desk, there.access_token)
    with pytest.raises(WrongCredentials):
        await desk.sign_in("admin", "correct horse")
    await desk.sign_in("admin", "new password")


async def test_a_reset_ends_all_sessions_and_is_for_the_machine_alone(desk: Any) -> None:
    tokens = await desk.sign_in()
    with desk.asking(await desk.who(tokens.access_token)) as identity, pytest.raises(Forbidden):
        await identity.set_password(SetPassword(username="admin", password="taken over"))
    with desk.asking(Caller.system("cli")) as identity:
        await identity.set_password(SetPassword(username="admin", password="by the operator"))
        with pytest.raises(UserMissing):
            await identity.set_password(SetPassword(username="nobody", password="by the operator"))
        with pytest.raises(Unauthenticated):
            await identity.me(Nothing())
    await refused(desk, tokens.access_token)
    await desk.sign_in("admin", "by the operator")


async def test_what_happens_to_a_user_is_in_force_on_the_next_request(desk: Any) -> None:
    ada = await desk.user("ada", "editor")
    token = (await desk.sign_in("ada")).access_token
    assert "documents:write" in (await desk.who(token)).scopes
    with desk.asking(await desk.admin()) as identity:
        await identity.update_user(UpdateUser(name="ada", roles=("viewer",), username="lovelace"))
        who = await desk.who(token)
        assert (who.principal, who.name, who.scopes) == (ada.id, "lovelace", {"documents:read"})
        await identity.delete_user(ByName(name="lovelace"))
    await refused(desk, token)
    await desk.user("ada")
    await refused(desk, token)


async def test_a_known_credential_costs_no_read_of_a_file_and_one_of_a_server(desk: Any) -> None:
    token = (await desk.sign_in()).access_token
    statements: list[str] = []
    engine = desk.database._readers.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
    await desk.who(token)
    assert len(statements) > 1
    statements.clear()
    await desk.who(token)
    read = [s for s in statements if s != "BEGIN"]
    assert all("FROM state" in s for s in read)
    assert len(read) == (desk.database.dialect == "postgresql")


async def test_keys_rotate_and_stay_public_until_their_tokens_expire(desk: Any) -> None:
    old = (await desk.sign_in()).access_token
    desk.clock.forward(days=1, seconds=-60)
    late = (await desk.sign_in()).access_token
    desk.clock.forward(seconds=120)
    new = (await desk.sign_in()).access_token
    assert part(old, 0)["kid"] == part(late, 0)["kid"] != part(new, 0)["kid"]
    for token in (late, new):
        await desk.who(token)
    jwks = await desk.identity.jwks(Nothing())
    assert {key["kid"] for key in jwks.keys} == {part(late, 0)["kid"], part(new, 0)["kid"]}
    assert all(set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"} for key in jwks.keys)
    theirs = next(key for key in jwks.keys if key["kid"] == part(new, 0)["kid"])
    assert jwt.decode(new, ECKey.import_key(theirs), ["ES256"]).claims["sub"]
    desk.clock.forward(seconds=1000)
    jwks = await desk.identity.jwks(Nothing())
    assert {key["kid"] for key in jwks.keys} == {part(new, 0)["kid"]}


async def test_forged_tokens_are_refused(desk: Any) -> None:
    token = (await desk.sign_in()).access_token
    header, claims = part(token, 0), part(token, 1)
    (key,) = (await desk.identity.jwks(Nothing())).keys
    stranger = ECKey.generate_key("P-256", {"kid": header["kid"]})
    secret = OctKey.import_key(json.dumps(key).encode())
    head, body, signature = token.split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": key["kid"]}).encode()).decode()
    longer = base64.urlsafe_b64encode(json.dumps(claims | {"exp": 2**40}).encode()).decode().rstrip("=")
    await refused(
        desk,
        jwt.encode(header, claims, stranger, ["ES256"]),
        jwt.encode(header | {"alg": "HS256"}, claims, secret, ["HS256"]),
        jwt.encode(header | {"kid": "\x00"}, claims, stranger, ["ES256"]),
        f"{unsigned.rstrip('=')}.{body}.",
        f"{head}.{longer}.{signature}",
        f"{head}.{body}.{signature[:-4]}",
        f"{head}.{body}",
        token + ".",
        "mk_",
        "mk_" + "x" * 43,
        "",
    )
    assert (await desk.who(token)).name == "admin"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text()
    | st.lists(st.binary(max_size=60), min_size=2, max_size=4).map(
        lambda parts: ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts)
    )
    | st.just(base64.urlsafe_b64encode(b"[" * 4000).decode() + "..")
)
async def test_no_credential_is_a_defect(desk: Any, credential: str) -> None:
    await refused(desk, credential)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_no_engine_keeps_is_invalid_at_the_door(text: str) -> None:
    for make in (
        lambda: Login(username=text, password="x"),
        lambda: Login(username="x", password=text),
        lambda: ByName(name=text),
        lambda: Refresh(refresh_token=text),
    ):
        with pytest.raises(ValidationError):
            make()


def test_a_key_signs_for_its_rotation_and_is_trusted_until_its_last_token_expires() -> None:
    start, day, hour = now(), timedelta(days=1), timedelta(hours=1)
    first = new_signing_key(start)
    second = new_signing_key(start + day)
    assert signer([], start, day) is None
    assert signer([first], start + day - hour, day) == first
    assert signer([first], start + day, day) is None
    keys = [second, first]
    assert signer(keys, start + day, day) == second
    assert trusted(keys, start + day + hour, hour) == (second, first)
    assert trusted(keys, start + day + 2 * hour, hour) == (second,)
    token = write_token(first, user="usr_a", session="ses_a", at=start, lifetime=hour)
    claims = read_token(token, keys)
    assert claims is not None
    assert (claims.sub, claims.sid, claims.exp - claims.iat) == ("usr_a", "ses_a", 3600)
    assert read_token(token, [second]) is None
    assert read_token(token, []) is None
    assert "d" not in public(first)


async def test_no_caller_is_unauthenticated(desk: Any) -> None:
    with calling_as(None):
        for ask in (
            desk.identity.me(Nothing()),
            desk.identity.list_users(Paged()),
        ):
            with pytest.raises(Problem) as problem:
                await ask
            assert problem.value.status == 401
