"""What is read and written of several documents at once; each statement is built once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Row, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.documents import ingest_store, store
from muniment.documents.ingest_store import Work
from muniment.documents.parsing.model import Chunked, Parsed
from muniment.documents.pieces import Piece, chunk_rows, parent_rows
from muniment.documents.store import chunks, documents, layouts, parents, texts, versions

_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_VERSIONS = select(versions).where(versions.c.id.in_(_IDS)).order_by(versions.c.id)
_LOCKED_VERSIONS = _VERSIONS.with_for_update()
_DOCUMENTS = select(documents).where(documents.c.id.in_(_IDS)).order_by(documents.c.id)
_LOCKED_DOCUMENTS = _DOCUMENTS.with_for_update()
_COPIED = select(versions.c.copy_of).where(versions.c.copy_of.in_(_IDS))
_VERSION = update(versions).where(versions.c.id == bindparam("this"))
_DOCUMENT = update(documents).where(documents.c.id == bindparam("this"))
_PROGRESS = update(store.jobs).where(store.jobs.c.id == bindparam("this"), store.jobs.c.state == "running")


class Noted(NamedTuple):
    """What is noted of a version that is chunked, by which job: its columns, its text, its chunks."""

    job: str
    version: str
    columns: Mapping[str, Any]
    parsed: Parsed
    chunked: Chunked
    pieces: Sequence[Piece]


class Current(NamedTuple):
    """A version that becomes current, by which job, what of its document changes with it, and when it is."""

    job: str
    document: str
    version: Row[Any]
    columns: Mapping[str, Any]
    at: datetime


async def versions_of(
    connection: AsyncConnection, ids: Sequence[str], *, lock: bool = True
) -> dict[str, Row[Any]]:
    """By id, those that are there; with `lock` nobody else changes them before the transaction ends."""
    query = _LOCKED_VERSIONS if lock else _VERSIONS
    return {row.id: row for row in await connection.execute(query, {"ids": list(ids)})}


async def works(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Work]:
    """By version, those that are there, each with its document."""
    found = await versions_of(connection, ids, lock=False)
    of = {"ids": [row.document for row in found.values()]}
    rows = {row.id: row for row in await connection.execute(_DOCUMENTS, of)}
    return {row.id: Work(row, rows[row.document]) for row in found.values()}


async def documents_of(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """By id, those that are there; nobody else changes them before the transaction ends."""
    return {row.id: row for row in await connection.execute(_LOCKED_DOCUMENTS, {"ids": list(ids)})}


async def copied(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """Those of the versions that have copies."""
    return set((await connection.scalars(_COPIED, {"ids": list(ids)})).all())


async def put_noted(connection: AsyncConnection, some: Sequence[Noted]) -> None:
    """Keep texts, parents and chunks, and what the versions say of them."""
    await connection.execute(_VERSION, [{"this": one.version, "problem": None, **one.columns} for one in some])
    await connection.execute(insert(texts), [ingest_store.text_row(one.version, one.parsed) for one in some])
    drawn = [row for one in some for row in ingest_store.layout_rows(one.version, one.parsed)]
    if drawn:
        await connection.execute(insert(layouts), drawn)
    rows = [row for one in some for row in parent_rows(one.version, one.chunked.parents, one.parsed.text)]
    await connection.execute(insert(parents), rows)
    await connection.execute(insert(chunks), [row for one in some for row in chunk_rows(one.version, one.pieces)])
    await _put_progress(connection, [(one.job, 0, len(one.pieces)) for one in some])


async def put_current(connection: AsyncConnection, some: Sequence[Current]) -> None:
    """Make versions the current ones of their documents, and their jobs' progress whole."""
    states = [
        {"this": one.version.id, "state": "current", "current_from": one.at, "indexed_chunks": one.version.chunks}
        for one in some
    ]
    await connection.execute(_VERSION, states)
    await connection.execute(_DOCUMENT, [{"this": one.document, **one.columns} for one in some])
    await _put_progress(connection, [(one.job, one.version.chunks, one.version.chunks) for one in some])


async def _put_progress(connection: AsyncConnection, some: Sequence[tuple[str, int, int]]) -> None:
    rows = [{"this": job, "progress_done": done, "progress_total": total} for job, done, total in some]
    await connection.execute(_PROGRESS, rows)
