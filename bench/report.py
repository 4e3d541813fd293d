"""What a bench found: rows on the terminal, lines of JSON in `bench/results/` with the machine they are from."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"


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


def row(
    work: str,
    ours: float,
    unit: str,
    *,
    beside: str = "",
    baseline: float | None = None,
    limit: str = "",
    **more: object,
) -> None:
    """Print and keep one row; the ratio is ours by the baseline."""
    ratio = None if not baseline else ours / baseline
    against = " · ".join(part for part in (_amount(baseline, unit, beside), limit) if part)
    shown = "" if ratio is None else f"{ratio:.2f}"
    print(f"{work:<58} | {_number(ours)} {unit:<10} | {against:<62} | {shown}", flush=True)
    for name, value in more.items():
        print(f"    {name}: {value}", flush=True)
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "work": work,
        "ours": ours,
        "unit": unit,
        "beside": beside,
        "baseline": baseline,
        "limit": limit,
        "ratio": ratio,
        **more,
        "load": round(os.getloadavg()[0], 2),
        "machine": machine(),
    }
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "results.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def header() -> None:
    """The names of the columns."""
    print(f"{'work':<58} | {'ours':<17} | {'baseline or limit':<62} | ratio")


def _amount(value: float | None, unit: str, beside: str) -> str:
    return beside if value is None else f"{beside} {_number(value).strip()} {unit}"


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:>6.0f}"
    return f"{value:>6.3f}" if abs(value) < 1 else f"{value:>6.2f}"
