"""S4, S9: the embedded engine as it grows: filling, indexing, searching, at 1,000 to 1,000,000 chunks.

    python -m bench.scale [--chunks 1000 10000 100000] [--million [FOLDER] [--grow]] [--niceness 19]

Chunks are mixed from passages of the sets (`mixing`). A search is the filtered hybrid one (lists of 100, and all
signals of their union) for a reader of eight of a thousand groups, over files in the system's cache. Recall is
that of the vectors' ten nearest, beside an exact scan. The million is made straight, and kept; with `--grow` a
tenth more comes through the engine, and is indexed while searches go on.
"""

import argparse
import asyncio
import math
import os
import random
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bench import mixing, report
from bench.grown import GROUPS, INDEX, KEPT_FROM, Chunks, Grown, build, chunks, engine_mb, fill, grown, lay, status
from bench.house import rest
from bench.mixing import NOISE, OTHER_PART, Passages, Places, unit
from bench.opened import indexing_engine
from bench.serving import cpu_seconds
from bench.start import shares_mb

from muniment.kernel.logs import configure_logs
from muniment.kernel.model import Matrix
from muniment.retrieval.build import RetrievalSettings
from muniment.retrieval.constants import DEFAULTS
from muniment.vectors import keywords
from muniment.vectors.contract import AnyOf, Filter
from muniment.vectors.engine.edge import layout
from muniment.vectors.engine.engine import Gathering, Nearest
from muniment.vectors.engine.processes.proxy import ChildEngine
from muniment.vectors.engine.terms import Terms

QUERY_WORDS = 10
QUERIES, EXACT_QUERIES = 200, 50
WARM = 20
READERS = 10
POOL, NEAREST, NEAR = RetrievalSettings().candidates, 10, DEFAULTS.near


class Figures(NamedTuple):
    """Of one size at rest."""

    size: int
    put: float
    p50: float


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument(
        "--million", nargs="?", const=True, metavar="FOLDER",
        help="1,000,000 as well: twenty minutes when first run; FOLDER: one that was kept",
    )  # fmt: skip
    parser.add_argument("--niceness", type=int, default=Terms().niceness, help="of the process that indexes")
    parser.add_argument("--grow", action="store_true", help="put a tenth more into the million, and index it")
    asked = parser.parse_args()
    configure_logs("error", "console")
    report.header()
    passages = asyncio.run(mixing.passages())
    terms = Terms(niceness=asked.niceness)
    found = []
    for size in [*asked.chunks, *([KEPT_FROM] if asked.million else [])]:
        with grown(size, Path(asked.million) if isinstance(asked.million, str) else None) as of:
            if size < KEPT_FROM:
                found.append(asyncio.run(_measure(of, passages, terms)))
            else:
                found.append(asyncio.run(_measure_kept(of, passages, terms, grow=asked.grow)))
    _growth(found)


async def _measure(of: Grown, passages: Passages, terms: Terms) -> Figures:
    put, there, p50 = await fill(of, passages, terms), chunks(passages, of.size), 0.0
    async with indexing_engine(of.folder, terms._replace(index_from=10 * of.size)) as engine:
        p50 = await _searches(of, engine, passages, there, f"{of.name}, one by one")
    if of.size >= terms.index_from:
        await _indexed(of, passages, terms)
        async with indexing_engine(of.folder, terms) as engine:
            p50 = await _searches(of, engine, passages, there, f"{of.name}, indexed", limit="< 50 ms")
    return Figures(of.size, put, p50)


