"""What a bench found: rows on the terminal, lines of JSON in `bench/results/` with the machine they are from.

Each run has a file of its own, `<date>T<time>-<commit>.jsonl`; `make bench-compare` holds two of them together.
"""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
from bench.limits import met
from numpy.typing import NDArray

HERE = Path(__file__).parent
RESULTS = HERE / "results"
RUN = "BENCH_RUN"
"""The environment variable by which the benches of one run know their file."""


PARTS = 5


class Skipped(Exception):  # noqa: N818 - a bench that is left out is no error
    """The bench cannot be taken here; the message says why."""


@cache
def machine() -> dict[str, object]:
    """What the figures depend on besides the code."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": model or platform.processor(),
        "cpus": cpus,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


@cache
def commit() -> str:
    """The commit that is measured, with a plus when the tree differs from it."""
    asked = ["git", "-C", str(HERE), "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


@cache
def file() -> Path:
    """Where this run's rows go; its first line is the machine and what it was busy with when the run began."""
    at = datetime.now(UTC)
    os.environ.setdefault(RUN, f"{at:%Y-%m-%dT%H%M%S}-{commit()}")
    path = RESULTS / f"{os.environ[RUN]}.jsonl"
    if not path.exists():
        RESULTS.mkdir(exist_ok=True)
        began = {"at": at.isoformat(timespec="seconds"), "commit": commit(), "load": _load(), "machine": machine()}
        _put(path, began)
    return path


def row(
    work: str,
    ours: float,
    unit: str,
    *,
    beside: str = "",
    baseline: float | None = None,
    limit: str = "",
    samples: Sequence[float] = (),
    baseline_samples: Sequence[float] = (),
    **more: object,
) -> None:
    """Print and keep one row; the ratio is ours by the baseline.

    `samples` are the single values behind a figure: with them, runs can be told apart from noise.
    """
    ratio = None if not baseline else ours / baseline
    against = " · ".join(part for part in (_amount(baseline, unit, beside), limit) if part)
    shown, reached = "" if ratio is None else f"{ratio:.2f}", met(ours, baseline, limit)
    missed = " | missed" if reached is False else ""
    print(f"{work:<58} | {_number(ours)} {unit:<10} | {against:<62} | {shown}{missed}", flush=True)
    for name, value in more.items():
        print(f"    {name}: {value}", flush=True)
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "work": work, "ours": ours, "unit": unit}
    line |= {
        "beside": beside,
        "baseline": baseline,
        "limit": limit,
        "ratio": ratio,
        "met": reached,
        **more,
        "load": _load(),
    }
    for name, values in (("samples", samples), ("baseline_samples", baseline_samples)):
        if len(values):
            line[name] = [round(float(value), 5) for value in values]
    _put(file(), line)


def p95s(values: Sequence[float] | NDArray[np.float64]) -> list[float]:
    """The 95th percentile of each fifth of what was taken in turn: the samples behind one of all of it."""
    return [float(np.quantile(part, 0.95)) for part in np.array_split(np.asarray(values, np.float64), PARTS)]


def header() -> None:
    """The names of the columns; the run begins, if it has not yet."""
    file()
    print(f"{'work':<58} | {'ours':<17} | {'baseline or limit':<62} | ratio")


def _put(path: Path, line: dict[str, object]) -> None:
    with path.open("a") as out:
        out.write(json.dumps(line) + "\n")


def _load() -> float:
    return round(os.getloadavg()[0], 2)


def _amount(value: float | None, unit: str, beside: str) -> str:
    return beside if value is None else f"{beside} {_number(value).strip()} {unit}"


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:>6.0f}"
    return f"{value:>6.3f}" if abs(value) < 1 else f"{value:>6.2f}"
