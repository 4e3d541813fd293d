"""Commands on collections."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from muniment.cli.documents import LimitOption, YesOption
from muniment.cli.session import Session, asking
from muniment.identity.contract import Level

NameArgument = Annotated[str, typer.Argument(metavar="COLLECTION", help="Its name.")]
TitleOption = Annotated[str | None, typer.Option("--title", help="What people call it.")]
DescriptionOption = Annotated[str | None, typer.Option("--description", help="What is in it.")]
LevelOption = Annotated[Level | None, typer.Option("--access-level", help="Of documents added from now on.")]
LanguageOption = Annotated[str | None, typer.Option("--language", help="Two letters, as in ISO 639-1.")]
HistoryOption = Annotated[
    int | None, typer.Option("--history-days", min=0, help="How long retired versions are kept; 0: not at all.")
]

app = typer.Typer(no_args_is_help=True, help="Collections: sets of documents with their members and grants.")


def _at(name: str) -> str:
    return f"/api/v1/collections/{quote(name, safe='')}"


def _set(**fields: Any) -> dict[str, Any]:
    """What was given."""
    return {name: value for name, value in fields.items() if value is not None}


@app.command("list")
@asking
def list_collections(asked: Session, limit: LimitOption = 50) -> None:
    """List the collections that you see.

    Example: muniment collections list
    """
    asked.list(
        "/api/v1/collections",
        (
            ("NAME", lambda c: c["name"]),
            ("DOCUMENTS", lambda c: c["documents"]),
            ("LEVEL", lambda c: c["access_level"]),
            ("TITLE", lambda c: c["title"]),
        ),
        limit,
    )


@app.command()
@asking
def show(asked: Session, name: NameArgument) -> None:
    """Show a collection, its members and grants.

    Example: muniment collections show handbook
    """
    told = asked.muniment.get(_at(name))
    asked.show(told, told.items())


@app.command()
@asking
def create(
    asked: Session,
    name: NameArgument,
    title: TitleOption = None,
    description: DescriptionOption = None,
    access_level: LevelOption = None,
    member: Annotated[list[str] | None, typer.Option("--member", help="user:NAME or group:NAME.")] = None,
    manager: Annotated[list[str] | None, typer.Option("--manager", help="user:NAME or group:NAME.")] = None,
    grant: Annotated[list[str] | None, typer.Option("--grant", help="user:NAME or group:NAME.")] = None,
    language: LanguageOption = None,
    history_days: HistoryOption = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The embedding model; `muniment models list` shows them.")
    ] = None,
) -> None:
    """Make a collection; you become its member and manager.

    Example: muniment collections create handbook --title "The handbook" --member group:everyone
    """
    fields = _set(
        title=title, description=description, access_level=access_level, members=member, managers=manager,
        grants=grant, language=language, history_days=history_days, model=model,
    )  # fmt: skip
    told = asked.muniment.post("/api/v1/collections", {"name": name, **fields})
    asked.show(told, told.items())


@app.command()
@asking
def update(
    asked: Session,
    name: NameArgument,
    title: TitleOption = None,
    description: DescriptionOption = None,
    access_level: LevelOption = None,
    add: Annotated[list[str] | None, typer.Option("--add-member", help="user:NAME or group:NAME.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove-member", help="user:NAME or group:NAME.")] = None,
    add_manager: Annotated[
        list[str] | None, typer.Option("--add-manager", help="user:NAME or group:NAME.")
    ] = None,
    remove_manager: Annotated[
        list[str] | None, typer.Option("--remove-manager", help="user:NAME or group:NAME.")
    ] = None,
    grant: Annotated[list[str] | None, typer.Option("--grant", help="Let read, whatever the level.")] = None,
    revoke: Annotated[list[str] | None, typer.Option("--revoke", help="Take a grant back.")] = None,
    language: LanguageOption = None,
    history_days: HistoryOption = None,
) -> None:
    """Change a collection's fields, members, managers or grants; in force with the answer.

    Example: muniment collections update handbook --add-member user:ada --grant group:audit
    """
    change = _set(
        title=title, description=description, access_level=access_level, language=language,
        history_days=history_days,
    )  # fmt: skip
    subjects = (("members", add, remove), ("managers", add_manager, remove_manager), ("grants", grant, revoke))
    if any(more or less for _, more, less in subjects):
        told = asked.muniment.get(_at(name))
        for field, more, less in subjects:
            if more or less:
                change[field] = sorted({*(told[field] or ()), *(more or ())} - set(less or ()))
    told = asked.muniment.patch(_at(name), change)
    asked.show(told, told.items())


@app.command()
@asking
def delete(asked: Session, name: NameArgument, yes: YesOption = False) -> None:
    """Delete a collection with all its documents; invisible at once.

    Example: muniment collections delete scratch --yes
    """
    asked.confirm(f"Delete the collection {name} with all its documents?", yes=yes)
    told = asked.muniment.delete(_at(name))
    asked.tell(told, f"deleted {name}; its documents are being removed ({told['id']})")
