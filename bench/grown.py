"""The embedded engine with so many chunks in it: filled, indexed, and what these two took.

A large one is kept under `bench/.cache`, with its figures.
"""

import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from bench import mixing, report
from bench.cache import CACHE, state
from bench.mixing import AT_ONCE, OTHER_PART, Mixed, Passages
from bench.opened import indexing_engine
from bench.start import shares_mb
from bench.straight import straight

from muniment.kernel.model import Matrix
from muniment.vectors import keywords
from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import IndexStatus, Payload
from muniment.vectors.engine.engine import EnginePoint
from muniment.vectors.engine.processes.proxy import ChildEngine
from muniment.vectors.engine.terms import Terms

INDEX = "main"
AVERAGE_LENGTH = 80.0
GROUPS, TAGS, COLLECTIONS = 1000, 1000, 20
KEPT_FROM = 1_000_000
BETWEEN_SEARCHES_SECONDS = 0.02
LOOKS_AT_MEMORY = 50
"""Searches between two looks at how much the processes hold."""

Timed = Callable[[ChildEngine, int], Awaitable[float]]
"""Seconds of the search of that number."""


class Chunks(NamedTuple):
    """What was put in, for the exact scan."""

    ids: list[UUID]
    vectors: Matrix
    readers: list[frozenset[str]]
    tags: list[str]


class Grown(NamedTuple):
    """The folder of an engine, and its figures so far: those of an earlier run are told again."""

    folder: Path
    size: int
    rows: Path

    @property
    def name(self) -> str:
        """As rows call it."""
        return f"{self.size:,} chunks"

    def told(self) -> dict[str, float]:
        """The rows that are kept, told again; by what they are about."""
        lines = [json.loads(line) for line in self.rows.read_text().splitlines()] if self.rows.is_file() else []
        for line in lines:
            report.row(line["work"], line["ours"], line["unit"], **line["more"], taken=line["at"])
        return {line["about"]: line["ours"] for line in lines}

    def tell(self, about: str, work: str, ours: float, unit: str, **more: Any) -> None:
        """A row, kept with the folder."""
        report.row(work, ours, unit, **more)
        line = {"about": about, "work": work, "ours": ours, "unit": unit, "more": more}
        with self.rows.open("a") as file:
            file.write(json.dumps(line | {"at": datetime.now(UTC).isoformat(timespec="seconds")}) + "\n")


@contextmanager
def grown(size: int, kept: Path | None = None) -> Iterator[Grown]:
    """An empty one, or that which is kept; of the large, one that other code has filled where it is named."""
    if size < KEPT_FROM:
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            yield Grown(Path(folder) / "engine", size, Path(folder) / "rows.jsonl")
        return
    folder = kept or CACHE / f"engine-{size}-{state(__file__, mixing.__file__)}"
    folder.mkdir(exist_ok=True)
    yield Grown(folder / "engine", size, folder / "rows.jsonl")


async def fill(of: Grown, passages: Passages, terms: Terms) -> float:
    """Put in what is not there yet; chunks a second, 0 where all was there."""
    async with indexing_engine(of.folder, terms._replace(index_from=10 * of.size)) as engine:
        await engine.ensure(INDEX, passages.vectors.shape[1])
        there = (await status(engine)).points // AT_ONCE * AT_ONCE
        if there >= of.size:
            return 0
        seconds = 0.0
        for points, vectors in _points(passages, there, of.size):
            began = time.perf_counter()
            await engine.upsert(INDEX, points, vectors)
            seconds += time.perf_counter() - began
    rate = (of.size - there) / seconds
    of.tell("put", f"S9 {of.name}: put into the engine", rate, "chunks/s", there_already=there)
    return rate


def lay(of: Grown, passages: Passages) -> None:
    """Make it with its graph, unless it is there: by way of the process that serves it takes hours."""
    if not (of.folder / INDEX).is_dir():
        rate = straight(of.folder / INDEX, _points(passages, 0, of.size), passages.vectors.shape[1])
        of.tell("laid", f"S9 {of.name}: made with graph and all, one processor", rate, "chunks/s")


