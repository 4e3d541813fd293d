"""How many threads this process may use at once."""

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_MOST = 16
"""A small model gains nothing from more."""


def threads_for(cpus: int, quota: str) -> int:
    """The threads for that many processors under a cgroup quota (`max 100000`, `150000 100000`, or nothing)."""
    allowed, _, period = quota.partition(" ")
    if allowed.isdecimal() and period.strip().isdecimal():
        cpus = min(cpus, max(1, int(allowed) // int(period)))
    return min(cpus, _MOST)


def threads_here() -> int:
    """The threads that suit this machine and this process's share of it."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return threads_for(cpus, _QUOTA.read_text() if _QUOTA.is_file() else "")
