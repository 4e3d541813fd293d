"""Peak memory of the whole process tree while it takes in what is large: one file, many files, many chunks.

python -m bench.large [--only file,files,chunks] [--files 10000] [--megabytes 500] [--chunks 100000]
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Self

import httpx
from bench import evaldata, report
from bench.house import server
from bench.start import pss_mb

from muniment.runfile import Running

LIMIT_MB = 1000
LIMIT = f"< {LIMIT_MB} MB"
SAMPLE_SECONDS = 0.1
PIECE_CHARACTERS = 250
PATIENCE_SECONDS = 3600
ADDRESS = "/api/v1/collections/large/documents"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="file,files,chunks")
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--chunks", type=int, default=100_000)
    asked = parser.parse_args()
    report.header()
    for name in asked.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            with server(work / "data", work / "log") as running, _client(running) as http:
                {"file": one_file, "files": many_files, "chunks": many_chunks}[name](running, http, work, asked)


def one_file(running: Running, http: httpx.Client, work: Path, asked: argparse.Namespace) -> None:
    """A text that is kept whole and refused as text: there is more of it than is taken."""
    path = work / "large.txt"
    line = b"The probe reads the temperature of the load and warns the driver when it is too warm.\n"
    with path.open("wb") as file:
        for _ in range(asked.megabytes):
            file.write(line * (1_000_000 // len(line)))
    with Peak(running) as peak:
        run = _upload(http, [path])
    problem = run["problem"] or {}
    peak.told(f"one file of {asked.megabytes} MB", ended=run["state"], problem=problem.get("detail"))


def many_files(running: Running, http: httpx.Client, work: Path, asked: argparse.Namespace) -> None:
    """Small texts in one upload: pieces of a set's documents, each under its title."""
    paths = []
    for number, (title, piece) in enumerate(islice(cycle(_pieces()), asked.files)):
        paths.append(work / f"note-{number:05}.md")
        paths[-1].write_text(f"# {title} {number}\n\n{piece}\n")
    with Peak(running) as peak:
        began = time.perf_counter()
        run = _upload(http, paths)
        seconds = time.perf_counter() - began
    peak.told(
        f"{asked.files} files in one upload", ended=run["state"], files_a_second=round(asked.files / seconds, 1)
    )


def _pieces() -> Iterator[tuple[str, str]]:
    for document in evaldata.documents("rag_multi_corpus") + evaldata.documents("cisi"):
        for at in range(0, len(document.text), PIECE_CHARACTERS):
            yield document.title, document.text[at : at + PIECE_CHARACTERS]


def many_chunks(running: Running, http: httpx.Client, work: Path, asked: argparse.Namespace) -> None:
    """Sections just long enough to be chunks of their own."""
    path = work / "sections.md"
    said = "is cleaned daily; whoever finds it dirty tells the porter, who notes the day and sends help"
    path.write_text("".join(f"## Part {n}\n\nRoom {n} {said}.\n\n" for n in range(asked.chunks)))
    with Peak(running) as peak:
        began = time.perf_counter()
        run = _upload(http, [path])
        seconds = time.perf_counter() - began
        document = http.get(f"/api/v1/documents/{run['document']}").raise_for_status().json()
        if run["state"] == "succeeded":
            http.get(f"/api/v1/documents/{run['document']}/text").raise_for_status()
    peak.told(
        f"one document of {asked.chunks} sections",
        ended=run["state"],
        chunks=document["versions"][0]["chunks"],
        problem=(run["problem"] or {}).get("detail"),
        seconds=round(seconds),
    )


@contextmanager
def _client(running: Running) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {running.key}"}
    with httpx.Client(base_url=running.address, headers=headers, timeout=PATIENCE_SECONDS) as http:
        http.post("/api/v1/collections", json={"name": "large"}).raise_for_status()
        yield http


def _upload(http: httpx.Client, paths: list[Path]) -> dict[str, Any]:
    """The run, once it is over."""
    with ExitStack() as stack:
        if len(paths) > 1:  # more than may be open at once; they are small
            files = [("file", (path.name, path.read_bytes())) for path in paths]
            taken = http.post(ADDRESS, files=files).raise_for_status().json()
        else:
            file = stack.enter_context(paths[0].open("rb"))
            taken = http.post(ADDRESS, files=[("file", (paths[0].name, file))]).raise_for_status().json()
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        run: dict[str, Any] = http.get(f"/api/v1/runs/{taken['run']}").raise_for_status().json()
        if run["state"] not in {"queued", "running"}:
            return run
        time.sleep(0.5)
    raise RuntimeError(f"the upload is not over after {PATIENCE_SECONDS} s")


class Peak:
    """The most memory that each process held, and the whole tree at one moment."""

    def __init__(self, running: Running) -> None:
        self._running, self._over = running, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.whole = 0.0
        self.then: dict[str, float] = {}
        self.each: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            try:
                shares = pss_mb(self._running)
            except (FileNotFoundError, ProcessLookupError, StopIteration):
                continue  # a process ended while it was looked at
            if sum(shares.values()) > self.whole:
                self.whole, self.then = (
                    sum(shares.values()),
                    {f"{name} {pid}": mb for (pid, name), mb in shares.items()},
                )
            for (_, name), mb in shares.items():
                self.each[name] = max(self.each.get(name, 0), mb)

    def told(self, work: str, **more: Any) -> None:
        """Print the row."""
        report.row(
            f"memory peak (PSS): {work}",
            self.whole,
            "MB",
            limit=LIMIT,
            at_the_peak={name: round(mb) for name, mb in self.then.items()},
            processes={name: round(mb) for name, mb in self.each.items()},
            **more,
        )


if __name__ == "__main__":
    main()
