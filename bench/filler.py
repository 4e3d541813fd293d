"""A data folder with many chunks: real sentences repeated, random unit vectors, put in through tables and engine.

Nothing is embedded, so 100,000 chunks take a minute, and some more until a graph holds them; everything else is
as an upload leaves it.
"""

import asyncio
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
from bench import evaldata
from bench.house import admin, collection, house
from sqlalchemy import insert

from muniment.collections.contract import CollectionRef, Collections, Lookup
from muniment.documents import access, registry, store
from muniment.documents.chunking.recipe import embedded_text
from muniment.documents.fields import Layer, effective
from muniment.documents.parsing.model import Chunk, Chunked, Parent, Parsed
from muniment.documents.pieces import chunk_rows, parent_rows, pieces_of, point_id
from muniment.kernel.caller import calling_as
from muniment.kernel.database import Database, open_database
from muniment.kernel.ids import new_id
from muniment.kernel.model import Nothing, now
from muniment.vectors.contract import EnsureIndex, Payload, Point, Upsert, Vectors
from muniment.vectors.engine.building import Terms

CACHE = Path(__file__).parent / ".cache"
DIMENSIONS = 384
CHUNKS_OF_A_DOCUMENT = 10
CHUNKS_OF_A_PARENT = 4
DOCUMENTS_AT_ONCE = 100
NAME = "filled"


def filled(chunks: int) -> Path:
    """A data folder with that many chunks in the collection `filled`, made when first asked for."""
    sources = (store.__file__, __file__)
    state = sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()[:8]
    folder = CACHE / f"filled-{chunks}-{state}"
    if not folder.is_dir():
        print(f"filling {folder} with {chunks} chunks (once)", flush=True)
        for outdated in CACHE.glob(f"filled-{chunks}-*"):
            shutil.rmtree(outdated)
        making = folder.with_suffix(".making")
        making.mkdir(parents=True)
        asyncio.run(_fill(making, chunks))
        making.rename(folder)
    return folder


async def _fill(data: Path, chunks: int) -> None:
    async with house(data) as opened:
        await collection(opened, NAME)
        who = await admin(opened)
        with calling_as(who):
            names = Lookup(collections=(NAME,))
            target = (await (await opened.get(Collections)).lookup(names)).items[0]
        vectors = await opened.get(Vectors)
        await vectors.ensure(EnsureIndex(index=target.index.name, dimensions=DIMENSIONS))
        texts = _texts()
        rng = np.random.default_rng(0)
        async with open_database(f"sqlite:///{data}", room="documents", migrations=store.MIGRATIONS) as database:
            for first in range(0, chunks // CHUNKS_OF_A_DOCUMENT, DOCUMENTS_AT_ONCE):
                numbers = range(first, min(first + DOCUMENTS_AT_ONCE, chunks // CHUNKS_OF_A_DOCUMENT))
                some = {number: [next(texts) for _ in range(CHUNKS_OF_A_DOCUMENT)] for number in numbers}
                await _put(database, vectors, target, who.principal, some, rng)
        await _indexed(vectors)


async def _indexed(vectors: Vectors) -> None:
    """Wait until no index is built anew, nor due: what is measured is a house at rest."""
    while True:
        indexes = (await vectors.status(Nothing())).indexes
        if not any(index.building or Terms().due(index.points, index.indexed) for index in indexes):
            return
        await asyncio.sleep(1)


def _texts() -> Iterator[str]:
    """Passages of about 200 tokens: the abstracts of two sets, over and over."""
    known = [d.text.strip()[:900] for name in ("cranfield", "cisi") for d in evaldata.documents(name)]
    while True:
        yield from known


async def _put(
    database: Database,
    vectors: Vectors,
    target: CollectionRef,
    owner: str,
    documents: dict[int, list[str]],
    rng: np.random.Generator,
) -> None:
    rows: dict[str, list[dict[str, object]]] = {}
    points: list[Point] = []
    for number, texts in documents.items():
        for table, some in _rows(f"notes/{number:06}.md", texts, target, owner, points).items():
            rows.setdefault(table, []).extend(some)
    async with database.write() as connection:
        for name, some in rows.items():
            await connection.execute(insert(store.metadata.tables[name]), some)
    drawn = rng.standard_normal((len(points), DIMENSIONS), np.float32)
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    await vectors.upsert(Upsert(index=target.index.name, points=tuple(points), vectors=unit))


def _rows(
    key: str, texts: list[str], target: CollectionRef, owner: str, points: list[Point]
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


def _chunked(texts: list[str]) -> Chunked:
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
