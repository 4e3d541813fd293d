"""S4, S9: the embedded engine as it grows: filling, indexing, searching, at 1,000 to 1,000,000 chunks.

    python -m bench.scale [--chunks 1000 10000 100000] [--million] [--niceness 19]

Passages of the sets are embedded once and kept; a chunk is one of them with a part of another, in text and vector,
and noise. A search is the filtered hybrid one (three lists of 100 and all signals of their union) for a reader of
eight of a thousand groups. Recall is that of the vectors' ten nearest, beside an exact scan.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import numpy as np
from bench import evaldata, report
from bench.filler import CACHE
from bench.house import house
from bench.serving import cpu_seconds
from bench.start import shares_mb
from numpy.typing import NDArray

from muniment.embedding.contract import Embedding, EmbedQueries
from muniment.kernel.model import Matrix
from muniment.vectors import keywords
from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import AnyOf, Filter, IndexStatus, Payload
from muniment.vectors.engine import layout
from muniment.vectors.engine.building import IndexedCopies, Terms
from muniment.vectors.engine.engine import EnginePoint, Gathering, Nearest
from muniment.vectors.engine.processes import Processes
from muniment.vectors.engine.proxy import ChildEngine

SETS = ("cranfield", "cisi", "xquad", "k8s_notes_to_kep", "rag_multi_corpus")
PASSAGES = 1500
PASSAGE_CHARACTERS = 900
QUERY_WORDS = 10
QUERIES = 100
AVERAGE_LENGTH = 80.0
AT_ONCE = 512
GROUPS = 1000
READERS = 10
OTHER_PART, NOISE = 0.35, 0.02
POOL, NEAREST = 100, 10
BETWEEN_SEARCHES_SECONDS = 0.02
INDEX = "main"


class Passages(NamedTuple):
    """What chunks are mixed from."""

    texts: list[str]
    vectors: Matrix
    keywords: list[Keywords]


class Chunks(NamedTuple):
    """Chunks that were put in, for the exact scan."""

    ids: list[UUID]
    vectors: Matrix
    readers: list[frozenset[str]]
    tags: list[str]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument(
        "--million", action="store_true", help="1,000,000 as well: about an hour on two processors"
    )
    parser.add_argument("--niceness", type=int, default=Terms().niceness, help="of the process that indexes")
    asked = parser.parse_args()
    report.header()
    passages = asyncio.run(_passages())
    for chunks in [*asked.chunks, *([1_000_000] if asked.million else [])]:
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            asyncio.run(_measure(Path(folder), passages, chunks, asked.niceness))


async def _passages() -> Passages:
    texts = [
        document.text[at : at + PASSAGE_CHARACTERS]
        for name in SETS
        for document in evaldata.documents(name)
        for at in range(0, min(len(document.text), 4 * PASSAGE_CHARACTERS), PASSAGE_CHARACTERS)
    ]
    random.Random(0).shuffle(texts)
    texts = texts[:PASSAGES]
    CACHE.mkdir(exist_ok=True)
    kept = CACHE / f"scale-{PASSAGES}.npy"
    if not kept.is_file():
        with tempfile.TemporaryDirectory() as data:
            async with house(Path(data)) as opened:
                embedding = await opened.get(Embedding)
                some = [EmbedQueries(texts=tuple(texts[at : at + 64])) for at in range(0, len(texts), 64)]
                np.save(kept, np.concatenate([(await embedding.embed_queries(each)).vectors for each in some]))
    found = [keywords.of_passage(text, "en", AVERAGE_LENGTH) for text in texts]
    return Passages(texts, np.load(kept), found)


@asynccontextmanager
async def _engine(folder: Path, terms: Terms) -> AsyncIterator[ChildEngine]:
    processes = Processes(folder, queue=256, start_seconds=600)
    copies = IndexedCopies(processes, terms, look_seconds=0.2)
    running = {asyncio.create_task(processes.run()), asyncio.create_task(copies.run())}
    try:
        yield ChildEngine(processes)
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def _measure(folder: Path, passages: Passages, size: int, niceness: int) -> None:
    terms, name = Terms(niceness=niceness), f"{size:,} chunks"
    never = terms._replace(index_from=10 * size)
    async with _engine(folder, never) as engine:
        await engine.ensure(INDEX, passages.vectors.shape[1])
        chunks, seconds = await _fill(engine, passages, size)
        report.row(f"S9 {name}: put into the engine", size / seconds, "chunks/s")
        await _searches(engine, passages, chunks, f"{name}, one by one")
        _take(folder, f"{name}, one by one")
    if size < terms.index_from:
        return
    async with _engine(folder, terms) as engine:
        await _build(engine, passages, name)
        await _searches(engine, passages, chunks, f"{name}, indexed", limit="p95 < 50 ms")
        _take(folder, f"{name}, indexed")


async def _fill(engine: ChildEngine, passages: Passages, size: int) -> tuple[Chunks, float]:
    made = Chunks([], np.empty((size, passages.vectors.shape[1]), np.float32), [], [])
    seconds = 0.0
    for start in range(0, size, AT_ONCE):
        rng = np.random.default_rng(start)
        points = []
        for number in range(start, min(size, start + AT_ONCE)):
            first, second = number % len(passages.texts), int(rng.integers(len(passages.texts)))
            noise = rng.standard_normal(passages.vectors.shape[1], np.float32) * NOISE
            mixed = passages.vectors[first] + OTHER_PART * passages.vectors[second] + noise
            made.vectors[number] = mixed / np.linalg.norm(mixed)
            points.append(_point(number, _united(passages.keywords[first], passages.keywords[second], rng), made))
        began = time.perf_counter()
        await engine.upsert(INDEX, points, made.vectors[start : start + len(points)])
        seconds += time.perf_counter() - began
    return made, seconds


def _point(number: int, words: Keywords, made: Chunks) -> EnginePoint:
    """A chunk of a document of ten, for three groups, some more popular than others."""
    document = number // 10
    chance = random.Random(document)
    readers = frozenset(f"grp_{int(GROUPS * chance.random() ** 2):04}" for _ in range(3))
    payload: Payload = {
        "readers": tuple(sorted(readers)), "collection": f"col_{document % 20}", "document": f"doc_{document:07}",
        "version": f"ver_{document:07}", "type": "Other", "key": f"notes/{document:07}.md",
        "access_level": "internal",
        "created_at": f"2026-{1 + document % 12:02}-01T00:00:00+00:00",
        "tags": (f"t{document % 1000}",),
    }  # fmt: skip
    made.ids.append(UUID(int=random.Random(number).getrandbits(128)))
    made.readers.append(readers)
    made.tags.append(f"t{document % 1000}")
    return EnginePoint(made.ids[-1], payload, words)


def _united(first: Keywords, second: Keywords, rng: np.random.Generator) -> Keywords:
    """All keywords of one passage, and a third of another's."""
    some = rng.random(len(second.indices)) < OTHER_PART
    indices, places = np.unique(np.concatenate((first.indices, second.indices[some])), return_index=True)
    return Keywords(indices, np.concatenate((first.values, second.values[some]))[places])


