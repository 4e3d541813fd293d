"""S2 and S12: long Markdown documents until they are searchable, and the same again with one in a hundred changed.

    python -m bench.pipeline [--peers] [--documents 60]

Beside it LlamaIndex's IngestionPipeline with the same weights, chunk size and machine, in its own environment.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import evaldata, report
from bench.embedding import weights_folder
from bench.house import collection, house, ingest
from bench.opened import Watched
from bench.peers import ENVIRONMENTS, Peer, environment, is_made

from muniment.documents.chunking.recipe import TARGET_TOKENS
from muniment.documents.contract import NewDocument, Options
from muniment.embedding.contract import Embedding, EmbedQueries

PEER = "llama-index"
REQUIREMENTS = ("llama-index-core", "llama-index-embeddings-huggingface")
CHANGED = 0.01


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="make the peer's environment when it is absent")
    parser.add_argument("--documents", type=int, default=60)
    arguments = parser.parse_args()
    report.header()
    texts = [d.text for d in evaldata.documents("k8s_notes_to_kep")[: arguments.documents]]
    beside = asyncio.run(_peer(texts)) if arguments.peers or is_made(PEER) else None
    with tempfile.TemporaryDirectory() as work:
        asyncio.run(measure(Path(work), texts, beside))


async def measure(data: Path, texts: list[str], beside: dict[str, Any] | None) -> None:
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
    if beside is not None:
        rate = len(texts) / beside["seconds"]
        report.row(
            work, len(texts) / first, "docs/s", beside=PEER, baseline=rate, limit="at least 1.6", peer=beside
        )
    report.row(
        f"S12 the same again, {changed} of {len(texts)} changed",
        again, "s", beside="the first time", baseline=first, limit="ratio below 0.03",
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


async def _peer(texts: list[str]) -> dict[str, Any]:
    weights = await weights_folder()
    python = await asyncio.to_thread(environment, PEER, REQUIREMENTS)
    file = ENVIRONMENTS / "documents.json"
    file.write_text(json.dumps(texts))
    script = Path(__file__).parent / "peer_llama_index.py"
    peer = Peer(python, script, str(weights), str(file), str(TARGET_TOKENS))
    try:
        found: dict[str, Any] = json.loads(await asyncio.to_thread(peer.ask))
    finally:
        peer.close()
    return found


if __name__ == "__main__":
    main()
