"""`make chaos`: kill -9 of every process at random moments of an ingestion, then count what is lost or left.

    python -m bench.chaos [--kills 100] [--documents 300] [--seed 1]

A writer uploads, changes and deletes documents all the while, and keeps a record of what was acknowledged; a
killer ends the server, the parsers or the engine's process. After the last restart nobody lends a hand. Exit code
1 when any count is not zero.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench import evaldata, report
from bench.house import ready, start
from bench.start import tree

from muniment.kernel.problems import Problem
from muniment.runfile import Running
from muniment.sdk import Muniment

COLLECTION = "chaos"
PATH = f"/api/v1/collections/{COLLECTION}/documents"
BATCH = 8
IDLE_SECONDS = 600
WAIT_SECONDS = 5
PAUSE_SECONDS = 0.3
"""Between batches: what waits at the end is worked off before it is counted."""

VICTIMS = {"parser": "documents.parsing", "engine": "vectors.engine"}


def main() -> None:
    """Do it, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the data, which then stays")
    arguments = parser.parse_args()
    report.header()
    with tempfile.TemporaryDirectory() as work:
        house = House(arguments.keep or Path(work))
        try:
            counts = chaos(house, arguments)
        finally:
            house.end()
    for name, count in counts.items():
        report.row(f"chaos, {arguments.kills} kills: {name}", count, "", limit="at most 0")
    sys.exit(1 if any(counts.values()) else 0)


