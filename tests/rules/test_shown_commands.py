"""Every `muniment` command that the README and the guides show exists, with the options that it is shown with."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from muniment.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "examples" / "README.md",
    ROOT / "docs" / "operations.md",
    *sorted((ROOT / "docs" / "guide").glob("*.md")),
]
UsageError = typer.BadParameter.__base__
LINKS = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
FENCE = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:\.venv/bin/)?muniment [^`]*)`")


def shown(page):
    """The words of each command line of a page, from `muniment` on, without what comes after a pipe or `&`."""
    text = page.read_text("utf-8")
    lines = [line for block in FENCE.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    for line in (*lines, *(found.replace("\n", " ") for found in INLINE.findall(text))):
        words = shlex.split(line.rstrip("…"), comments=True)
        at = next((n for n, word in enumerate(words) if word in {"muniment", ".venv/bin/muniment"}), None)
        if at is not None:
            end = next((n for n, word in enumerate(words) if n > at and word in {"|", "&", "&&", ">"}), len(words))
            yield words[at + 1 : end]


def unfit(words):
    """What the command line cannot take of the words, or None."""
    command, path = get_command(app), []
    for word in words:
        if not hasattr(command, "commands"):
            break
        if word in {"--version", "--help"}:
            return None
        if word not in command.commands:
            return f"there is no command {' '.join([*path, word])}"
        command = command.commands[word]
        path.append(word)
    if hasattr(command, "commands"):
        return None  # a family of commands was named
    options = {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}
    unknown = [word for word in words if re.match(r"--?[a-zA-Z]", word) and word.partition("=")[0] not in options]
    return (
        f"{' '.join(path)} has no option {', '.join(unknown)}" if unknown else _said(command, words[len(path) :])
    )


def _said(command, words):
    if not any(word.startswith("-") or word.islower() for word in words):
        return None  # an inline name of a command, without its arguments
    try:
        command.make_context(command.name, list(words), resilient_parsing=False)
    except UsageError as wrong:
        missing = type(wrong).__name__ == "MissingParameter"  # an example that stops before its argument
        return None if missing else f"{' '.join(words)}: {wrong.format_message()}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_shown_commands_exist(page):
    commands = list(shown(page))
    assert commands or page.name == "the-page.md"
    assert [wrong for words in commands if (wrong := unfit(words))] == []


@pytest.mark.parametrize(
    "words",
    [["serach", "x"], ["search", "x", "--limits", "3"], ["documents", "lst"], ["search", "x", "--limit", "no"]],
)
def test_a_slip_is_noticed(words):
    assert unfit(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_links_of_the_guides_lead_somewhere(page):
    for target, heading in LINKS.findall(page.read_text("utf-8")):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            marks = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in marks, f"{target}#{heading}"
