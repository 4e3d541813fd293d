"""A data folder with many chunks, mixed from passages of the sets, put in through tables and engine.

None of them is parsed or embedded, so 100,000 chunks take two minutes, and some more until a graph holds them;
everything else is as an upload leaves it.

    python -m bench.filler [--chunks 100000] [--adopt]
"""

import argparse
import asyncio
import shutil
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from bench import mixing
from bench.cache import CACHE, state
from bench.house import admin, collection, house
from bench.mixing import Mixed, Passages
from bench.opened import indexing_engine
from sqlalchemy import insert

from muniment.collections.contract import CollectionRef, Collections, Lookup
from muniment.documents import access, registry, store
from muniment.documents.chunking.recipe import embedded_text
from muniment.documents.fields import Layer, effective
from muniment.documents.parsing.model import Chunk, Chunked, Parent, Parsed
from muniment.documents.pieces import chunk_rows, parent_rows, pieces_of, point_id
from muniment.kernel.caller import calling_as
from muniment.kernel.database import open_database
from muniment.kernel.ids import new_id
from muniment.kernel.model import now
from muniment.vectors.contract import EnsureIndex, Payload, Point, Upsert, Vectors
from muniment.vectors.engine.terms import Terms

CHUNKS_OF_A_DOCUMENT = 10
CHUNKS_OF_A_PARENT = 4
NAME = "filled"
AS_PUT = {"MUNIMENT_VECTORS__INDEX_FROM": "1000000000"}
"""One graph is built at the end, and none on the way there."""


