"""What a filter costs the engine: candidates for callers of few and of very many groups, and under conditions.

python -m bench.filters [--chunks 20000] [--queries 60]
"""

import argparse
import asyncio
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
from bench import evaldata, report

from muniment.kernel.local import local
from muniment.kernel.logs import configure_logs
from muniment.vectors.contract import (
    AnyOf,
    EnsureIndex,
    Filter,
    GatherCandidates,
    NoneOf,
    Point,
    Range,
    Upsert,
    Vectors,
)
from muniment.vectors.engine.processes.proxy import ChildEngine
from muniment.vectors.engine.processes.routes import Processes
from muniment.vectors.service import EngineVectors

INDEX, DIMENSIONS, POOL = "filters", 384, 100
GROUPS, COLLECTIONS, AT_ONCE = 1000, 20, 1000
USED = tuple(f"grp_{number}" for number in range(GROUPS))
UNUSED = tuple(f"grp_of_elsewhere_{number}" for number in range(GROUPS - 3))
EVERYBODY = "col_all:1"


@dataclass(frozen=True)
class Caller:
    """Who asks, and what else is asked for."""

    name: str
    readers: Sequence[str]
    filter: Filter = ()


FEW = Caller("3 groups", USED[:3])
ONE = Caller("1 token that sees all", (EVERYBODY,))
NEARLY_ALL = NoneOf(field="collection", values=("col_0",))
PAIRS = (
    (FEW, Caller("1,000 groups, of which 3 read here", (*USED[:3], *UNUSED)), "ratio < 2"),
    (ONE, Caller("1,000 groups that see all", USED), "ratio < 2"),
    (ONE, Caller("all, within 19 of 20 collections", (EVERYBODY,), (NEARLY_ALL,)), ""),
    (ONE, Caller("all, of one collection", (EVERYBODY,), (AnyOf(field="collection", values=("col_0",)),)), ""),
    (ONE, Caller("all, 0.1 % by a field without an index", (EVERYBODY,), (Range(field="metadata.n", lt=1),)), ""),
)  # fmt: skip


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=60)
    asked = parser.parse_args()
    configure_logs("error", "console")
    report.header()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), asked.chunks, asked.queries))


async def measure(folder: Path, chunks: int, count: int) -> None:
    """Take each pair in turn, query by query."""
    processes = Processes(folder, queue=16, start_seconds=60)
    running = asyncio.create_task(processes.run())
    try:
        vectors = local(Vectors, EngineVectors(ChildEngine(processes), average_length=80))
        await fill(vectors, chunks)
        queries = [q["text"] for q in itertools.islice(evaldata.lines("cranfield/queries"), count)]
        for plain, other, limit in PAIRS:
            seconds: dict[str, list[float]] = {plain.name: [], other.name: []}
            for number, text in enumerate(queries):
                for caller in (plain, other) if number % 2 else (other, plain):
                    seconds[caller.name].append(await _timed(vectors, caller, text, number))
            base, ours = (sorted(1000 * s for s in seconds[caller.name]) for caller in (plain, other))
            report.row(
                f"candidates of {chunks}: {other.name} (p50)",
                statistics.median(ours),
                "ms",
                beside=plain.name,
                baseline=statistics.median(base),
                limit=limit,
                samples=ours,
                baseline_samples=base,
            )
    finally:
        running.cancel()
        await asyncio.wait({running})


async def fill(vectors: Vectors, chunks: int) -> None:
    """Abstracts over and over, random unit vectors, two groups to a document of ten chunks."""
    await vectors.ensure(EnsureIndex(index=INDEX, dimensions=DIMENSIONS))
    texts = [d.text.strip()[:900] for name in ("cranfield", "cisi") for d in evaldata.documents(name)]
    chance, rng = random.Random(0), np.random.default_rng(0)
    for start in range(0, chunks, AT_ONCE):
        points = [_point(number, texts[number % len(texts)], chance) for number in range(start, start + AT_ONCE)]
        drawn = rng.standard_normal((len(points), DIMENSIONS), np.float32)
        unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        await vectors.upsert(Upsert(index=INDEX, points=tuple(points), vectors=unit))


def _point(number: int, text: str, chance: random.Random) -> Point:
    document = number // 10
    return Point(
        id=uuid4(),
        text=text,
        payload={
            "readers": (EVERYBODY, USED[document % GROUPS], chance.choice(USED)),
            "collection": f"col_{document % COLLECTIONS}",
            "document": f"doc_{document}",
            "version": f"ver_{document}",
            "metadata.n": number % 1000,
        },
    )


async def _timed(vectors: Vectors, caller: Caller, text: str, number: int) -> float:
    vector = np.random.default_rng(number).standard_normal((1, DIMENSIONS), np.float32)
    asked = GatherCandidates(
        index=INDEX,
        text=text,
        vector=vector,
        pool=POOL,
        readers=frozenset(caller.readers),
        filter=caller.filter,
    )
    began = time.perf_counter()
    await vectors.candidates(asked)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
