"""Help and wrong usage, without a server."""

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from muniment.cli.main import app


def commands():
    found = []
    for name, command in get_command(app).commands.items():
        found += [[name, inner] for inner in getattr(command, "commands", {})] or [[name]]
    return found


def help_of(command):
    return CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"}).stdout


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_has_an_example_and_json(command):
    shown = help_of(command)
    assert f"muniment {' '.join(command)}" in shown.partition("Example: ")[2]
    assert "--json" in shown


def test_the_version_is_told():
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("muniment ")


def test_help_shows_the_defaults_that_settings_give():
    assert "MUNIMENT_SERVER, else this machine's" in help_of(["search"])
    assert "8765" in help_of(["up"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["add"],
        ["add", "x", "--access-level", "secret"],
        ["search"],
        ["search", "x", "--mode", "fuzzy"],
        ["search", "x", "--limit", "0"],
        ["search", "x", "--nope"],
        ["search", "x", "--filter", "team"],
        ["ask"],
        ["documents", "show"],
        ["dead-letters", "drop"],
        ["add", "-", "--watch"],
        ["up", "--port", "70000"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_two(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2
