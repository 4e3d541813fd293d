"""Commands on users, groups and API keys."""

import getpass
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import quote

import typer

from muniment.cli.documents import LimitOption, YesOption
from muniment.cli.session import Session, asking, moment
from muniment.identity.contract import Level
from muniment.kernel.problems import Invalid

NameArgument = Annotated[str, typer.Argument(help="Its name, or its id.")]
SubjectArgument = Annotated[str, typer.Argument(help="As user:NAME or group:NAME.")]
RolesOption = Annotated[
    list[str] | None, typer.Option("--role", help="viewer, member, editor, admin; may be repeated.")
]
ClearanceOption = Annotated[Level | None, typer.Option("--clearance", help="The highest level they may read.")]

users = typer.Typer(no_args_is_help=True, help="Users: who they are, their roles, groups and clearance.")
groups = typer.Typer(no_args_is_help=True, help="Groups of users, and of groups.")
keys = typer.Typer(no_args_is_help=True, help="API keys: for programs that act for you.")


def ask_password(prompt: str) -> str:
    """A password, asked twice on a terminal, else the first line of the input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(f"{prompt}: ")
    if getpass.getpass("Again: ") != password:
        raise Invalid("the two passwords differ; nothing was changed")
    return password


@users.command("list")
@asking
def list_users(asked: Session, limit: LimitOption = 50) -> None:
    """List the users.

    Example: muniment users list
    """
    asked.list(
        "/api/v1/users",
        (
            ("NAME", lambda u: u["username"]),
            ("ROLES", lambda u: u["roles"]),
            ("CLEARANCE", lambda u: u["clearance"]),
            ("GROUPS", lambda u: u["groups"]),
        ),
        limit,
    )


@users.command("show")
@asking
def show_user(asked: Session, name: NameArgument) -> None:
    """Show a user.

    Example: muniment users show ada
    """
    told = asked.muniment.get(f"/api/v1/users/{quote(name, safe='')}")
    asked.show(told, told.items())


@users.command("create")
@asking
def create_user(
    asked: Session,
    name: Annotated[str, typer.Argument(help="Its name.")],
    role: RolesOption = None,
    group: Annotated[list[str] | None, typer.Option("--group", help="May be repeated.")] = None,
    clearance: ClearanceOption = "internal",
) -> None:
    """Make a user; the password is asked for, or is the first line of the input.

    Example: muniment users create ada --role editor --group eng
    """
    body = {
        "username": name,
        "password": ask_password(f"Password of {name}"),
        "roles": role or ["member"],
        "groups": group or [],
        "clearance": clearance,
    }
    told = asked.muniment.post("/api/v1/users", body)
    asked.show(told, told.items())


@users.command("update")
@asking
def update_user(
    asked: Session,
    name: NameArgument,
    role: RolesOption = None,
    group: Annotated[list[str] | None, typer.Option("--group", help="All of their groups.")] = None,
    clearance: ClearanceOption = None,
) -> None:
    """Change a user's roles, groups or clearance; in force with the answer.

    Example: muniment users update ada --clearance confidential
    """
    given = {"roles": role, "groups": group, "clearance": clearance}
    change = {field: value for field, value in given.items() if value is not None}
    told = asked.muniment.patch(f"/api/v1/users/{quote(name, safe='')}", change)
    asked.show(told, told.items())


@users.command("delete")
@asking
def delete_user(asked: Session, name: NameArgument, yes: YesOption = False) -> None:
    """Delete a user; documents of theirs stay.

    Example: muniment users delete ada
    """
    _delete(asked, "users", name, yes=yes)


@groups.command("list")
@asking
def list_groups(asked: Session, limit: LimitOption = 50) -> None:
    """List the groups and who is in them.

    Example: muniment groups list
    """
    asked.list("/api/v1/groups", (("NAME", lambda g: g["name"]), ("MEMBERS", lambda g: g["members"])), limit)


@groups.command("create")
@asking
def create_group(
    asked: Session,
    name: Annotated[str, typer.Argument(help="Its name.")],
    member: Annotated[list[str] | None, typer.Option("--member", help="user:NAME or group:NAME.")] = None,
) -> None:
    """Make a group, with members if any are given.

    Example: muniment groups create eng --member user:ada
    """
    asked.muniment.post("/api/v1/groups", {"name": name})
    for subject in member or ():
        asked.muniment.put(f"/api/v1/groups/{quote(name, safe='')}/members/{quote(subject, safe='')}")
    told = asked.muniment.get(f"/api/v1/groups/{quote(name, safe='')}")
    asked.show(told, told.items())


@groups.command("add")
@asking
def add_member(asked: Session, name: NameArgument, subject: SubjectArgument) -> None:
    """Put a user or a group into a group.

    Example: muniment groups add eng user:ada
    """
    asked.muniment.put(f"/api/v1/groups/{quote(name, safe='')}/members/{quote(subject, safe='')}")
    asked.tell({"group": name, "added": subject}, f"{subject} is in {name}")


@groups.command("remove")
@asking
def remove_member(asked: Session, name: NameArgument, subject: SubjectArgument) -> None:
    """Take a user or a group out of a group.

    Example: muniment groups remove eng user:ada
    """
    asked.muniment.delete(f"/api/v1/groups/{quote(name, safe='')}/members/{quote(subject, safe='')}")
    asked.tell({"group": name, "removed": subject}, f"{subject} is no longer in {name}")


@groups.command("delete")
@asking
def delete_group(asked: Session, name: NameArgument, yes: YesOption = False) -> None:
    """Delete a group; its members stay.

    Example: muniment groups delete eng
    """
    _delete(asked, "groups", name, yes=yes)


@keys.command("list")
@asking
def list_keys(asked: Session, limit: LimitOption = 50) -> None:
    """List your API keys; what they are is shown only when they are made.

    Example: muniment keys list
    """
    asked.list(
        "/api/v1/api-keys",
        (
            ("NAME", lambda k: k["name"]),
            ("ID", lambda k: k["id"]),
            ("EXPIRES", lambda k: moment(k["expires_at"]) or "never"),
            ("SCOPES", lambda k: k["scopes"]),
        ),
        limit,
    )


@keys.command("create")
@asking
def create_key(
    asked: Session,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="May be repeated.", show_default="all of yours")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="Until it expires.", show_default="never")
    ] = None,
) -> None:
    """Make an API key that acts for you; it is shown this once.

    Example: muniment keys create nightly-sync --scope documents:write --days 90
    """
    expires = None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()
    told = asked.muniment.post("/api/v1/api-keys", {"name": name, "scopes": scope, "expires_at": expires})
    asked.show(told, told.items())


@keys.command("delete")
@asking
def delete_key(asked: Session, name: NameArgument) -> None:
    """Delete an API key; it is refused from now on.

    Example: muniment keys delete nightly-sync
    """
    _delete(asked, "api-keys", name, yes=True)


def _delete(asked: Session, kind: str, name: str, *, yes: bool) -> None:
    asked.confirm(f"Delete {name} from the {kind}?", yes=yes)
    asked.muniment.delete(f"/api/v1/{kind}/{quote(name, safe='')}")
    asked.tell({"deleted": name}, f"deleted {name}")
