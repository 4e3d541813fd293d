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
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_CAPABILITIES = 0x20080522
"""The version of capset's arguments."""

_LANDLOCK_VERSION, _LANDLOCK_BENEATH = 1, 1
_WRITE_FILE = 0x2
_CHANGES = ((1, _WRITE_FILE | 0x1FF0), (2, 0x2000), (3, 0x4000))
"""Landlock's rights to write to files, to make and to remove them, to move them, to cut them, by its version.

RLIMIT_FSIZE alone lets what is there be cut short, and be written over through a mapping.
"""

_TCP, _SCOPES = (4, 0x3), (6, 0x3)
"""Rights to bind and to connect; not to reach abstract sockets and to signal processes outside; by version."""

_MOST_FILES = 64
_MOST_PROCESSES = 64
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
    # In a namespace of its own a process has no power over others', and its forks are counted by themselves. Where
    # that is refused, root can still leave the network. A kernel that refuses both, or has no Landlock, leaves a
    # process that has no code to use what it keeps.
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        resource.setrlimit(resource.RLIMIT_NPROC, (_MOST_PROCESSES, _MOST_PROCESSES))
    else:
        libc.unshare(_CLONE_NEWNET)
    # Neither here nor there anything is to be administered.
    libc.capset(ctypes.byref((ctypes.c_uint32 * 2)(_CAPABILITIES, 0)), ctypes.byref((ctypes.c_uint32 * 6)()))
    _lock(libc)
    # Last: a new user namespace forgets it.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class _Handled(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("ports", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def _lock(libc: ctypes.CDLL) -> None:
    """Forbid all writing but to nowhere, and as far as the kernel knows how, connections and signals."""
    version = libc.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION)
    if version < 1:
        return
    files = sum(rights for since, rights in _CHANGES if version >= since)
    ports, scopes = (rights if version >= since else 0 for since, rights in (_TCP, _SCOPES))
    handled = _Handled(files, ports, scopes)
    # Older kernels know the first fields only.
    known = 8 * (1 + (version >= _TCP[0]) + (version >= _SCOPES[0]))
    rules = libc.syscall(_LANDLOCK_CREATE, ctypes.byref(handled), known, 0)
    if rules < 0:
        return
    nowhere = os.open(os.devnull, os.O_PATH)
    allowed = _Beneath(files & (_WRITE_FILE | 0x4000), nowhere)
    libc.syscall(_LANDLOCK_ADD, rules, _LANDLOCK_BENEATH, ctypes.byref(allowed), 0)
    libc.syscall(_LANDLOCK_RESTRICT, rules, 0)
    os.close(nowhere)
    os.close(rules)


def allow_cpu(seconds: float, *, at_least: bool = False) -> None:
    """Let the system end this process after `seconds` more of computing; `at_least` shortens nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    until = int(time.process_time() + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (max(until, soft) if at_least else until, hard))
