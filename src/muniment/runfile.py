"""`run.json`: what a running process leaves in its data folder for the command line of the same user."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from muniment.kernel.model import Model

RUN_FILE = "run.json"


class Running(Model):
    """Where the process answers, its id, and an API key for its own user."""

    address: str
    pid: int
    key: str


def read_run_file(data: Path) -> Running | None:
    """The process that serves this data folder, if one does."""
    try:
        running = Running.model_validate_json((data / RUN_FILE).read_bytes())
        os.kill(running.pid, 0)
    except (OSError, ValidationError):
        return None
    return running


@contextmanager
def run_file(data: Path, running: Running) -> Iterator[None]:
    """Leave `running` in the data folder, readable by its user alone, for the length of the context."""
    path, fresh = data / RUN_FILE, data / f"{RUN_FILE}.new"
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(running.model_dump_json())
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
