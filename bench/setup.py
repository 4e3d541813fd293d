"""S8: both README commands on a fresh clone with an empty home, and what is installed.

    python -m bench.setup

The package registry is the machine's; the suite's own time is not counted, only what comes before it.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from bench import report

ROOT = Path(__file__).parent.parent
LEFT_OUT = ("HOME", "VIRTUAL_ENV", "XDG_", "PYTHON", "MUNIMENT_", "MAKE", "PIP_CACHE_DIR")
"""What the environment of somebody who has just come would not hold."""


def main() -> None:
    """Measure."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    report.header()
    with tempfile.TemporaryDirectory() as work:
        home, clone = Path(work) / "home", Path(work) / "clone"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        demo = _make(clone, home, "demo")
        report.row("S8 make demo, from a clone to the last answer", demo, "s", limit="< 180 s")
        report.row("S8 installed for it (.venv)", _megabytes(clone / ".venv"), "MB", limit="< 700 MB")
        report.row("S8 the model's cache", _megabytes(home), "MB")
    with tempfile.TemporaryDirectory() as work:
        home, clone = Path(work) / "home", Path(work) / "clone"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        tests = _make(clone, home, ".venv/dev")
        report.row("S8 make test, what comes before the suite", tests, "s", limit="< 180 s")
        report.row("S8 installed for it (.venv)", _megabytes(clone / ".venv"), "MB")


def _make(clone: Path, home: Path, target: str) -> float:
    known = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    environment = known | {"HOME": str(home), "DEMO_ONCE": "1"}
    began = time.perf_counter()
    done = subprocess.run(
        ["make", "-C", clone, target], env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"make {target} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return seconds


def _megabytes(folder: Path) -> float:
    """What its files take on the disk; one that is there under two names counts once."""
    files = {(s.st_dev, s.st_ino): s.st_blocks * 512 for s in (f.lstat() for f in folder.rglob("*"))}
    return sum(files.values()) / 1e6


if __name__ == "__main__":
    main()