def _points(passages: Passages, start: int, size: int) -> Iterator[tuple[list[EnginePoint], Matrix]]:
    words = [keywords.of_passage(text, "en", AVERAGE_LENGTH) for text in passages.texts]
    for some in mixing.mixed(passages, size, start=start):
        yield [point(start + at, _words(words, some, at, start)) for at in range(len(some.first))], some.vectors
        start += len(some.first)


async def build(of: Grown, terms: Terms, timed: Timed) -> None:
    """How long a graph takes, and what searches feel of it."""
    async with indexing_engine(of.folder, terms) as engine:
        pauses: list[float] = []
        memory = 0.0
        began = time.perf_counter()
        now = await status(engine)
        before = now.indexed
        while terms.due(now.points, now.indexed) or now.building:
            if now.problem:
                raise RuntimeError(now.problem)
            if len(pauses) % LOOKS_AT_MEMORY == 0:
                memory = max(memory, engine_mb())
            pauses.append(await timed(engine, len(pauses)))
            await asyncio.sleep(BETWEEN_SEARCHES_SECONDS)
            now = await status(engine)
        seconds = time.perf_counter() - began
    name, ms = of.name, np.array(pauses) * 1000
    of.tell("indexed", f"S9 {name}: indexed", (now.indexed - before) / seconds, "chunks/s",
            seconds=round(seconds, 1), int8=now.quantized)  # fmt: skip
    of.tell("busy p95", f"S4 {name}, while it is indexed: search p95", float(np.quantile(ms, 0.95)), "ms",
            samples=report.p95s(ms), searches=len(pauses))  # fmt: skip
    of.tell("busy longest", f"S11 {name}, while it is indexed: longest search", float(ms.max()), "ms",
            limit="< 300 ms")  # fmt: skip
    of.tell("busy memory", f"S4 {name}, while it is indexed: memory of the engine's processes", memory, "MB")


async def status(engine: ChildEngine) -> IndexStatus:
    """Of the one index."""
    return (await engine.status()).indexes[0]


def engine_mb() -> float:
    """PSS of the engine's processes."""
    while True:
        try:
            shares = shares_mb(os.getpid())
        except (FileNotFoundError, ProcessLookupError, StopIteration):
            continue  # a process ended while it was looked at
        return sum(share for (_, process), share in shares.items() if "vectors" in process)


def chunks(passages: Passages, size: int) -> Chunks:
    """All that was put in, made again."""
    some = [mixed.vectors for mixed in mixing.mixed(passages, size)]
    told = [payload(number) for number in range(0, size, 10)]
    readers = [frozenset(map(str, each["readers"])) for each in told for _ in range(10)]  # type: ignore[arg-type]
    tags = [f"t{number // 10 % TAGS}" for number in range(size)]
    return Chunks([point_id(number) for number in range(size)], np.concatenate(some), readers[:size], tags)


def point(number: int, words: Keywords) -> EnginePoint:
    """A chunk."""
    return EnginePoint(point_id(number), payload(number), words)


def point_id(number: int) -> UUID:
    """The same for the same number."""
    return UUID(int=random.Random(number).getrandbits(128))


def payload(number: int) -> Payload:
    """Of a document of ten chunks, for three groups, some more popular than others."""
    document = number // 10
    chance = random.Random(document)
    readers = {f"grp_{int(GROUPS * chance.random() ** 2):04}" for _ in range(3)}
    return {
        "readers": tuple(sorted(readers)), "collection": f"col_{document % COLLECTIONS}",
        "document": f"doc_{document:07}", "version": f"ver_{document:07}",
        "type": "Other", "key": f"notes/{document:07}.md", "access_level": "internal",
        "created_at": f"2026-{1 + document % 12:02}-01T00:00:00+00:00", "tags": (f"t{document % TAGS}",),
    }  # fmt: skip


def _words(words: list[Keywords], some: Mixed, place: int, start: int) -> Keywords:
    """All keywords of one passage, and a part of the other's."""
    first, other = words[some.first[place]], words[some.other[place]]
    part = np.random.default_rng(start + place).random(len(other.indices)) < OTHER_PART
    indices, places = np.unique(np.concatenate((first.indices, other.indices[part])), return_index=True)
    return Keywords(indices, np.concatenate((first.values, other.values[part]))[places])
