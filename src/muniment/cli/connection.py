"""Which server the commands ask: one named, the one in `run.json`, or one started in the background."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from muniment.cli.profiles import find_profile
from muniment.cli.terminal import err, steps
from muniment.kernel.problems import Invalid, Problem, Unavailable
from muniment.kernel.settings import Configuration, ProcessSettings
from muniment.runfile import Running, read_run_file, unusable
from muniment.sdk import Muniment

ALIASES = {"admin_password": "identity.admin_password"}
"""Environment names that are shorter than the rule would make them."""

IDLE_SECONDS = 600
"""A server that the command line started stops after this long without a request."""

START_SECONDS = 60
LOG_BYTES = 10 << 20
"""A background log that has grown beyond is begun anew with the next server."""

ADMIN_UNSEEN = "The user admin has a password that nobody has seen; `muniment users password admin` sets another."

DataOption = Annotated[
    Path | None, typer.Option("--data", help="The data folder.", show_default="MUNIMENT_DATA, else the user's")
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server", help="A server's address or name.", show_default="MUNIMENT_SERVER, else this machine's"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the API's own answer.")]


class StartFailed(Problem, status=500):
    """The background server ended before it answered."""


def load_configuration(data: Path | None, **flags: Any) -> Configuration:
    """The settings of this machine, flags included."""
    return Configuration.load(flags={"data": data, **flags}, aliases=ALIASES)


@contextlib.contextmanager
def connect(server: str | None, data: Path | None) -> Iterator[Muniment]:
    """The server to ask, started in the background when none runs for the data folder.

    Raises Unavailable where an answer is not of the API's shape.
    """
    with _server(server, data) as muniment, understood(muniment.server):
        yield muniment


@contextlib.contextmanager
def understood(server: str) -> Iterator[None]:
    """Whatever answers at an address may be no Muniment, or another one than this command knows."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as strange:
        raise Unavailable(
            f"{server} answers, but not as this version of Muniment does ({type(strange).__name__}); is the "
            "address right?"
        ) from strange


def _server(server: str | None, data: Path | None) -> Muniment:
    named = server or os.environ.get("MUNIMENT_SERVER")
    if named:
        profile = find_profile(named)
        if profile is None and "://" not in named:
            raise Invalid(
                f"{named!r} is neither an address, as http://127.0.0.1:8765, nor a server that you have signed "
                "in to; `muniment servers` lists those"
            )
        if profile is None:
            return Muniment(named, os.environ.get("MUNIMENT_API_KEY"))
        return Muniment(profile.address, os.environ.get("MUNIMENT_API_KEY") or profile.key)
    folder = load_configuration(data).section("", ProcessSettings).data.expanduser().absolute()
    running = read_run_file(folder) or _start(folder)
    return Muniment(running.address, os.environ.get("MUNIMENT_API_KEY") or running.key)


def _start(folder: Path) -> Running:
    """A server in the background; of several commands that need one at once, the first starts it for all."""
    log = folder / "background.log"
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            queue = stack.enter_context((folder / "starting.lock").open("a"))
            fcntl.flock(queue, fcntl.LOCK_EX)
            if (running := read_run_file(folder)) is not None:
                return running
            begun = log.stat().st_size if log.exists() else 0
            file = stack.enter_context(log.open("wb" if begun > LOG_BYTES else "ab"))
        except OSError as refused:
            raise unusable(folder, refused) from refused
        progress = stack.enter_context(steps())
        progress.show("starting Muniment in the background", 0, None)
        command = [sys.executable, "-m", "muniment", "up", "--data", str(folder), "--port", "0"]
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*command, "--idle-seconds", str(IDLE_SECONDS)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        running = _answering(folder, process, log, file.seek(0, os.SEEK_CUR))
    if running.first_start:
        err.print(ADMIN_UNSEEN)
    return running


def _answering(folder: Path, process: subprocess.Popen[bytes], log: Path, begun: int) -> Running:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        ended = process.poll() is not None
        running = read_run_file(folder)
        if running is not None and (ended or running.pid == process.pid):
            return running
        if ended:
            said = log.read_bytes()[begun:].decode(errors="replace").strip().splitlines()
            reasons = [line.removeprefix("muniment: ") for line in said if line.startswith("muniment: ")]
            reason = (reasons or said or [f"exit code {process.returncode}"])[-1]
            raise StartFailed(f"Muniment did not start: {reason}")
        time.sleep(0.05)
    raise Unavailable(f"Muniment did not answer within {START_SECONDS} s; see {log}")
