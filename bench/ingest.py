"""Files a second and the share of time that is embedding, for Markdown files; S10's part of an ingest.

    python -m bench.ingest [--files 400] [--documents 40]

Small files are where the walls show most: sections of 1 to 3 kB, each a document of its own. The long documents
are those of S2, some 30 kB each.
"""

import argparse
import asyncio
import re
import tempfile
import time
from pathlib import Path

import numpy as np
from bench import evaldata, report
from bench.house import collection, house, ingest
from bench.opened import BareEngine, Watched

from muniment.documents.contract import NewDocument
from muniment.embedding.contract import Describe, Embedding, EmbedPassages
from muniment.kernel.model import Matrix
from muniment.vectors.contract import Vectors

LEAST, MOST = 1000, 3000
"""Characters of a file."""

PASSAGES_AT_ONCE = 256
ROUNDS = 5


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--documents", type=int, default=40)
    asked = parser.parse_args()
    report.header()
    for name, files in (("small", sections(asked.files)), ("long", documents(asked.documents))):
        with tempfile.TemporaryDirectory() as work:
            asyncio.run(measure(Path(work), files, name))


def documents(count: int) -> list[NewDocument]:
    """Long design documents as they are."""
    return [
        NewDocument(content=document.text, name=f"{number}.md", media_type="text/markdown")
        for number, document in enumerate(evaldata.documents("k8s_notes_to_kep")[:count])
    ]


def sections(count: int) -> list[NewDocument]:
    """Sections of long design documents as files of their own."""
    files: list[NewDocument] = []
    for document in evaldata.documents("k8s_notes_to_kep"):
        for section in re.split(r"^(?=## )", document.text, flags=re.MULTILINE):
            if LEAST <= len(section) <= MOST:
                text = f"# {document.title}\n\n{section}"
                files.append(NewDocument(content=text, name=f"{len(files)}.md", media_type="text/markdown"))
            if len(files) == count:
                return files
    raise report.Skipped(f"the set holds {len(files)} sections of that size, not {count}")


async def measure(data: Path, files: list[NewDocument], name: str) -> None:
    """Ingest slice by slice, and after each do the same engine calls again in a script, in an index of its own."""
    watched, engine = Watched(), BareEngine()
    count = len(files)
    total = busy = scripted = 0.0
    chunks = 0
    async with house(data, rooms={Embedding: watched.builder, Vectors: engine.builder}) as opened:
        embedding = await opened.get(Embedding)
        await collection(opened, "notes")
        await ingest(opened, "notes", [NewDocument(content="Warm.", name="warm.txt")])
        await engine.itself.ensure("script", (await embedding.describe(Describe())).dimensions)
        size = -(-count // ROUNDS)
        for start in range(0, count, size):
            watched.clear()
            engine.points.clear()
            began = time.perf_counter()
            run = await ingest(opened, "notes", files[start : start + size])
            total += time.perf_counter() - began
            busy += watched.busy_seconds
            if run.state != "succeeded":
                raise RuntimeError(f"the ingest ended as {run.state}: {run.problem}")
            passages = [text for texts in watched.passages for text in texts]
            chunks += len(passages)
            scripted += await _script(embedding, engine, passages)
    report.row(
        f"ingest of {count} {name} Markdown files",
        count / total,
        "files/s",
        chunks=chunks,
        megabytes=round(sum(len(str(f.content).encode()) for f in files) / 1e6, 2),
    )
    report.row(
        f"ingest of {name} files: share of the time spent embedding",
        100 * busy / total,
        "%",
        limit="at least 85 %",
    )
    report.row(
        f"S10 ingest at the contract, {name} files",
        total,
        "s",
        beside="script: embed and upsert the same",
        baseline=scripted,
        limit="ratio < 1.05",
    )


async def _script(embedding: Embedding, engine: BareEngine, passages: list[str]) -> float:
    """Seconds to embed the same passages and put the same points, and nothing else."""
    points = list(engine.points)
    began = time.perf_counter()
    vectors: list[Matrix] = []
    for start in range(0, len(passages), PASSAGES_AT_ONCE):
        some = EmbedPassages(texts=tuple(passages[start : start + PASSAGES_AT_ONCE]))
        vectors.append((await embedding.embed_passages(some)).vectors)
    await engine.itself.upsert("script", points, np.concatenate(vectors))
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
