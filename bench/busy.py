"""S11: one client's searches while documents are being ingested, beside the same client on a quiet server.

python -m bench.busy [--chunks 100000] [--documents 600] [--seconds 30]
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from bench import evaldata, k6, report
from bench.filler import filled
from bench.house import rest, server

from muniment.sdk import Muniment

BATCH = 100


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--documents", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=30.0)
    asked = parser.parse_args()
    report.header()
    with tempfile.TemporaryDirectory() as work:
        data = Path(work) / "data"
        shutil.copytree(filled(asked.chunks), data)  # what is ingested here stays here
        with server(data, Path(work) / "log") as running, Muniment(running.address, running.key) as muniment:
            target, load = k6.Target(running.address, running.key, running.pid), k6.Load(1, asked.seconds)
            k6.search(target, k6.Load(1, 3))
            rest(asked.chunks, data)
            quiet = k6.search(target, load)
            run = _upload(muniment, asked.documents)
            busy = k6.search(target, load)
            still = muniment.get(f"/api/v1/runs/{run}")["state"]
    work_done = f"S11 search at {asked.chunks} chunks while {asked.documents} documents are ingested"
    report.row(
        f"{work_done}: p50", busy.p50, "ms", beside="quiet", baseline=quiet.p50,
        samples=busy.p50s, baseline_samples=quiet.p50s,
        requests=busy.requests, failures=busy.failures, ingest_at_the_end=still,
    )  # fmt: skip
    report.row(
        f"{work_done}: p95", busy.p95, "ms", beside="quiet", baseline=quiet.p95, limit="< 60 ms",
        samples=busy.p95s, baseline_samples=quiet.p95s,
    )  # fmt: skip
    report.row(
        f"{work_done}: worst", busy.worst, "ms", beside="quiet", baseline=quiet.worst,
        limit="at most 300 ms",
    )  # fmt: skip


def _upload(muniment: Muniment, count: int) -> str:
    """Begin the ingestion; the last batch's run."""
    muniment.post("/api/v1/collections", {"name": "busy"})
    documents = evaldata.documents("k8s_notes_to_kep")[:count]
    run = ""
    for start in range(0, len(documents), BATCH):
        batch = [
            {"key": f"{document.id}.md", "text": document.text, "media_type": "text/markdown"}
            for document in documents[start : start + BATCH]
        ]
        run = muniment.post("/api/v1/collections/busy/documents/batch", {"documents": batch})["run"]
    return run


if __name__ == "__main__":
    main()
