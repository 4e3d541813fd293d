"""One running house for all tests of the command line, and the command itself, run in this process."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog
import typer.main

from kit.running import ONE_PARSER, RunningHouse, running
from muniment.cli.main import main


class Said(NamedTuple):
    """What a command left behind, as a process would."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Said]


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    with running(tmp_path_factory.mktemp("cli"), "one", **ONE_PARSER) as house:
        yield house


@pytest.fixture(scope="session", autouse=True)
def commands_read_once() -> Iterator[None]:
    """What commands there are is read from their functions, which takes longer than most commands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """`muniment ARGUMENTS`, with settings from the environment."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def run(*arguments: str, given: str = "", **settings: str) -> Said:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in [name for name in os.environ if name.startswith("MUNIMENT_")]:
                patch.delenv(name)
            for name, value in settings.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["muniment", *arguments])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
        return Said(code, out.getvalue(), err.getvalue())

    yield run
    root.handlers[:], root.level = before
    structlog.reset_defaults()


@pytest.fixture
def muniment(house: RunningHouse, command: Command) -> Command:
    """The command on the running house, as a person on its machine has it."""
    return lambda *arguments, **settings: command(*arguments, MUNIMENT_DATA=str(house.data), **settings)


@pytest.fixture
def alone(tmp_path: Path, command: Command) -> Command:
    """The command on a machine without a server, its data folder not made yet."""
    own = {
        "MUNIMENT_DATA": str(tmp_path / "data"),
        "MUNIMENT_IDENTITY__PASSWORD_MEMORY_KIB": "8",
        "MUNIMENT_IDENTITY__PASSWORD_PASSES": "1",
    }
    return lambda *arguments, **settings: command(*arguments, **(own | settings))


@pytest.fixture
def process(tmp_path: Path) -> Command:
    """As `alone`, in a process of its own: one that leaves a server behind when it ends."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MUNIMENT_")}
    environment["MUNIMENT_DATA"] = str(tmp_path / "data")

    def run(*arguments: str) -> Said:
        command = [sys.executable, "-m", "muniment", *arguments]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        return Said(ended.returncode, ended.stdout, ended.stderr)

    return run
