"""What the ingestion reads and writes: one short transaction for each step that lasts."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Row, Select, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.documents import store
from muniment.documents.contract import PageSpan
from muniment.documents.parsing.model import Chunked, Line, Parsed
from muniment.documents.pieces import Piece, chunk_id, chunk_rows, parent_rows, pieces_of, point_id, stored_piece
from muniment.documents.store import chunks, documents, layouts, parents, texts, versions

_ROWS = 1024
"""Rows that are inserted at once."""

_PAGES = 64
"""Pages whose lines are inserted at once."""

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
    """Keep what was parsed, in place of what was parsed before; attachments are kept as documents."""
    await connection.execute(delete(layouts).where(layouts.c.version == version_id))
    await connection.execute(insert(texts), text_row(version_id, parsed))
    rows = layout_rows(version_id, parsed)
    while some := [*islice(rows, _PAGES)]:
        await connection.execute(insert(layouts), some)


def text_row(version_id: str, parsed: Parsed) -> dict[str, Any]:
    """The row of the table of texts."""
    structure = parsed.model_dump(mode="json", exclude={"text", "lines", "attachments"})
    return {"version": version_id, "text": parsed.text, "structure": structure}


def layout_rows(version_id: str, parsed: Parsed) -> Iterator[dict[str, Any]]:
    """The rows of the table of layouts, page by page."""
    for page, lines in groupby(parsed.lines, key=lambda line: line.page):
        yield {"version": version_id, "page": page, "lines": [_stored_line(line) for line in lines]}


def _stored_line(line: Line) -> list[float | None]:
    return [line.start, line.end, line.x0, line.y0, line.x1, line.y1, line.first]


class Extent(NamedTuple):
    """How long a text is, and where its pages lie in it."""

    characters: int
    pages: tuple[PageSpan, ...]


async def extent(connection: AsyncConnection, version_id: str) -> Extent | None:
    """The extent of a version's text, without the text."""
    query = select(func.length(texts.c.text).label("characters"), texts.c.structure)
    row = (await connection.execute(query.where(texts.c.version == version_id))).first()
    if row is None:
        return None
    return Extent(row.characters, tuple(PageSpan.model_validate(page) for page in row.structure["pages"]))


async def lines_within(connection: AsyncConnection, version_id: str, pages: Sequence[int]) -> list[Line]:
    """Where the lines of those pages are drawn, in the order of the text."""
    query = select(layouts).where(layouts.c.version == version_id, layouts.c.page.in_(pages))
    rows = await connection.execute(query.order_by(layouts.c.page))
    return [_line(row.page, *line) for row in rows for line in row.lines]


def _line(page: int, start: int, end: int, x0: float, y0: float, x1: float, y1: float, first: int | None) -> Line:
    return Line(start=start, end=end, page=page, x0=x0, y0=y0, x1=x1, y1=y1, first=first)


async def parsed_text(connection: AsyncConnection, version_id: str) -> Parsed | None:
    """What `put_text` kept."""
    row = (await connection.execute(select(texts).where(texts.c.version == version_id))).first()
    return None if row is None else as_parsed(row.text, row.structure)


def as_parsed(text: str, structure: dict[str, JsonValue]) -> Parsed:
    """The text and its structure as one."""
    return Parsed.model_validate({"text": text, **structure})


async def put_chunks(
    connection: AsyncConnection, version_id: str, chunked: Chunked, *, title: str, text: str
) -> None:
    """Keep the chunks and their parents, some at a time: as rows they take several times their own memory."""
    for start in range(0, len(chunked.parents), _ROWS):
        some = chunked.parents[start : start + _ROWS]
        await connection.execute(insert(parents), parent_rows(version_id, some, text))
    for start in range(0, len(chunked.chunks), _ROWS):
        pieces = pieces_of(chunked.chunks[start : start + _ROWS], title=title, text=text)
        await connection.execute(insert(chunks), chunk_rows(version_id, pieces))


_PIECES: Select[Any] = (
    select(chunks, parents.c.span_start.label("parent_start"), parents.c.text.label("parent_text"))
    .join(parents, and_(parents.c.version == chunks.c.version, parents.c.number == chunks.c.parent))
    .where(chunks.c.id.in_(bindparam("ids", expanding=True)))
)


async def drop_chunks(connection: AsyncConnection, version_id: str) -> None:
    """Forget the chunks and their parents."""
    for table in (chunks, parents):
        await connection.execute(delete(table).where(table.c.version == version_id))


async def drop_text(connection: AsyncConnection, version_id: str) -> None:
    """Forget all that was made of the bytes."""
    await drop_chunks(connection, version_id)
    for table in (layouts, texts):
        await connection.execute(delete(table).where(table.c.version == version_id))


async def pieces(connection: AsyncConnection, version_id: str, numbers: range) -> tuple[Piece, ...]:
    """The chunks of those numbers, in order."""
    ids = [chunk_id(version_id, number) for number in numbers]
    rows = await connection.execute(_PIECES, {"ids": ids})
    return tuple(sorted(stored_piece(row) for row in rows))


async def embedded_before(connection: AsyncConnection, document_id: str, index: str) -> dict[str, UUID]:
    """By hash, the points of the document's current version in that index; none while others are written there."""
    query = (
        select(chunks.c.version, chunks.c.number, chunks.c.hash)
        .join(versions, versions.c.id == chunks.c.version)
        .join(documents, documents.c.current == func.coalesce(versions.c.copy_of, versions.c.id))
        .where(documents.c.id == document_id, versions.c.document == document_id)
        .where(versions.c.index_name == index)
        .where(versions.c.indexed_chunks == versions.c.chunks)
    )
    return {row.hash: point_id(row.version, row.number) for row in await connection.execute(query)}
