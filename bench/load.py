"""The search API under load: one caller and sixteen, beside a bare FastAPI route that answers the same reply.

python -m bench.load [--chunks 100000] [--seconds 10] [--callers 16]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from bench import evaldata, report
from bench.filler import filled
from bench.house import free_port, server
from bench.start import tree

from muniment.sdk import Muniment

REPEATED = 0.7


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--callers", type=int, default=16)
    arguments = parser.parse_args()
    report.header()
    data = filled(arguments.chunks)
    with tempfile.TemporaryDirectory() as work:
        log, reply = Path(work) / "log", Path(work) / "reply.json"
        with server(data, log) as running, _warm(running.address, running.key, reply), _bare(reply) as ceiling:
            compare(arguments, (running.address, running.key, running.pid), ceiling)


def compare(arguments: argparse.Namespace, ours: tuple[str, str, int], ceiling: tuple[str, str, int]) -> None:
    """One caller on both, then many, with queries that are all new and with repeated ones."""
    queries = "\n".join(q["text"] for q in evaldata.lines("xquad/queries"))
    corpus = f"{arguments.chunks} chunks"
    for callers in (1, arguments.callers):
        bare = _load(arguments, ceiling, callers, REPEATED, queries)
        for kind, repeated in (("new queries", 0.0), (f"{REPEATED:.0%} repeated", REPEATED)):
            found = _load(arguments, ours, callers, repeated, queries)
            work = f"search, {corpus}, {callers} caller(s), {kind}"
            limits = {"rate": "ratio at least 0.30" if callers > 1 and repeated else ""}
            limits |= {"p50": "< 10 ms", "p95": "< 20 ms"} if callers == 1 else {"p50": "", "p95": "< 30 ms"}
            for part, unit in (("rate", "/s"), ("p50", "ms"), ("p95", "ms")):
                mine, theirs, limit = found[part], bare[part], limits[part]
                report.row(f"{work}: {part}", mine, unit, beside="bare FastAPI", baseline=theirs, limit=limit)
            cpu, theirs = found["cpu_ms"], bare["cpu_ms"]
            more = {"failures": found["failures"]} if found["failures"] else {}
            report.row(f"{work}: CPU a request", cpu, "ms", beside="bare FastAPI", baseline=theirs, **more)


def _load(
    arguments: argparse.Namespace, target: tuple[str, str, int], callers: int, repeated: float, queries: str
) -> dict[str, Any]:
    address, key, pid = target
    before = cpu_seconds(pid)
    seed = str(time.time_ns())
    command = [sys.executable, "-m", "bench.callers", address, key, str(callers), str(arguments.seconds)]
    done = subprocess.run(
        [*command, str(repeated), seed], input=queries, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"cpu_ms": 1000 * (cpu_seconds(pid) - before) / found["requests"]}


def cpu_seconds(pid: int) -> float:
    """What the processes of the tree have used so far."""
    ticks = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def _warm(address: str, key: str, reply: Path) -> Iterator[None]:
    """The model loaded, and one reply kept."""
    with Muniment(address, key) as muniment:
        for number in range(20):
            answer = muniment.post("/api/v1/search", {"query": f"laminar flow over plate {number}", "limit": 10})
    reply.write_text(json.dumps(answer))
    yield


@contextmanager
def _bare(reply: Path) -> Iterator[tuple[str, str, int]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.bare", str(reply), str(port)])
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/openapi.json")
        yield address, "", process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nothing answers at {url}")


if __name__ == "__main__":
    main()
