"""What a process leaves in its data folder: `run.json` for the command line of the same user, and its locks."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from muniment.kernel.model import Model
from muniment.kernel.problems import Problem

RUN_FILE = "run.json"


class DataFolderUnusable(Problem, status=500):
    """The data folder cannot be made or written."""


class Running(Model):
    """Where the process answers, its id, and an API key for its own user.

    `first_start`: it made the admin, whose password it could show to nobody but its own terminal.
    """

    address: str
    pid: int
    key: str
    first_start: bool = False


def unusable(data: Path, refused: OSError) -> DataFolderUnusable:
    """The problem of a data folder that the system refuses."""
    return DataFolderUnusable(
        f"the data folder {data} cannot be written ({refused.strerror}); "
        "give another with --data or MUNIMENT_DATA, or mend its permissions"
    )


def open_data_folder(data: Path) -> None:
    """Make the data folder and see that it can be written.

    Raises DataFolderUnusable.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = data / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as refused:
        raise unusable(data, refused) from refused


def lock_file(data: Path, room: str) -> Path:
    """The file whose lock is held by the process that serves the room from this data folder."""
    return data / "locks" / f"{room}.lock"


def is_served(data: Path) -> bool:
    """Whether a process serves the gateway from this data folder."""
    try:
        with lock_file(data, "gateway").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read_run_file(data: Path) -> Running | None:
    """The process that serves this data folder, if one does.

    The lock tells: after a crash the file stays, and its process id may be anyone's.
    """
    try:
        running = Running.model_validate_json((data / RUN_FILE).read_bytes())
        os.kill(running.pid, 0)
    except (OSError, ValidationError):
        return None
    return running if is_served(data) else None


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
