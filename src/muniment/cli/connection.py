"""Which server the commands ask: one named, the one in `run.json`, or one started in the background."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from muniment.cli.terminal import steps
from muniment.kernel.problems import Problem, Unavailable
from muniment.kernel.settings import Configuration, ProcessSettings
from muniment.runfile import Running, read_run_file
from muniment.sdk import Muniment

ALIASES = {"admin_password": "identity.admin_password"}
"""Environment names that are shorter than the rule would make them."""

IDLE_SECONDS = 600
"""A server that the command line started stops after this long without a request."""

START_SECONDS = 60

DataOption = Annotated[
    Path | None, typer.Option("--data", help="The data folder. [default: MUNIMENT_DATA, else the user's]")
]
ServerOption = Annotated[
    str | None,
    typer.Option("--server", help="A server's address. [default: MUNIMENT_SERVER, else this machine's]"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the API's own answer.")]


class StartFailed(Problem, status=500):
    """The background server ended before it answered."""


def load_configuration(data: Path | None, **flags: Any) -> Configuration:
    """The settings of this machine, flags included."""
    return Configuration.load(flags={"data": data, **flags}, aliases=ALIASES)


def connect(server: str | None, data: Path | None) -> Muniment:
    """The server to ask, started in the background when none runs for the data folder."""
    named = server or os.environ.get("MUNIMENT_SERVER")
    if named:
        return Muniment(named, os.environ.get("MUNIMENT_API_KEY"))
    folder = load_configuration(data).section("", ProcessSettings).data.expanduser().absolute()
    running = read_run_file(folder) or _start(folder)
    return Muniment(running.address, os.environ.get("MUNIMENT_API_KEY") or running.key)


def _start(folder: Path) -> Running:
    log = folder / "background.log"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with steps() as progress, log.open("ab") as file:
        progress.show("starting Muniment in the background", 0, None)
        begun = file.tell()
        command = [sys.executable, "-m", "muniment", "up", "--data", str(folder), "--port", "0"]
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*command, "--idle-seconds", str(IDLE_SECONDS)], stdout=file, stderr=file, start_new_session=True
        )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if (running := read_run_file(folder)) is not None:
                return running
            if process.poll() is not None:
                said = log.read_bytes()[begun:].decode(errors="replace").strip().splitlines()
                reason = said[-1].removeprefix("muniment: ") if said else f"exit code {process.returncode}"
                raise StartFailed(f"Muniment did not start: {reason}")
            time.sleep(0.05)
    raise Unavailable(f"Muniment did not answer within {START_SECONDS} s; see {log}")