async def _build(engine: ChildEngine, passages: Passages, name: str) -> None:
    """How long it takes, and what searches feel of it."""
    pauses: list[float] = []
    began = time.perf_counter()
    status = await _status(engine)
    number = 0
    while not status.indexed or status.building:
        pauses.append(await _timed(engine, passages, number))
        number += 1
        await asyncio.sleep(BETWEEN_SEARCHES_SECONDS)
        status = await _status(engine)
        if status.problem:
            raise SystemExit(status.problem)
    report.row(f"S9 {name}: indexed in", time.perf_counter() - began, "s", quantized=status.quantized)
    milliseconds = np.array(pauses) * 1000
    report.row(f"S4 {name}, while it is indexed: search p95", float(np.percentile(milliseconds, 95)), "ms")
    report.row(f"S11 {name}, while it is indexed: longest", float(milliseconds.max()), "ms", limit="< 300 ms")


async def _status(engine: ChildEngine) -> IndexStatus:
    return (await engine.status()).indexes[0]


async def _searches(
    engine: ChildEngine, passages: Passages, chunks: Chunks, name: str, *, limit: str = ""
) -> None:
    for number in range(READERS):
        await _timed(engine, passages, number)
    worked = cpu_seconds(os.getpid())
    seconds = [await _timed(engine, passages, number) for number in range(QUERIES)]
    worked = cpu_seconds(os.getpid()) - worked
    milliseconds = np.array(seconds) * 1000
    exact: list[float] = []
    for what, condition, visible in _filters(chunks):
        recalls = []
        for number in range(QUERIES // 2):
            vector = _asked(passages, number)[0]
            began = time.perf_counter()
            best = visible[np.argsort(-(chunks.vectors[visible] @ vector))[:NEAREST]]
            exact.append(time.perf_counter() - began)
            found = (await engine.search(INDEX, [Nearest(vector, NEAREST)], condition))[0]
            recalls.append(len({chunks.ids[i] for i in best} & {hit.id for hit in found}) / max(1, len(best)))
        bound = "at least 0.99" if len(visible) <= len(chunks.ids) / 500 else "at least 0.95"
        report.row(f"S4 {name}: recall@10, {what}", float(np.mean(recalls)), "", limit=bound)
    scan = float(np.median(exact) * 1000)
    p50, p95 = (float(np.percentile(milliseconds, share)) for share in (50, 95))
    report.row(f"S4 {name}: search p50", p50, "ms", beside="exact scan of vectors", baseline=scan)
    report.row(f"S4 {name}: search p95", p95, "ms", limit=limit, samples=list(milliseconds))
    report.row(f"S4 {name}: CPU a search, all processes", worked / QUERIES * 1000, "ms")


def _filters(chunks: Chunks) -> list[tuple[str, Filter, NDArray[np.intp]]]:
    mine = {f"grp_{group:04}" for group in _groups(0)}
    of_groups = np.flatnonzero([bool(readers & mine) for readers in chunks.readers])
    of_tag = np.flatnonzero([tag == "t7" for tag in chunks.tags])
    return [
        ("eight groups", _reader(0), of_groups),
        ("everything", (), np.arange(len(chunks.ids))),
        ("one in a thousand", (AnyOf(field="tags", values=("t7",)),), of_tag),
    ]


async def _timed(engine: ChildEngine, passages: Passages, number: int) -> float:
    vector, text = _asked(passages, number)
    families = dict(zip(keywords.FAMILIES, keywords.of_query(text), strict=True))
    began = time.perf_counter()
    await engine.gather(INDEX, Gathering(vector, families, POOL), _reader(number % READERS))
    return time.perf_counter() - began


def _asked(passages: Passages, number: int) -> tuple[Matrix, str]:
    """A question near a passage: some of its words, and its vector moved."""
    place = (number * 37) % len(passages.texts)
    noise = np.random.default_rng(number).standard_normal(passages.vectors.shape[1], np.float32) * NOISE
    mixed = passages.vectors[place] + OTHER_PART * passages.vectors[(place + 1) % len(passages.texts)] + noise
    words = passages.texts[place].split()[:QUERY_WORDS]
    return mixed / np.linalg.norm(mixed), " ".join(words)


def _groups(number: int) -> Sequence[int]:
    return random.Random(number).sample(range(GROUPS), 8)


def _reader(number: int) -> Filter:
    return (AnyOf(field="readers", values=tuple(f"grp_{group:04}" for group in sorted(_groups(number)))),)


def _take(folder: Path, name: str) -> None:
    shares = shares_mb(os.getpid())
    engine = sum(share for (_, process), share in shares.items() if "vectors" in process)
    report.row(f"S4 {name}: memory of the engine's processes", engine, "MB", limit="< 3 GB at a million")
    report.row(f"S4 {name}: disk", layout.disk_bytes(folder) / 1e6, "MB")


if __name__ == "__main__":
    main()
