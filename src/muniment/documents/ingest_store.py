"""What the ingestion reads and writes: one short transaction for each step that lasts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.documents import store
from muniment.documents.parsing.model import Chunked, Parsed
from muniment.documents.pieces import Piece, chunk_rows, parent_rows, point_id, stored_piece
from muniment.documents.store import chunks, documents, parents, texts, versions

AT_WORK = ("received", "parsed", "chunked", "embedded", "indexed")
"""The states of a version that somebody is still to go on with."""


class Work(NamedTuple):
    """A version, and its document."""

    version: Row[Any]
    document: Row[Any]


async def work(connection: AsyncConnection, version_id: str) -> Work | None:
    """What there is to do, if both are still there."""
    found = (await connection.execute(select(versions).where(versions.c.id == version_id))).first()
    if found is None:
        return None
    document = (await connection.execute(select(documents).where(documents.c.id == found.document))).one()
    return Work(found, document)


async def step(connection: AsyncConnection, version_id: str, values: Mapping[str, Any]) -> bool:
    """Note a step of a version that is being ingested; false when it is gone, cancelled or given up."""
    change = update(versions).where(versions.c.id == version_id, versions.c.state.in_(AT_WORK))
    return bool((await connection.execute(change.values(problem=None, **values))).rowcount)


async def progress(connection: AsyncConnection, job_id: str, done: int, total: int) -> None:
    """Note how far a job is, beside what it did."""
    change = update(store.jobs).where(store.jobs.c.id == job_id, store.jobs.c.state == "running")
    await connection.execute(change.values(progress_done=done, progress_total=total))


async def put_text(connection: AsyncConnection, version_id: str, parsed: Parsed) -> None:
    """Keep what was parsed."""
    structure = parsed.model_dump(mode="json", exclude={"text"})
    await connection.execute(insert(texts), {"version": version_id, "text": parsed.text, "structure": structure})


async def parsed_text(connection: AsyncConnection, version_id: str) -> Parsed | None:
    """What `put_text` kept."""
    row = (await connection.execute(select(texts).where(texts.c.version == version_id))).first()
    return None if row is None else as_parsed(row.text, row.structure)


def as_parsed(text: str, structure: dict[str, JsonValue]) -> Parsed:
    """The text and its structure as one."""
    return Parsed.model_validate({"text": text, **structure})


async def put_chunks(
    connection: AsyncConnection, version_id: str, pieces: Sequence[Piece], chunked: Chunked, text: str
) -> None:
    """Keep the chunks and their parents."""
    await connection.execute(insert(parents), parent_rows(version_id, chunked, text))
    await connection.execute(insert(chunks), chunk_rows(version_id, pieces))


async def drop_chunks(connection: AsyncConnection, version_id: str) -> None:
    """Forget the chunks and their parents."""
    for table in (chunks, parents):
        await connection.execute(delete(table).where(table.c.version == version_id))


async def drop_text(connection: AsyncConnection, version_id: str) -> None:
    """Forget all that was made of the bytes."""
    await drop_chunks(connection, version_id)
    await connection.execute(delete(texts).where(texts.c.version == version_id))


async def pieces(connection: AsyncConnection, version_id: str) -> tuple[Piece, ...]:
    """The chunks of a version, in order."""
    query = select(chunks).where(chunks.c.version == version_id).order_by(chunks.c.number)
    return tuple(stored_piece(row) for row in await connection.execute(query))


async def embedded_before(connection: AsyncConnection, document_id: str, index: str) -> dict[str, UUID]:
    """By hash, the points of the document's current version in that index."""
    query = (
        select(chunks.c.version, chunks.c.number, chunks.c.hash)
        .join(documents, documents.c.current == chunks.c.version)
        .join(versions, versions.c.id == chunks.c.version)
        .where(documents.c.id == document_id, versions.c.index_name == index)
    )
    return {row.hash: point_id(row.version, row.number) for row in await connection.execute(query)}