async def _measure_kept(of: Grown, passages: Passages, terms: Terms, *, grow: bool) -> Figures:
    """At rest; and once, while a tenth more is put in and indexed."""
    known = of.told()
    lay(of, passages)
    async with indexing_engine(of.folder, terms) as engine:
        there = of._replace(size=(await status(engine)).points)
        found = chunks(passages, there.size)
        p50 = await _searches(there, engine, passages, found, f"{there.name}, indexed", limit="< 50 ms")
    put = known.get("put", 0.0)
    if grow and there.size == of.size:
        more = there._replace(size=of.size + of.size // 10)
        put = await fill(more, passages, terms)
        await _indexed(more, passages, terms)
    return Figures(of.size, put, p50)


async def _indexed(of: Grown, passages: Passages, terms: Terms) -> None:
    async def timed(engine: ChildEngine, number: int) -> float:
        return await _timed(engine, passages, number)

    await build(of, terms, timed)


def _growth(found: Sequence[Figures]) -> None:
    """Each size beside the one before."""
    for before, after in pairwise(found):
        name = f"S9 growth, {before.size:,} to {after.size:,}"
        if after.put:
            report.row(f"{name}: put into the engine", after.put, "chunks/s", beside="before", baseline=before.put,
                       limit="ratio at least 0.80")  # fmt: skip
        most = 1.6 ** math.log10(after.size / before.size)
        report.row(f"{name}: search p50, at rest", after.p50, "ms", beside="before", baseline=before.p50,
                   limit=f"ratio at most {most:.2f}")  # fmt: skip


async def _searches(
    of: Grown, engine: ChildEngine, passages: Passages, chunks: Chunks, name: str, *, limit: str = ""
) -> float:
    """The median milliseconds of a search."""
    for number in range(WARM):
        await _timed(engine, passages, QUERIES + number)
    await asyncio.to_thread(rest, of.size, of.folder)
    worked = cpu_seconds(os.getpid())
    seconds = [await _timed(engine, passages, number) for number in range(QUERIES)]
    worked = cpu_seconds(os.getpid()) - worked
    ms = np.array(seconds) * 1000
    scans = [await _recall(engine, passages, chunks, name, *filtered) for filtered in _filters(chunks)]
    p50, p95 = (float(np.quantile(ms, share)) for share in (0.5, 0.95))
    own = sum(mb for (_, process), mb in shares_mb(os.getpid(), "Pss_Anon").items() if "vectors" in process)
    memory = "< 3,000 MB" if of.size >= KEPT_FROM else ""
    beside = "exact scan of the vectors that the filter lets through"
    report.row(f"S4 {name}: search p50", p50, "ms", beside=beside, baseline=scans[0], samples=list(ms))
    report.row(f"S4 {name}: search p95", p95, "ms", limit=limit, samples=report.p95s(ms))
    report.row(f"S4 {name}: CPU a search, all processes", worked / QUERIES * 1000, "ms")
    report.row(f"S4 {name}: memory of the engine's processes", engine_mb(), "MB", limit=memory,
               without_mapped_files=round(own))  # fmt: skip
    report.row(f"S4 {name}: disk", layout.disk_bytes(of.folder) / 1e6, "MB")
    return p50


async def _recall(
    engine: ChildEngine, passages: Passages, chunks: Chunks, name: str, what: str, condition: Filter, seen: Places
) -> float:
    """The row; and the milliseconds of an exact scan."""
    recalls, scans = [], []
    for number in range(EXACT_QUERIES):
        vector = _asked(passages, number)[0]
        began = time.perf_counter()
        scores = (chunks.vectors if len(seen) == len(chunks.ids) else chunks.vectors[seen]) @ vector
        best = seen[np.argpartition(-scores, min(NEAREST, len(scores)) - 1)[:NEAREST]]
        scans.append(time.perf_counter() - began)
        found = (await engine.search(INDEX, [Nearest(vector, NEAREST)], condition))[0]
        recalls.append(len({chunks.ids[i] for i in best} & {hit.id for hit in found}) / max(1, len(best)))
    bound = "at least 0.99" if len(seen) <= len(chunks.ids) / 500 else "at least 0.95"
    report.row(f"S4 {name}: {what}", float(np.mean(recalls)), "recall@10", beside="exact scan", baseline=1.0,
               limit=bound, samples=recalls, of=len(seen))  # fmt: skip
    return float(np.median(scans) * 1000)


def _filters(chunks: Chunks) -> list[tuple[str, Filter, Places]]:
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
    await engine.gather(INDEX, Gathering(vector, families, POOL, NEAR), _reader(number % READERS))
    return time.perf_counter() - began


def _asked(passages: Passages, number: int) -> tuple[Matrix, str]:
    """A question near a passage: some of its words, and its vector moved."""
    place = (number * 37) % len(passages.texts)
    noise = np.random.default_rng(number).standard_normal(passages.vectors.shape[1], np.float32) * NOISE
    mixed = passages.vectors[place] + OTHER_PART * passages.vectors[(place + 1) % len(passages.texts)] + noise
    words = passages.texts[place].split()[:QUERY_WORDS]
    return unit(mixed), " ".join(words)


def _groups(number: int) -> Sequence[int]:
    return random.Random(number).sample(range(GROUPS), 8)


def _reader(number: int) -> Filter:
    return (AnyOf(field="readers", values=tuple(f"grp_{group:04}" for group in sorted(_groups(number)))),)


if __name__ == "__main__":
    main()
