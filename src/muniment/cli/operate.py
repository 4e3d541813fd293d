"""Commands of the operator: state, health, settings, passwords."""

import asyncio
import json
import os
import re
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from muniment.cli.connection import DataOption, JsonOption, ServerOption, load_configuration
from muniment.cli.diagnosis import examine, is_running, prove
from muniment.cli.overview import overview
from muniment.cli.people import ask_password
from muniment.cli.session import Session, asking
from muniment.cli.terminal import out, plain, print_json
from muniment.identity.contract import Identity, SetPassword
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.extras import late
from muniment.kernel.problems import Invalid
from muniment.kernel.settings import Configuration, SettingsUnfit

_PASSWORD = re.compile(r"(://[^/@:]*:)\S*(@)")
_SECRET = re.compile(r"([?&][^=&]*(?:key|pass|pwd|secret|sig|token)[^=&]*=)[^&\s]*", re.IGNORECASE)


@asking
def status(asked: Session) -> None:
    """Show on one screen: rooms, queue and pace, how much there is, models under way.

    Example: muniment status
    """
    health = asked.muniment.get("/health")
    if asked.as_json:
        print_json(health)
        return
    out.print(plain(f"{asked.muniment.server}: ") + plain(health["status"], "bold"))
    lines = overview(health)
    wide = max(len(name) for name, _ in lines)
    for name, text in lines:
        out.print(plain(f"  {name:<{wide}}  ", "dim") + plain(text))


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Make index and files say what the tables say.")
    ] = False,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for what can be wrong, and say how to mend it; exit code 1 if anything is.

    Of a server that runs here, or is named, it also proves that nothing is lost, doubled or left behind.

    Example: muniment doctor --repair
    """
    named = server or os.environ.get("MUNIMENT_SERVER")
    findings = [] if named else examine(data)
    if named or repair or is_running(data):
        findings += prove(server, data, repair=repair)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    for finding in findings if not as_json else ():
        mark = plain("bad  ", "red")
        if finding.ok:
            mark = plain("note ", "yellow") if finding.cure else plain("ok   ", "green")
        out.print(mark + plain(f"{finding.what}: {finding.found}"))
        if finding.cure:
            out.print(plain(f"     {finding.cure}"))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def config_show(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Print every setting, its value, and where it came from.

    Example: muniment config show
    """
    configuration, sections = load_configuration(data), late("muniment.app").sections()
    rows = {
        name: (_shown(origin.value), origin.source)
        for section, kind in sections.items()
        for name, origin in configuration.explain(section, kind).items()
    }
    if as_json:
        print_json({name: {"value": value, "source": source} for name, (value, source) in rows.items()})
    wide = max(len(name) for name in rows)
    for name, (value, source) in rows.items() if not as_json else ():
        told = "(unset)" if value is None else value if isinstance(value, str) else json.dumps(value)
        out.print(plain(f"{name:<{wide}}  {told}  ") + plain(f"({source})", "dim"))
    if slips := configuration.unknown(sections):
        raise SettingsUnfit(f"there is no setting {', '.join(slips)}; mend or remove what is named")


def _shown(value: Any) -> Any:
    """A setting's value as JSON has it, without the passwords that addresses in it may hold."""
    plain_value = to_jsonable_python(value)
    if isinstance(plain_value, dict):
        return {name: _shown(inner) for name, inner in plain_value.items()}
    if isinstance(plain_value, list):
        return [_shown(inner) for inner in plain_value]
    if not isinstance(plain_value, str):
        return plain_value
    return _SECRET.sub(r"\1**********", _PASSWORD.sub(r"\1**********\2", plain_value))


def users_password(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reset a user's password in this machine's data folder; ends the user's sessions.

    Without a terminal it reads the password from the first line of its input.

    Example: muniment users password admin
    """
    password = ask_password(f"New password of {name}")
    try:
        change = SetPassword.model_validate({"username": name, "password": password})
    except ValidationError as unfit:
        raise Invalid.of(unfit) from None  # its cause would show the password
    asyncio.run(_set_password(load_configuration(data), change))
    if as_json:
        print_json({"username": name, "changed": True})
    else:
        out.print(plain(f"the password of {name} is changed"))


async def _set_password(configuration: Configuration, change: SetPassword) -> None:
    async with late("muniment.app").open_room(configuration, Identity) as identity:
        with calling_as(Caller.system("cli")):
            await identity.set_password(change)
