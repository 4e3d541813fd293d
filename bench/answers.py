"""S5: how soon the first useful event of an answer is there, without a language model, beside a search alone.

    python -m bench.answers [--chunks 100000] [--questions 100]

Useful is the first sentence with its footnotes, or that there is no answer; the passages come before. Each
question is new to both, and they are asked in turn.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from bench import evaldata, report
from bench.filler import filled
from bench.house import rest, server

from muniment.sdk import Muniment

USEFUL = frozenset({"footnote", "sentence", "done"})


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=100)
    asked = parser.parse_args()
    report.header()
    names = ("cranfield/queries", "cisi/queries", "xquad/queries")
    texts = list(
        itertools.islice((q["text"] for name in names for q in evaldata.lines(name)), 2 * asked.questions)
    )
    first, passages, searches = [], [], []
    kinds: dict[str, int] = {}
    data = filled(asked.chunks)
    with (
        tempfile.TemporaryDirectory() as work,
        server(data, Path(work) / "log") as running,
        Muniment(running.address, running.key) as muniment,
    ):
        for number in range(5):
            answered(muniment, f"how warm is room {number}?")
        rest(asked.chunks, data)
        for question, query in zip(texts[::2], texts[1::2], strict=True):
            shown, useful, kind = answered(muniment, question)
            passages.append(shown)
            first.append(useful)
            kinds[kind] = kinds.get(kind, 0) + 1
            began = time.perf_counter()
            muniment.post("/api/v1/search", {"query": query, "limit": 10})
            searches.append(1000 * (time.perf_counter() - began))
    show(asked.chunks, "first useful event", first, searches, "< 60 ms", kinds=kinds)
    show(asked.chunks, "passages shown", passages, searches, "")


def answered(muniment: Muniment, question: str) -> tuple[float, float, str]:
    """Milliseconds until the passages, and until the first useful event, and its kind."""
    began = time.perf_counter()
    passages = useful = 0.0
    kind = ""
    for event, _ in muniment.events("/api/v1/ask", {"question": question, "model": "extractive"}):
        now = 1000 * (time.perf_counter() - began)
        passages = passages or now
        if event in USEFUL and not kind:
            useful, kind = now, event
    return passages, useful, kind


def show(chunks: int, what: str, taken: list[float], searches: list[float], limit: str, **more: object) -> None:
    """Print the rows."""
    work = f"S5 {what}, {chunks} chunks"
    mine, theirs = statistics.median(taken), statistics.median(searches)
    report.row(
        f"{work}: p50", mine, "ms", beside="search alone", baseline=theirs,
        samples=taken, baseline_samples=searches, **more,
    )  # fmt: skip
    report.row(
        f"{work}: p95", float(np.quantile(taken, 0.95)), "ms", beside="search alone",
        baseline=float(np.quantile(searches, 0.95)), limit=limit,
        samples=report.p95s(taken), baseline_samples=report.p95s(searches),
    )  # fmt: skip


if __name__ == "__main__":
    main()
