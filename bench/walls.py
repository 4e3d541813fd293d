"""S10: what the walls cost a search: retrieval.search at its contract, beside a script over the same engine.

python -m bench.walls [--queries 300]
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
from bench import evaldata, report
from bench.house import admin, collection, house, ingest
from bench.opened import BareEngine, Watched
from sqlalchemy import select

from muniment.documents import store
from muniment.documents.contract import NewDocument
from muniment.embedding.contract import Embedding, EmbedQueries
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.database import open_database
from muniment.kernel.house import Builder
from muniment.retrieval.build import RetrievalSettings
from muniment.retrieval.constants import DEFAULTS
from muniment.retrieval.contract import Retrieval, Search
from muniment.retrieval.ranking import judged
from muniment.text.phrases import unquoted
from muniment.vectors import keywords
from muniment.vectors.contract import AnyOf, Vectors
from muniment.vectors.engine.engine import Gathering

CANDIDATES = RetrievalSettings().candidates
LIMIT = 10


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=300)
    report.header()
    with tempfile.TemporaryDirectory() as work:
        asyncio.run(measure(Path(work), parser.parse_args().queries))


async def measure(data: Path, count: int) -> None:
    """Take the two in turn, each time with a query that is new to the cache of queries."""
    watched, engine = Watched(), BareEngine()
    documents = [
        NewDocument(content=d.text, name=f"{number}.txt") for number, d in enumerate(evaldata.documents("xquad"))
    ]
    said = (q["text"] for q in evaldata.lines("xquad/queries"))
    # What stands in quotes is demanded of the room, and means nothing to the script.
    queries = list(itertools.islice((q for q in said if not unquoted(q).phrases), 2 * count))
    rooms: dict[type, Builder] = {Embedding: watched.builder, Vectors: engine.builder}
    async with house(data, rooms=rooms, settings={"MUNIMENT_EMBEDDING__RECENT_QUERIES": "1"}) as opened:
        await collection(opened, "notes")
        await ingest(opened, "notes", documents)
        who = await admin(opened)
        retrieval = await opened.get(Retrieval)
        index = (await engine.itself.status()).indexes[0].name
        script = Script(watched.room, engine, index, who, await _texts(data))
        ours, bare = [], []
        one, other = queries[:count], queries[count:]
        # Both are asked everything once, and neither what the other was asked just before.
        for first, second in zip(one + other, other + one, strict=True):
            began = time.perf_counter()
            with calling_as(who):
                hits = await retrieval.search(Search(query=first, limit=LIMIT))
            between = time.perf_counter()
            found = await script.search(second)
            ours.append(between - began)
            bare.append(time.perf_counter() - between)
            assert len(hits.hits) == len(found) == LIMIT
    differences = [a - b for a, b in zip(ours, bare, strict=True)]
    mine, script_ms = 1000 * statistics.median(ours), 1000 * statistics.median(bare)
    report.row(
        "S10 search at the contract (p50)", mine, "ms", beside="script on the same engine", baseline=script_ms
    )
    report.row("S10 what the walls add to a search", 1000 * statistics.median(differences), "ms", limit="< 2 ms")


class Script:
    """What somebody would write who has one user and no walls: embed, ask the engine once, judge, look up."""

    def __init__(
        self, embedding: Embedding, engine: BareEngine, index: str, who: Caller, texts: dict[UUID, str]
    ) -> None:
        self._embedding, self._engine, self._index = embedding, engine.itself, index
        self._filter = (AnyOf(field="readers", values=tuple(sorted(who.tokens))),)
        self._texts = texts

    async def search(self, query: str) -> Sequence[str]:
        """The ten best texts."""
        vector = (await self._embedding.embed_queries(EmbedQueries(texts=(query,)))).vectors[0]
        families = dict(zip(keywords.FAMILIES, keywords.of_query(query), strict=True))
        found = await self._engine.gather(
            self._index, Gathering(vector, families, CANDIDATES, DEFAULTS.near), self._filter
        )
        signals = dict(zip(found.signals, found.scores.astype(np.float64), strict=True))
        documents = [home.document for home in found.homes]
        best = np.argsort(-judged(signals, documents).scores, kind="stable")[:LIMIT]
        return [self._texts[found.ids[place]] for place in best]


async def _texts(data: Path) -> dict[UUID, str]:
    """Every chunk's text by its point."""
    chunks, texts = store.chunks.c, store.texts.c
    query = select(chunks.id, chunks.span_start, chunks.span_end, texts.text).join_from(
        store.chunks, store.texts, chunks.version == texts.version
    )
    async with (
        open_database(f"sqlite:///{data}", room="documents", migrations=store.MIGRATIONS) as database,
        database.read() as connection,
    ):
        rows = (await connection.execute(query)).all()
    return {UUID(row.id.removeprefix("chk_")): row.text[row.span_start : row.span_end] for row in rows}


if __name__ == "__main__":
    main()