class House:
    """`muniment up` on one folder, begun again after each death."""

    def __init__(self, folder: Path) -> None:
        self._data, self._log = folder / "data", folder / "log"
        self.lock = threading.Lock()
        self._process, self.running = self._begun()

    def _begun(self) -> "tuple[subprocess.Popen[bytes], Running]":
        process = start(self._data, self._log)
        return process, ready(process, self._data, self._log)

    def kill(self, victim: str) -> bool:
        """End one process of that kind without a word; whether there was one."""
        if victim == "server":
            with self.lock:
                self._process.kill()
                self._process.wait()
                self._process, self.running = self._begun()
            return True
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            for pid in tree(self._process.pid):
                if VICTIMS[victim] in _command(pid):
                    os.kill(pid, signal.SIGKILL)
                    return True
            time.sleep(0.02)
        return False

    def client(self) -> Muniment:
        """The server as it is now."""
        with self.lock:
            return Muniment(self.running.address, self.running.key)

    def end(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(60)


class Writer(threading.Thread):
    """Uploads, changes and deletes until told to stop; `kept` is what was acknowledged last, by key."""

    def __init__(self, house: House, texts: list[str], seed: int) -> None:
        super().__init__(daemon=True)
        self._house, self._texts, self._chance = house, texts, random.Random(seed)
        self.kept: dict[str, str] = {}
        self.unsure: dict[str, set[str | None]] = {}
        self.stop = threading.Event()
        self.acknowledged = Counter[str]()

    def run(self) -> None:
        """Round after round over all keys."""
        number = 0
        while not self.stop.is_set():
            batch = {}
            for _ in range(BATCH):
                at = number % len(self._texts)
                batch[f"{at}.md"] = (
                    f"{self._texts[at]}\n\nSeen in round {number // len(self._texts)} of keeper{at}."
                )
                number += 1
            self._put(batch)
            self.stop.wait(PAUSE_SECONDS)
            if self._chance.random() < 0.2 and self.kept:
                self._remove(self._chance.choice(sorted(self.kept)))

    def _put(self, batch: dict[str, str]) -> None:
        """What is not acknowledged may be there or not: it is sent again, as any client does."""
        documents = [{"key": key, "text": text, "media_type": "text/markdown"} for key, text in batch.items()]
        for key, text in batch.items():
            self._doubt(key, text)
        while not self.stop.is_set():
            try:
                with self._house.client() as muniment:
                    told = muniment.post(f"{PATH}/batch", {"documents": documents})["documents"]
            except Problem:
                time.sleep(0.05)
                continue
            for document in told:
                assert document["problem"] is None, document
                self._sure(document["key"], batch[document["key"]])
            return

    def _remove(self, key: str) -> None:
        self._doubt(key, None)
        while not self.stop.is_set():
            try:
                with self._house.client() as muniment:
                    found = muniment.get(PATH, key=key)["items"]
                    if found:
                        muniment.delete(f"/api/v1/documents/{found[0]['id']}")
            except Problem:
                time.sleep(0.05)
                continue
            self._sure(key, None)
            return

    def _doubt(self, key: str, text: str | None) -> None:
        self.unsure.setdefault(key, {self.kept.get(key)}).add(text)

    def _sure(self, key: str, text: str | None) -> None:
        self.unsure.pop(key, None)
        self.acknowledged["deleted" if text is None else "uploaded"] += 1
        if text is None:
            self.kept.pop(key, None)
        else:
            self.kept[key] = text


def chaos(house: House, arguments: argparse.Namespace) -> dict[str, int]:
    """Kill while the writer writes; then wait until the house is quiet, and count."""
    texts = [d.text[:3000] for d in evaldata.documents("k8s_notes_to_kep")[: arguments.documents]]
    chance = random.Random(arguments.seed)
    with house.client() as muniment:
        muniment.post("/api/v1/collections", {"name": COLLECTION})
    writer = Writer(house, texts, arguments.seed)
    writer.start()
    kills = Counter[str]()
    while kills.total() < arguments.kills:
        time.sleep(chance.uniform(0.05, 1.5))
        victim = chance.choice(("server", "parser", "engine"))
        kills[victim] += house.kill(victim)
    writer.stop.set()
    writer.join()
    began = time.monotonic()
    with house.client() as muniment:
        is_quiet = _quiet(muniment)
        print(f"    {dict(kills)} killed; acknowledged: {dict(writer.acknowledged)}; "
              f"quiet after {time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
        return {"not quiet in time": int(not is_quiet), **_counted(muniment, writer)}


def _quiet(muniment: Muniment) -> bool:
    """Whether no run is left open within the time."""
    until = time.monotonic() + IDLE_SECONDS
    while time.monotonic() < until:
        numbers = muniment.get("/health")["numbers"]
        if not numbers.get("runs_queued", 0) + numbers.get("runs_running", 0):
            return True
        time.sleep(0.5)
    return False


def _counted(muniment: Muniment, writer: Writer) -> dict[str, int]:
    there = {document["key"]: document for document in muniment.pages(PATH, limit=500)}
    wanted: dict[str, set[str | None]] = {key: {text} for key, text in writer.kept.items()}
    wanted |= writer.unsure
    missing = [key for key, texts in wanted.items() if _hash_of(there.get(key)) not in {_sha256(t) for t in texts}]
    left = [key for key in there if key not in wanted]
    open_runs = [r for state in ("queued", "running") for r in muniment.pages("/api/v1/runs", state=state)]
    told = muniment.post("/api/v1/reconcile", {}, timeout_seconds=IDLE_SECONDS)["discrepancies"]
    for discrepancy in told:
        print(f"    {discrepancy['kind']}: {', '.join(discrepancy['examples'])}", flush=True)
    found = {discrepancy["kind"]: discrepancy["count"] for discrepancy in told}
    doubled = 0
    for key in random.Random(0).sample(sorted(there), min(50, len(there))):
        query = {"query": f"keeper{key.removesuffix('.md')}", "mode": "keyword", "limit": 50}
        hits = muniment.post("/api/v1/search", query)["hits"]
        mine = [hit["chunk"]["id"] for hit in hits if hit["document"]["key"] == key]
        doubled += len(mine) - len(set(mine)) if mine else 1
    return {
        "acknowledged documents missing or in another version": len(missing),
        "deleted documents still there": len(left),
        "versions that do not end": sum(d["versions"][-1]["state"] != "current" for d in there.values()),
        "runs left open": len(open_runs),
        "passages doubled or not found, of 50 documents": doubled,
        **{f"discrepancies: {kind}": found.get(kind, 0) for kind in _KINDS},
    }


_KINDS = (
    "orphan-points", "missing-points", "missing-history", "late-history", "wrong-readers", "orphan-blobs",
    "missing-blobs", "stuck-versions",
)  # fmt: skip


def _hash_of(document: dict[str, Any] | None) -> str | None:
    return None if document is None else document["content_hash"]


def _sha256(text: str | None) -> str | None:
    return None if text is None else sha256(text.encode()).hexdigest()


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\x00", b" ").decode()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
