"""S6 and S7: how long `muniment up` takes to be ready, and what it holds in memory when idle.

python -m bench.start [--chunks 100000] [--rounds 3]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import report
from bench.filler import filled
from bench.house import ready, server, start

from muniment.runfile import Running
from muniment.sdk import Muniment

IMPORTS = "fastapi, sqlalchemy"
IDLE_SECONDS = 5.0
SMALL_DOCUMENTS = 100


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    report.header()
    with tempfile.TemporaryDirectory() as work:
        starts(Path(work), filled(arguments.chunks), arguments)
        memory(Path(work))


def starts(work: Path, full: Path, arguments: argparse.Namespace) -> None:
    """S6: each round takes the import, the empty folder and the full one in turn."""
    imports, empties, fulls, firsts = [], [], [], []
    for number in range(arguments.rounds):
        imports.append(_import_seconds())
        empties.append(_up(work / f"empty-{number}", work / "log")[0])
        seconds, first = _up(full, work / "log")
        fulls.append(seconds)
        firsts.append(first)
    baseline, beside = statistics.median(imports), f"import {IMPORTS}"
    for what, taken, limit in (
        ("S6 up to ready, empty folder", empties, "< 3 s"),
        (f"S6 up to ready, {arguments.chunks} chunks", fulls, "< 5 s"),
        (f"S6 up to the first search's answer, {arguments.chunks} chunks", firsts, ""),
    ):
        report.row(what, statistics.median(taken), "s", beside=beside, baseline=baseline, limit=limit)


def _import_seconds() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {IMPORTS}"], check=True)
    return time.perf_counter() - began


def _up(data: Path, log: Path) -> tuple[float, float]:
    """Seconds until ready, and until a search, which needs engine and model, is answered."""
    began = time.perf_counter()
    process = start(data, log)
    try:
        running = ready(process, data, log)
        seconds = time.perf_counter() - began
        with Muniment(running.address, running.key) as muniment:
            muniment.post("/api/v1/search", {"query": "how soon is the first answer there?"})
        return seconds, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(60)


def memory(work: Path) -> None:
    """S7: the whole process tree, once a hundred small documents are searchable and all is quiet."""
    data = work / "memory"
    with server(data, work / "log") as running, Muniment(running.address, running.key) as muniment:
        _add_small(muniment)
        time.sleep(IDLE_SECONDS)
        shares = pss_mb(running)
        report.row(
            f"S7 memory (PSS), idle after {SMALL_DOCUMENTS} documents",
            sum(shares.values()),
            "MB",
            limit="< 600 MB",
            processes={f"{name} {pid}": round(mb, 1) for (pid, name), mb in shares.items()},
        )


def _add_small(muniment: Muniment) -> None:
    muniment.post("/api/v1/collections", {"name": "notes"})
    notes = [
        {"key": f"note-{number}.md", "text": f"# Note {number}\n\nRoom {number} is cleaned on day {number % 7}.\n"}
        for number in range(SMALL_DOCUMENTS)
    ]
    run = muniment.post("/api/v1/collections/notes/documents/batch", {"documents": notes})["run"]
    while muniment.get(f"/api/v1/runs/{run}")["state"] in {"queued", "running"}:
        time.sleep(0.1)
    muniment.post("/api/v1/search", {"query": "when is room 12 cleaned?"})


def pss_mb(running: Running) -> dict[tuple[int, str], float]:
    """The proportional share of each process of the tree, in MB."""
    return shares_mb(running.pid)


def shares_mb(root: int, of: str = "Pss") -> dict[tuple[int, str], float]:
    """The same of any process and all that came of it; of `Pss_Anon` what no file has, which it cannot give up."""
    return {(pid, _name(pid)): _rolled_up_mb(pid, of) for pid in tree(root)}


def tree(root: int) -> list[int]:
    """A process and all that came of it.

    Raises Skipped where there is no /proc.
    """
    if not Path(f"/proc/{root}/task").is_dir():
        raise report.Skipped("processes are only counted where there is /proc")
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        for task in Path(f"/proc/{process}/task").iterdir():
            waiting += map(int, (task / "children").read_text().split())
    return found


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    module = words[words.index("-m") + 1] if "-m" in words else words[0]
    return f"{module} {words[words.index('-m') + 2]}" if module == "muniment" else module


def _rolled_up_mb(pid: int, of: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{of}:")) * 1024 / 1e6


if __name__ == "__main__":
    main()
