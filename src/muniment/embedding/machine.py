"""How many threads this process may use at once."""

import os
from collections.abc import Mapping
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
_MOST = 16
"""A small model gains nothing from more."""
_SMALL_BYTES = 100_000_000


def threads_for(cpus: int, quota: str) -> int:
    """The threads for that many processors under a cgroup quota (`max 100000`, `150000 100000`, or nothing)."""
    allowed, _, period = quota.partition(" ")
    if allowed.isdecimal() and period.strip().isdecimal():
        cpus = min(cpus, max(1, int(allowed) // int(period)))
    return min(cpus, _MOST)


def shared_out(threads: int, model_bytes: int) -> tuple[int, int]:
    """How many batches run at once, and on how many threads each.

    A small model reads a batch on one thread: two that share one wait for each other, for 8 % of their time, and a
    query alone takes them longer than one. A large one takes all for one batch, whose memory it then has once.
    """
    return (threads, 1) if model_bytes < _SMALL_BYTES else (1, threads)


def cores_of(siblings: Mapping[int, str]) -> int:
    """How many cores these processors are: two that share one compute no faster than it, and wait for each other.

    `siblings`: for each processor all those of its core, as the system writes them; nothing where it does not say.
    """
    return len({shared or str(cpu) for cpu, shared in siblings.items()})


def threads_here() -> int:
    """The threads that suit this machine and this process's share of it."""
    quota = _QUOTA.read_text() if _QUOTA.is_file() else ""
    if not hasattr(os, "sched_getaffinity"):
        return threads_for(os.cpu_count() or 1, quota)
    return threads_for(cores_of({cpu: _shared(cpu) for cpu in os.sched_getaffinity(0)}), quota)


def _shared(cpu: int) -> str:
    file = Path(_SIBLINGS.format(cpu))
    return file.read_text().strip() if file.is_file() else ""
