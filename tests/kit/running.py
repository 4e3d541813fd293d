"""A house that runs: all rooms in one process, or each in a process of its own on loopback.

The processes are forked from one that has loaded Muniment's code, which takes each a second of its own otherwise.
That `python -m muniment` starts one as well, the tests of the command line show.
"""

import gc
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx

from muniment.cli.main import main
from muniment.sdk import Muniment

ROOMS = (
    "identity",
    "collections",
    "models",
    "embedding",
    "vectors",
    "documents",
    "retrieval",
    "generation",
    "knowledge",
    "gateway",
)
ADMIN_PASSWORD = "the admin of the tests"
START_SECONDS = 180
ONE_PARSER = {"MUNIMENT_DOCUMENTS__PARSER_PROCESSES": "1", "MUNIMENT_DOCUMENTS__PARSER_PROCESSES_MOST": "1"}
"""For a house whose tests are not of parsing: each process takes half a second to begin."""
FORKS = get_context("forkserver")
ENGINE = ["muniment.vectors.engine.copies.builder", "muniment.vectors.engine.processes.child"]
LOADED = ["muniment.app", "muniment.cli.main", "alembic.operations", "alembic.script", *ENGINE]
FORKS.set_forkserver_preload([*LOADED, "pytest"])  # which each process takes for its main module


def command(arguments: list[str], environment: dict[str, str], log: Path) -> None:
    """What a process of a house does: `muniment ARGUMENTS`, its output in a log."""
    gc.freeze()  # what was loaded is shared with the others, and stays so while nothing looks through it
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["muniment", *arguments]
    main()


class RunningHouse:
    """The processes, where the gateway answers, and the admin."""

    def __init__(self, data: Path, environment: dict[str, str]) -> None:
        self.data, self.environment = data, environment
        self.processes: dict[str, ForkServerProcess] = {}
        self.ports: dict[str, int] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports.get('gateway', self.ports.get('all', 0))}"

    def start(self, name: str, *words: str) -> None:
        """Start a process, its output in a log beside the data folder."""
        arguments = [*words, "--port", str(self.ports[name])]
        log = self.data.parent / f"{name}.log"
        self.processes[name] = FORKS.Process(target=command, args=(arguments, self.environment, log))
        self.processes[name].start()

    def wait(self) -> None:
        """Until every process answers."""
        until = time.monotonic() + START_SECONDS
        with httpx.Client(timeout=2, trust_env=False, verify=False) as http:
            for name, port in self.ports.items():
                while not _answers(http, port):
                    if not self.processes[name].is_alive() or time.monotonic() > until:
                        log = (self.data.parent / f"{name}.log").read_text("utf-8", "replace")
                        raise RuntimeError(f"{name} did not start:\n{log[-4000:]}") from None
                    time.sleep(0.05)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.join(30)
            process.close()

    def sign_in(self, name: str, password: str) -> Muniment:
        with Muniment(self.address) as nobody:
            return nobody.login(name, password)

    def admin(self) -> Muniment:
        return self.sign_in("admin", ADMIN_PASSWORD)


@contextmanager
def running(folder: Path, form: str, **settings: str) -> Iterator[RunningHouse]:
    """A house in `folder`, in the form `one` or `many`."""
    data = folder / "data"
    cheap = {"MUNIMENT_IDENTITY__PASSWORD_MEMORY_KIB": "8", "MUNIMENT_IDENTITY__PASSWORD_PASSES": "1"}
    own = {"MUNIMENT_DATA": str(data), "MUNIMENT_ADMIN_PASSWORD": ADMIN_PASSWORD, "MUNIMENT_LOG_LEVEL": "warning"}
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("MUNIMENT_")}
    house = RunningHouse(data, theirs | own | cheap | settings)
    if form == "one":
        house.ports["all"] = free_port()
        house.start("all", "up")
    else:
        house.ports = {room: free_port() for room in ROOMS}
        house.environment["MUNIMENT_SERVICE_TOKEN"] = secrets.token_hex(16)
        for room, port in house.ports.items():
            house.environment[f"MUNIMENT_AT__{room.upper()}"] = f"http://127.0.0.1:{port}"
        for room in ROOMS:
            house.start(room, "serve", room)
    try:
        house.wait()
        yield house
    finally:
        house.stop()


def _answers(http: httpx.Client, port: int) -> bool:
    try:
        http.get(f"http://127.0.0.1:{port}/health/ready")
    except httpx.TransportError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
