"""S2 and S12: long Markdown documents until they are searchable, and the same again with one in a hundred changed.

    python -m bench.pipeline [--peers] [--documents 60]

Beside it LlamaIndex, Haystack and txtai, each in its own environment: same weights, chunk size and machine.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench import evaldata, report
from bench.embedding import weights_folder
from bench.house import collection, house, ingest
from bench.opened import Watched
from bench.peers import PIPELINES, is_made, pipeline, told

from muniment.documents.chunking.recipe import RECIPE
from muniment.documents.contract import NewDocument, Options
from muniment.embedding.contract import Embedding, EmbedQueries

CHANGED = 0.01


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="make the peers' environments when they are absent")
    parser.add_argument("--documents", type=int, default=60)
    arguments = parser.parse_args()
    report.header()
    texts = [d.text for d in evaldata.documents("k8s_notes_to_kep")[: arguments.documents]]
    names = [name for name in PIPELINES if arguments.peers or is_made(name)]
    with tempfile.TemporaryDirectory() as work:
        beside = peers(Path(work), texts, names) if names else {}
        asyncio.run(measure(Path(work) / "data", texts, beside))


def peers(work: Path, texts: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Documents a second of each."""
    file = work / "documents.json"
    file.write_text(json.dumps([{"id": f"{n}", "title": "", "text": text} for n, text in enumerate(texts)]))
    warm = work / "warm.json"
    warm.write_text(json.dumps([{"id": "warm", "title": "", "text": "It is warm."}]))
    weights = asyncio.run(weights_folder())
    rates = {}
    for name in names:
        with closing(pipeline(name, weights, RECIPE.target_tokens)) as peer:
            told(peer, ingest=str(warm))
            rates[name] = len(texts) / told(peer, ingest=str(file))["seconds"]
    return rates


async def measure(data: Path, texts: list[str], beside: dict[str, float]) -> None:
    """Ingest all, then all again with a few changed."""
    watched = Watched()
    async with house(data, rooms={Embedding: watched.builder}) as opened:
        embedding = await opened.get(Embedding)
        await embedding.embed_queries(EmbedQueries(texts=("warm",)))
        await collection(opened, "notes")
        start = time.perf_counter()
        await ingest(opened, "notes", _files(texts, changed=0))
        first, embedded = time.perf_counter() - start, watched.busy_seconds
        changed = max(1, round(CHANGED * len(texts)))
        start = time.perf_counter()
        await ingest(opened, "notes", _files(texts, changed=changed))
        again = time.perf_counter() - start
    work = f"S2 ingest, {len(texts)} documents of {sum(map(len, texts)) / len(texts):.0f} characters"
    report.row(work, len(texts) / first, "docs/s", limit="time until all are searchable", seconds=round(first, 2))
    report.row("S2 share of the time that is embedding", embedded / first, "", limit="at least 0.85")
    fastest = max(beside.values(), default=0.0)
    for name, rate in beside.items():
        limit = "ratio at least 1.6" if rate == fastest else ""
        report.row(work, len(texts) / first, "docs/s", beside=name, baseline=rate, limit=limit)
    report.row(
        f"S12 the same again, {changed} of {len(texts)} changed",
        again, "s", beside="the first time", baseline=first, limit="ratio < 0.03",
    )  # fmt: skip


def _files(texts: list[str], *, changed: int) -> list[NewDocument]:
    """The documents; of the first `changed` a paragraph in the middle is another."""
    files = []
    for number, text in enumerate(texts):
        paragraphs = text.split("\n\n")
        if number < changed:
            paragraphs.insert(
                len(paragraphs) // 2, "This paragraph was added when the document was looked at again."
            )
        options = Options(key=f"{number}.md")
        files.append(NewDocument(content="\n\n".join(paragraphs), media_type="text/markdown", options=options))
    return files


if __name__ == "__main__":
    main()
