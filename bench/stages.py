"""Where the time of a search goes, step by step, and what the same search takes when it comes again.

    python -m bench.stages [--chunks 100000] [--queries 100]

One client over HTTP; each query is asked twice in a row, first new, then as it was. The steps are those that a
search's `timings` name; what is left is the gateway, the connection and a client that does next to nothing.
"""

import argparse
import json
import statistics
import tempfile
import time
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from bench import evaldata, report
from bench.filler import filled
from bench.house import rest, server

WARM = 20
STEPS = ("scope", "embed", "engine", "fuse", "rerank", "hydrate")
LIMITS = {"fuse": "< 4 ms", "rerank": "< 200 ms"}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    asked = parser.parse_args()
    report.header()
    names = ("xquad/queries", "cranfield/queries", "cisi/queries")
    questions = [q["text"] for name in names for q in evaldata.lines(name)]
    texts = questions[:: max(1, len(questions) // (asked.queries + WARM))]
    data = filled(asked.chunks)
    new, again, steps = [], [], []
    with (
        tempfile.TemporaryDirectory() as work,
        server(data, Path(work) / "log") as running,
        closing(HTTPConnection(urlsplit(running.address).netloc)) as http,
    ):
        headers = {"authorization": f"Bearer {running.key}", "content-type": "application/json"}
        for text in texts[:WARM]:
            _searched(http, headers, text)
        rest(asked.chunks, data)
        http.close()  # the server did so by now
        for text in texts[WARM : WARM + asked.queries]:
            taken, timings = _searched(http, headers, text)
            new.append(taken)
            steps.append(timings)
            again.append(_searched(http, headers, text)[0])
    show(f"S3 one search at a time, {asked.chunks} chunks", new, again, steps)


def _searched(http: HTTPConnection, headers: dict[str, str], text: str) -> tuple[float, dict[str, float]]:
    """Milliseconds in all and of each step."""
    body = json.dumps({"query": text, "limit": 10})
    began = time.perf_counter()
    http.request("POST", "/api/v1/search", body, headers)
    with http.getresponse() as response:
        answer = response.read()
    taken = 1000 * (time.perf_counter() - began)
    if response.status != HTTPStatus.OK:
        raise RuntimeError(f"a search was answered with {response.status}: {answer[:500]!r}")
    timings: dict[str, float] = json.loads(answer)["timings"]
    return taken, timings


def show(work: str, new: list[float], again: list[float], steps: list[dict[str, float]]) -> None:
    """Print the rows."""
    report.row(f"{work}: new, p50", statistics.median(new), "ms", samples=new)
    report.row(f"{work}: new, p95", float(np.quantile(new, 0.95)), "ms", samples=report.p95s(new))
    report.row(
        f"{work}: asked again, p50", statistics.median(again), "ms", beside="new", baseline=statistics.median(new),
        limit="ratio at most 0.20", samples=again, baseline_samples=new,
    )  # fmt: skip
    known = [step for step in STEPS if any(step in timings for timings in steps)]
    taken = {step: [timings.get(step, 0.0) for timings in steps] for step in known}
    left = [
        whole - sum(timings.get(step, 0.0) for step in known) for whole, timings in zip(new, steps, strict=True)
    ]
    for step, ms in (taken | {"all around it": left}).items():
        report.row(f"{work}: {step}, p50", statistics.median(ms), "ms", samples=ms)
        if step in LIMITS:
            p95 = float(np.quantile(ms, 0.95))
            report.row(f"{work}: {step}, p95", p95, "ms", limit=LIMITS[step], samples=report.p95s(ms))


if __name__ == "__main__":
    main()
