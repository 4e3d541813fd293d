"""Writes the generated pages of docs/: the picture of the house, rooms, settings, problems, commands.

`make docs` runs it; `tests/rules/test_docs.py` fails when a page is not what it would write.
"""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import typer
from typer.main import get_command

import muniment
from muniment.app import ROOMS, SUBSCRIPTIONS, needs_of, sections
from muniment.cli.main import app
from muniment.kernel.contract import operations, room_of
from muniment.kernel.problems import Problem
from muniment.kernel.settings import reference

DOCS = Path(__file__).parent
SOURCE = DOCS.parent / "src" / "muniment"
NOTE = "<!-- Written by docs/generate.py; `make docs` writes it again. -->\n\n"


def pages() -> dict[str, str]:
    """Every generated page by its path under docs/."""
    made = {
        "house.md": _house(),
        "settings.md": _settings(),
        "problems.md": _problems(),
        "commands.md": _commands(),
    }
    for contract in ROOMS:
        made[f"rooms/{room_of(contract)}.md"] = _room(contract)
    return {path: NOTE + text.rstrip() + "\n" for path, text in made.items()}


def _house() -> str:
    arrows = [f"    {room_of(c)} --> {room_of(need)}" for c in ROOMS for need in needs_of(c)]
    events = [f"    {s.event.split('.')[0]}s -. {s.event} .-> {room_of(s.contract)}" for s in SUBSCRIPTIONS]
    rows = [
        f"| [{room_of(c)}](rooms/{room_of(c)}.md) "
        f"| {', '.join(room_of(n) for n in needs_of(c)) or 'no room'} | {len(operations(c))} |"
        for c in ROOMS
    ]
    return "\n".join(
        [
            "# The house: who asks whom",
            "",
            (
                "Read off the builders of `src/muniment/*/build.py` and the subscriptions of "
                "`src/muniment/app.py`. A full arrow is a call through a contract, a dotted one an event."
            ),
            "",
            "```mermaid",
            "graph TD",
            *arrows,
            *events,
            "```",
            "",
            "| room | asks | operations |",
            "|---|---|---|",
            *rows,
        ]
    )


def _room(contract: type) -> str:
    readme = (SOURCE / room_of(contract) / "README.md").read_text("utf-8").rstrip()
    if not operations(contract):
        return readme
    lines = [
        readme,
        "",
        "## Operations",
        "",
        "| operation | takes | answers | may be repeated | |",
        "|---|---|---|---|---|",
    ]
    for op in operations(contract):
        reply = getattr(op.reply, "__name__", "events")
        answer = f"stream of {reply}" if op.stream else reply
        first = op.doc.split("\n", 1)[0]
        lines.append(
            f"| `{op.name}` | `{op.request.__name__}` | `{answer}` | {'yes' if op.idempotent else 'no'} "
            f"| {first} |"
        )
    return "\n".join(lines)


def _settings() -> str:
    lines = [
        "# Settings",
        "",
        (
            "Built-in default < `muniment.toml` < environment < flag; `muniment config show` prints each with "
            "where it came from. A secret may be given as a file: the same environment name with `_FILE` behind "
            "it. `MUNIMENT_ADMIN_PASSWORD` is short for `MUNIMENT_IDENTITY__ADMIN_PASSWORD`."
        ),
    ]
    for section, kind in sections().items():
        head = f"## {section or 'The process'}"
        lines += ["", head, "", "| setting | environment | default | |", "|---|---|---|---|"]
        for name, environment, default, description in reference(section, kind):
            lines.append(f"| `{name}` | `{environment}` | {f'`{default}`' if default else ''} | {description} |")
    return "\n".join(lines)


def _problems() -> str:
    for module in pkgutil.walk_packages(muniment.__path__, "muniment."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            import_module(module.name)  # a problem is known once its module is
    lines = [
        "# Problems",
        "",
        (
            "Every failure is `application/problem+json` (RFC 9457). `type` is one of these; a retryable one may "
            "pass by itself, and asking again later is right."
        ),
        "",
        "| type | status | retryable | means |",
        "|---|---|---|---|",
    ]
    for kind in sorted(Problem.kinds.values(), key=lambda kind: kind.urn):
        if not kind.__module__.startswith("muniment."):
            continue
        doc = (inspect.getdoc(kind) or "").split("\n\n", 1)[0].replace("\n", " ")
        own = "" if doc == inspect.getdoc(Problem) or doc.startswith("A failure a caller may act on") else doc
        lines.append(f"| `{kind.urn}` | {kind.status} | {'yes' if kind.retryable else 'no'} | {own} |")
    return "\n".join(lines)


def _commands() -> str:
    root = get_command(app)
    lines = ["# Commands"]
    for path, command in _walk(root, "muniment"):
        context = typer.Context(command, info_name=path)
        usage = f"{path} {' '.join(command.collect_usage_pieces(context))}"
        lines += ["", f"## {path}", "", (command.help or "").strip(), "", "```", usage, "```", ""]
        for parameter in command.params:
            record = parameter.get_help_record(context)
            if record is not None:
                lines.append(f"- `{record[0]}` {record[1]}".rstrip())
    return "\n".join(lines)


def _walk(command: typer.core.TyperGroup | object, path: str) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    for name, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from _walk(inner, f"{path} {name}")
        else:
            yield f"{path} {name}", inner


def main() -> None:
    """Write every page that differs."""
    for path, text in pages().items():
        target = DOCS / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
