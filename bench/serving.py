"""S3: the search API under load, beside a bare FastAPI route that answers the same reply.

    python -m bench.serving [--chunks 100000] [--seconds 60] [--clients 16] [--with MUNIMENT_ROOM__SETTING=VALUE]

One client whose queries are all new, and many of whose queries most come again; k6 asks, on the same processors.
`--with` starts the server with other settings, such as another reranker, and says so in the names of the rows.
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

import httpx
from bench import k6, report
from bench.filler import filled
from bench.house import free_port, rest, server
from bench.start import tree

from muniment.sdk import Muniment

REPEATED = 0.7


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--with", nargs="+", default=[], dest="settings", metavar="NAME=VALUE")
    asked = parser.parse_args()
    report.header()
    data = filled(asked.chunks)
    with tempfile.TemporaryDirectory() as work:
        log, reply = Path(work) / "log", Path(work) / "reply.json"
        with server(data, log, dict(said.split("=", 1) for said in asked.settings)) as running:
            _warm(running.address, running.key, reply)
            rest(asked.chunks, data)
            ours = k6.Target(running.address, running.key, running.pid)
            with _bare(reply) as ceiling:
                corpus = " ".join(["S3 search,", *asked.settings, f"{asked.chunks} chunks"])
                short = asked.seconds / 4
                show(f"{corpus}, 1 client, new queries", ours, ceiling, k6.Load(1, short))
                show(
                    f"{corpus}, {asked.clients} clients, new queries", ours, ceiling, k6.Load(asked.clients, short)
                )
                many = k6.Load(asked.clients, asked.seconds, REPEATED)
                show(f"{corpus}, {asked.clients} clients, {REPEATED:.0%} repeated", ours, ceiling, many)


def show(work: str, ours: k6.Target, ceiling: k6.Target, load: k6.Load) -> None:
    """Both in turn under the same load."""
    (bare, bare_cpu), (mine, cpu) = _loaded(ceiling, load), _loaded(ours, load)
    one = load.clients == 1
    report.row(
        f"{work}: rate", mine.rate, "/s", beside="bare FastAPI", baseline=bare.rate,
        limit="ratio at least 0.30" if load.repeated else "", samples=mine.rates, baseline_samples=bare.rates,
        requests=mine.requests, failures=mine.failures,
    )  # fmt: skip
    report.row(
        f"{work}: p50", mine.p50, "ms", beside="bare FastAPI", baseline=bare.p50, limit="< 10 ms" if one else "",
        samples=mine.p50s, baseline_samples=bare.p50s,
    )  # fmt: skip
    limit = "< 20 ms" if one else "< 30 ms" if load.repeated else ""
    report.row(
        f"{work}: p95", mine.p95, "ms", beside="bare FastAPI", baseline=bare.p95, limit=limit,
        samples=mine.p95s, baseline_samples=bare.p95s,
    )  # fmt: skip
    report.row(f"{work}: CPU a request", cpu, "ms", beside="bare FastAPI", baseline=bare_cpu)


def cpu_seconds(pid: int) -> float:
    """What the processes of the tree have used so far."""
    ticks = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _loaded(target: k6.Target, load: k6.Load) -> tuple[k6.Met, float]:
    """What the clients met, and the CPU milliseconds of a request."""
    before = cpu_seconds(target.pid)
    found = k6.search(target, load)
    return found, 1000 * (cpu_seconds(target.pid) - before) / found.requests


def _warm(address: str, key: str, reply: Path) -> None:
    """The model loaded, and one reply kept."""
    with Muniment(address, key) as muniment:
        for number in range(20):
            answer = muniment.post("/api/v1/search", {"query": f"laminar flow over plate {number}", "limit": 10})
    reply.write_text(json.dumps(answer))


@contextmanager
def _bare(reply: Path) -> Iterator[k6.Target]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.bare", str(reply), str(port)])
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/openapi.json")
        yield k6.Target(address, "", process.pid)
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