def main() -> None:
    """Fill, unless it is filled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--adopt", action="store_true", help="take the one that is there, though code has changed")
    asked = parser.parse_args()
    if asked.adopt and (found := list(CACHE.glob(f"filled-{asked.chunks}-????????"))):
        found[0].rename(_folder(asked.chunks))
    print(filled(asked.chunks))


def filled(chunks: int) -> Path:
    """A data folder with that many chunks in the collection `filled`, made when first asked for."""
    folder = _folder(chunks)
    if not folder.is_dir():
        print(f"filling {folder} with {chunks} chunks (once)", flush=True)
        for outdated in CACHE.glob(f"filled-{chunks}-*"):
            shutil.rmtree(outdated)
        making = folder.with_suffix(".making")
        making.mkdir(parents=True)
        began = time.perf_counter()
        asyncio.run(_fill(making, chunks))
        making.rename(folder)
        print(f"filled in {time.perf_counter() - began:.0f} s", flush=True)
    return folder


def _folder(chunks: int) -> Path:
    return CACHE / f"filled-{chunks}-{state(__file__, mixing.__file__, store.__file__)}"


async def _fill(data: Path, chunks: int) -> None:
    passages = await mixing.passages()
    async with house(data, settings=AS_PUT) as opened:
        await collection(opened, NAME)
        who = await admin(opened)
        with calling_as(who):
            names = Lookup(collections=(NAME,))
            target = (await (await opened.get(Collections)).lookup(names)).items[0]
        vectors = await opened.get(Vectors)
        await vectors.ensure(EnsureIndex(index=target.index.name, dimensions=passages.vectors.shape[1]))
        async with open_database(f"sqlite:///{data}", room="documents", migrations=store.MIGRATIONS) as database:
            at = 0
            for some in mixing.mixed(passages, chunks):
                rows, points = _made(
                    texts_of(passages, some, at), at // CHUNKS_OF_A_DOCUMENT, target, who.principal
                )
                async with database.write() as connection:
                    for name, more in rows.items():
                        await connection.execute(insert(store.metadata.tables[name]), more)
                some_points = Upsert(index=target.index.name, points=tuple(points), vectors=some.vectors)
                await vectors.upsert(some_points)
                at += len(some.first)
    await _indexed(data / "vectors")


async def _indexed(folder: Path) -> None:
    """Until no index is built anew, nor due: what is measured is a house at rest."""
    terms = Terms(niceness=0, rest_seconds=0.0)
    async with indexing_engine(folder, terms) as engine:
        while True:
            indexes = (await engine.status()).indexes
            if problems := [index.problem for index in indexes if index.problem]:
                raise RuntimeError(f"no index was built: {problems}")
            if not any(index.building or terms.due(index.points, index.indexed, 1.0) for index in indexes):
                return
            await asyncio.sleep(1)


def texts_of(passages: Passages, some: Mixed, start: int) -> list[str]:
    """As they would be read."""
    pairs = zip(some.first, some.other, strict=True)
    return [mixing.text_of(passages, *map(int, pair), number) for number, pair in enumerate(pairs, start)]


def _made(
    texts: Sequence[str], first: int, target: CollectionRef, owner: str
) -> tuple[dict[str, list[dict[str, object]]], list[Point]]:
    """Documents from the number `first` on: their rows in each table, and their points."""
    rows: dict[str, list[dict[str, object]]] = {}
    points: list[Point] = []
    for at in range(0, len(texts), CHUNKS_OF_A_DOCUMENT):
        key, of_document = f"notes/{first:06}.md", texts[at : at + CHUNKS_OF_A_DOCUMENT]
        for table, more in _rows(key, of_document, target, owner, points).items():
            rows.setdefault(table, []).extend(more)
        first += 1
    return rows, points


def _rows(
    key: str, texts: Sequence[str], target: CollectionRef, owner: str, points: list[Point]
) -> dict[str, list[dict[str, object]]]:
    """The rows of one document in each table; its points are added to `points`."""
    document, version, at = new_id("doc"), new_id("ver"), now()
    text = "\n\n".join(texts)
    chunked = _chunked(texts)
    seen = effective(key, said=Layer(), options=Layer(), patched=Layer())
    facts = access.Holding(target.id, owner, target.access_level, ())
    columns = registry.columns_of(seen, created_at=at, modified_at=at)
    pieces = pieces_of(chunked.chunks, title=seen.title, text=text)
    payload: Payload = {
        "type": "Other",
        "readers": tuple(sorted(access.readers(facts))),
        "collection": target.id,
        "document": document,
        "key": key,
        "access_level": target.access_level,
        "created_at": at.isoformat(),
        "modified_at": at.isoformat(),
        "version": version,
    }
    points.extend(
        Point(
            id=point_id(version, piece.number),
            text=embedded_text(seen.title, piece.section, piece.text, piece.header),
            payload=payload | {"chunk": piece.number},
        )
        for piece in pieces
    )
    held = {"id": document, "collection": target.id, "key": key, "owner": owner, "grants": [], "patched": {}}
    counted = {"acl_version": 1, "chunks": len(pieces), "indexed_chunks": len(pieces)}
    parsed = Parsed(text=text, media_type="text/markdown").model_dump(mode="json", exclude={"text"})
    return {
        "documents": [
            held
            | columns
            | {"access_level": target.access_level, "acl_version": 1, "indexed_acl": 1}
            | {"current": version, "latest": version}
        ],
        "document_readers": list(registry.reader_rows(document, facts)),
        "versions": [
            {"id": version, "document": document, "number": 1, "state": "current", "run": "", "staged": ""}
            | {"sha256": sha256(text.encode()).hexdigest(), "size_bytes": len(text.encode()), "name": key}
            | {"media_type": "text/markdown", "options": {}, "said": {}, "created_at": at, "current_from": at}
            | {"title": seen.title, "index_name": target.index.name}
            | counted
        ],
        "texts": [{"version": version, "text": text, "structure": parsed}],
        "parents": parent_rows(version, chunked.parents, text),
        "chunks": chunk_rows(version, pieces),
    }


def _chunked(texts: Sequence[str]) -> Chunked:
    chunks, at = [], 0
    for index, text in enumerate(texts):
        chunks.append(
            Chunk(
                index=index,
                start=at,
                end=at + len(text),
                page=None,
                section=(),
                kind="body",
                parent=index // CHUNKS_OF_A_PARENT,
            )
        )
        at += len(text) + 2
    groups = [chunks[first : first + CHUNKS_OF_A_PARENT] for first in range(0, len(chunks), CHUNKS_OF_A_PARENT)]
    parents = [Parent(index=index, start=group[0].start, end=group[-1].end) for index, group in enumerate(groups)]
    return Chunked(parents=tuple(parents), chunks=tuple(chunks))


if __name__ == "__main__":
    main()
