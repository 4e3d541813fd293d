"""The `muniment` command: its parts joined, its exit codes (0 done, 1 failed, 2 wrong usage)."""

import json
import sys
from importlib import metadata
from typing import Annotated

import typer

from muniment.cli import (
    adding,
    collections,
    content,
    documents,
    evaluating,
    indexes,
    machine,
    models,
    operate,
    people,
    runs,
    sign_in,
)
from muniment.cli.terminal import complain
from muniment.kernel.problems import Problem, Unauthenticated

app = typer.Typer(
    name="muniment",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Documents in, questions out; every sentence of an answer is tied to its source.",
    epilog="First steps: [bold]muniment up[/bold], then in another terminal "
    "[bold]muniment add FOLDER[/bold] and [bold]muniment ask 'a question'[/bold].",
)
config = typer.Typer(no_args_is_help=True, help="Settings.")


def _tell_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"muniment {metadata.version('muniment')}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option(
        "--version", help="Print the version.", is_eager=True, callback=lambda v: _tell_version(wanted=v)
    ),
]


@app.callback()
def _options(version: VersionOption = False) -> None:
    """What stands before a command."""


app.command()(machine.up)
app.command()(machine.stop)
app.command()(machine.serve)
app.command()(adding.add)
app.command()(content.search)
app.command()(content.why)
app.command()(content.ask)
app.command("eval")(evaluating.evaluate)
app.command()(operate.status)
app.command()(operate.doctor)
app.command()(sign_in.login)
app.command()(sign_in.logout)
app.command()(sign_in.servers)
people.users.command("password")(operate.users_password)
config.command("show")(operate.config_show)
app.add_typer(documents.app, name="documents")
app.add_typer(collections.app, name="collections")
app.add_typer(people.users, name="users")
app.add_typer(people.groups, name="groups")
app.add_typer(people.keys, name="keys")
app.add_typer(indexes.app, name="index")
app.add_typer(runs.app, name="runs")
app.add_typer(runs.letters, name="dead-letters")
app.add_typer(models.models, name="models")
app.add_typer(config, name="config")


def main() -> None:
    """Run the command line; a Problem is one line on stderr (with --json a document on stdout) and exit code 1."""
    try:
        app()
    except Problem as problem:
        if isinstance(problem, Unauthenticated):
            problem.detail += " (MUNIMENT_API_KEY is where this command looks for a key)"
        if "--json" in sys.argv:
            sys.stdout.write(json.dumps(problem.document()) + "\n")
        else:
            complain(problem)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
