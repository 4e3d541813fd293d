"""Commands that start and stop a server on this machine."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from muniment.cli.connection import ADMIN_UNSEEN, DataOption, JsonOption, load_configuration
from muniment.cli.terminal import err, out, plain, print_json
from muniment.kernel.extras import late
from muniment.kernel.problems import Problem
from muniment.kernel.settings import ProcessSettings
from muniment.runfile import is_served, read_run_file

if TYPE_CHECKING:
    from muniment.app import Opened

STOP_SECONDS = 20

HostOption = Annotated[
    str | None, typer.Option("--host", help="The address to listen on.", show_default="127.0.0.1")
]
PortOption = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.", show_default="8765"),
]


class NotRunning(Problem, status=404):
    """No server runs on the data folder."""


class NotStopping(Problem, status=504):
    """The server did not end in time."""


def up(
    data: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    idle_seconds: Annotated[
        float | None, typer.Option("--idle-seconds", help="Stop after so long without a request.", hidden=True)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run Muniment, all rooms in this process, until Ctrl-C.

    Example: muniment up --data ./knowledge --port 8765
    """

    def started(address: str, opened: "Opened") -> None:
        if as_json:
            _tell(address, late("muniment.app").CONTRACTS)
        else:
            out.print(f"Muniment is ready at [bold]{address}[/bold]  (API: {address}/docs; Ctrl-C ends it)")
        if opened.announcements and (as_json or not out.is_terminal):
            err.print(ADMIN_UNSEEN)
        for text in opened.announcements.values() if not as_json and out.is_terminal else ():
            out.print(plain(text))

    configuration = load_configuration(data, host=host, port=port)
    late("muniment.process").serve(configuration, idle_seconds=idle_seconds, started=started)


def serve(
    rooms: Annotated[list[str], typer.Argument(help="The rooms to run here, such as: embedding vectors")],
    data: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run some rooms in this process; MUNIMENT_AT__ROOM says where the others are.

    Example: MUNIMENT_SERVICE_TOKEN=… muniment serve embedding vectors --port 8801
    """

    def started(address: str, _opened: "Opened") -> None:
        if as_json:
            _tell(address, rooms)
            return
        out.print(f"{', '.join(rooms)} ready at [bold]{address}[/bold]")

    late("muniment.process").serve(load_configuration(data, host=host, port=port), rooms, started=started)


def _tell(address: str, rooms: Iterable[str]) -> None:
    """For the program that started this process: it answers now."""
    print_json({"address": address, "pid": os.getpid(), "rooms": list(rooms)})


def stop(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Stop the server of the data folder.

    Example: muniment stop
    """
    folder = load_configuration(data).section("", ProcessSettings).data.expanduser().absolute()
    running = read_run_file(folder)
    if running is None:
        raise NotRunning(f"nothing runs on {folder}; `muniment up` starts a server there")
    with contextlib.suppress(ProcessLookupError):  # it ends by itself meanwhile
        os.kill(running.pid, signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while is_served(folder):
        if time.monotonic() > until:
            raise NotStopping(f"process {running.pid} has not ended after {STOP_SECONDS} s; try again or kill it")
        time.sleep(0.05)
    if as_json:
        print_json({"address": running.address, "pid": running.pid})
    else:
        out.print(f"stopped {running.address}")
