"""What the script of a peer does in its own environment: each line of JSON that it is told, it answers with one.

`{"ingest": FILE}` -> seconds and chunks; `{"search": FILE}` -> of each query the documents, best first, and ms.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

TOP = 10
CANDIDATES = 50
"""Chunks that each of a peer's retrievers is asked for: enough for ten documents."""


class Pipeline(Protocol):
    """A peer, put together as its documentation says."""

    def ingest(self, documents: list[dict[str, str]]) -> int:
        """Index documents (`id`, `title`, `text`) in place of those before; how many chunks they gave."""
        ...

    def search(self, query: str) -> list[str]:
        """The ids of the best ten documents."""
        ...


def first_of_each(documents: Iterable[str]) -> list[str]:
    """Each document at the place of its best chunk."""
    return list(dict.fromkeys(documents))[:TOP]


def serve(build: Callable[[str, int], Pipeline]) -> None:
    """`model folder` and the chunk size in tokens are the arguments."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what a library prints is no answer
        pipeline = build(sys.argv[1], int(sys.argv[2]))
        for line in sys.stdin:
            told = json.loads(line)
            answers.write(
                json.dumps(_ingested(pipeline, told) if "ingest" in told else _found(pipeline, told)) + "\n"
            )
            answers.flush()


def _ingested(pipeline: Pipeline, told: dict[str, str]) -> dict[str, Any]:
    documents = json.loads(Path(told["ingest"]).read_text())
    began = time.perf_counter()
    chunks = pipeline.ingest(documents)
    return {"seconds": time.perf_counter() - began, "chunks": chunks}


def _found(pipeline: Pipeline, told: dict[str, str]) -> dict[str, Any]:
    found, taken = [], []
    for query in json.loads(Path(told["search"]).read_text()):
        began = time.perf_counter()
        found.append(pipeline.search(query))
        taken.append(1000 * (time.perf_counter() - began))
    return {"found": found, "ms": taken}
