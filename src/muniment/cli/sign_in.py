"""Commands that sign in to a server and out again."""

import getpass
import socket
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

import typer

from muniment.cli.connection import JsonOption, understood
from muniment.cli.profiles import Profile, drop_profile, find_profile, keep_profile, profiles_file, read_profiles
from muniment.cli.session import table
from muniment.cli.terminal import err, out, plain, print_json
from muniment.kernel.ids import new_id
from muniment.kernel.problems import Invalid, Problem
from muniment.sdk import Muniment

DAYS = 90
"""After so long one signs in again."""


def login(
    server: Annotated[str, typer.Argument(help="The server's address.")],
    username: Annotated[str | None, typer.Option("--username", "-u", help="Asked for when left out.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What --server may say for it.", show_default="its host")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sign in to a server; from then on --server (or MUNIMENT_SERVER) with its address or name acts as you.

    Without a terminal it reads the password from the first line of its input. What is kept, in a file that only
    you can read, is an API key that expires after 90 days; `muniment logout` ends it.

    Example: muniment login https://muniment.example.org --username ada --name work
    """
    host = urlsplit(server).hostname
    if host is None:
        raise Invalid(f"{server!r} is no address of a server; one is https://muniment.example.org")
    on_terminal = sys.stdin.isatty()
    if username is None and not on_terminal:
        raise typer.BadParameter("--username is needed where nobody can be asked")
    user = username or typer.prompt("User name")
    password = getpass.getpass(f"Password of {user}: ") if on_terminal else sys.stdin.readline().rstrip("\n")
    with understood(server), Muniment(server) as stranger, stranger.login(user, password) as muniment:
        label = f"muniment login on {socket.gethostname()} ({new_id('cli')[-6:]})"[:128]
        expires = (datetime.now(UTC) + timedelta(days=DAYS)).isoformat()
        made = muniment.post("/api/v1/api-keys", {"name": label, "expires_at": expires})
        profile = Profile(
            name=name or host, address=muniment.server, username=user, key=made["key"], key_id=made["id"]
        )
    before = next((p for p in read_profiles() if p.name == profile.name), None)
    keep_profile(profile)
    if before is not None:
        _end(before)
    if as_json:
        print_json(profile.model_dump(exclude={"key"}))
        return
    out.print(plain(f"signed in to {profile.address} as {user}; until {expires[:10]}: --server {profile.name}"))


def logout(
    server: Annotated[str, typer.Argument(help="The server's name or address.")],
    as_json: JsonOption = False,
) -> None:
    """Sign out of a server: its key is deleted there and here.

    Example: muniment logout work
    """
    profile = find_profile(server)
    if profile is None:
        raise Invalid(f"you are not signed in to {server}; {profiles_file()} holds no such name or address")
    _end(profile)
    drop_profile(profile.name)
    if as_json:
        print_json(profile.model_dump(exclude={"key"}))
    else:
        out.print(plain(f"signed out of {profile.address}"))


def servers(as_json: JsonOption = False) -> None:
    """List the servers that you have signed in to.

    Example: muniment servers
    """
    profiles = [profile.model_dump(exclude={"key"}) for profile in read_profiles()]
    if as_json:
        print_json(profiles)
        return
    table(
        profiles,
        (("NAME", lambda p: p["name"]), ("USER", lambda p: p["username"]), ("ADDRESS", lambda p: p["address"])),
    )


def _end(profile: Profile) -> None:
    """Delete the key where it was made; a server that is gone has nothing to lose."""
    try:
        with Muniment(profile.address, profile.key) as muniment:
            muniment.delete(f"/api/v1/api-keys/{profile.key_id}")
    except Problem as problem:
        err.print(
            plain(f"the key could not be deleted on the server: {problem.detail or problem.title}", "yellow")
        )
