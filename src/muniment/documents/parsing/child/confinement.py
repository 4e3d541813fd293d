"""What a child process may no longer do once it reads what strangers wrote."""

import ctypes
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_LANDLOCK_CHANGES = 0x1FF0
"""Landlock's rights to remove or make anything in a folder; what a file holds is RLIMIT_FSIZE's to guard."""

_MOST_FILES = 64
_OOM = Path("/proc/self/oom_score_adj")


def confine(memory_bytes: int) -> None:
    """Bound memory, forbid changes to files and core dumps, leave the network, die with the parent."""
    # Where memory runs out for all, this process is to end, not the service. Some containers forbid to say so.
    with suppress(OSError):
        _OOM.write_text("1000")
    for limit, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _MOST_FILES),
    ):
        _, hard = resource.getrlimit(limit)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (bound, bound))
    if sys.platform == "linux":
        _confine_linux(ctypes.CDLL(None))


def _confine_linux(libc: ctypes.CDLL) -> None:
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Root may leave the network; others may where they may be root in a namespace of their own. A kernel that
    # refuses both, or has no Landlock, leaves a process that has no code to use what it keeps.
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    forbidden = ctypes.c_uint64(_LANDLOCK_CHANGES)
    rules = libc.syscall(_LANDLOCK_CREATE, ctypes.byref(forbidden), ctypes.sizeof(forbidden), 0)
    if rules >= 0:
        libc.syscall(_LANDLOCK_RESTRICT, rules, 0)
        os.close(rules)
    # Last: a new user namespace forgets it.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def allow_cpu(seconds: float, *, at_least: bool = False) -> None:
    """Let the system end this process after `seconds` more of computing; `at_least` shortens nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    until = int(time.process_time() + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (max(until, soft) if at_least else until, hard))
