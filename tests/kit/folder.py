"""Prints where tests keep their files: in memory where there is room, since they wait for thousands of fsyncs."""

import shutil
import sys
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 3_000_000_000


def folder() -> str:
    """A folder that exists and that other users may enter: PostgreSQL does not run as root."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ENOUGH_BYTES:
        return tempfile.gettempdir()
    own = MEMORY / "muniment-tests"
    own.mkdir(exist_ok=True)
    own.chmod(0o1777)
    return str(own)


if __name__ == "__main__":
    sys.stdout.write(folder())
