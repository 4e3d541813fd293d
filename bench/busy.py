"""S11: one caller's searches while documents are being ingested, beside the same caller on a quiet server.

python -m bench.busy [--chunks 100000] [--documents 600] [--seconds 30]
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import evaldata, report
from bench.filler import filled
from bench.house import server

from muniment.sdk import Muniment

BATCH = 100


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--documents", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    report.header()
    with tempfile.TemporaryDirectory() as work:
        data = Path(work) / "data"
        shutil.copytree(filled(arguments.chunks), data)  # what is ingested here stays here
        with server(data, Path(work) / "log") as running, Muniment(running.address, running.key) as muniment:
            _search(running.address, running.key, 3)
            quiet = _search(running.address, running.key, arguments.seconds)
            run = _upload(muniment, arguments.documents)
            busy = _search(running.address, running.key, arguments.seconds)
            still = muniment.get(f"/api/v1/runs/{run}")["state"]
    work_done = f"S11 search at {arguments.chunks} chunks while {arguments.documents} documents are ingested"
    limits = {"p50": "", "p95": "< 60 ms", "worst": "no request over 300 ms"}
    for part, limit in limits.items():
        report.row(
            f"{work_done}: {part}", busy[part], "ms", beside="quiet", baseline=quiet[part], limit=limit,
            requests=busy["requests"], failures=busy["failures"], ingest_at_the_end=still,
        )  # fmt: skip


def _search(address: str, key: str, seconds: float) -> dict[str, Any]:
    queries = "\n".join(q["text"] for q in evaldata.lines("xquad/queries"))
    command = [sys.executable, "-m", "bench.callers", address, key, "1", str(seconds), "0", str(time.time_ns())]
    done = subprocess.run(command, input=queries, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


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
