"""What is asked of the table of documents, and what is written there."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.documents import access, store
from muniment.documents.fields import Effective, Layer, effective, instant
from muniment.documents.store import chunks, documents, parents, readers, versions
from muniment.kernel.caller import Caller
from muniment.kernel.database import UtcTime
from muniment.kernel.model import now

AT_ONCE = 500
"""Values in one list of a query."""


def readable(who: Caller) -> ColumnElement[bool]:
    """Whether the caller may read a row of `documents`."""
    opened = exists().where(readers.c.document == documents.c.id, readers.c.token.in_(sorted(who.tokens)))
    if not who.withheld:
        return opened
    return and_(opened, documents.c.collection.not_in(sorted(who.withheld)))


async def document(connection: AsyncConnection, document_id: str, *, lock: bool = False) -> Row[Any] | None:
    """The document of that id; with `lock` nobody else changes it before the transaction ends."""
    query = select(documents).where(documents.c.id == document_id)
    return (await connection.execute(query.with_for_update() if lock else query)).first()


async def by_key(
    connection: AsyncConnection, collection: str, keys: Iterable[str], *, lock: bool = False
) -> dict[str, Row[Any]]:
    """The documents of those keys."""
    found: dict[str, Row[Any]] = {}
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), AT_ONCE):
        query = select(documents).where(
            documents.c.collection == collection, documents.c.key.in_(wanted[start : start + AT_ONCE])
        )
        # In one order always, so that two uploads never wait for each other in a circle.
        query = query.order_by(documents.c.key)
        for row in await connection.execute(query.with_for_update() if lock else query):
            found[row.key] = row
    return found


async def versions_of(
    connection: AsyncConnection, document_ids: Iterable[str], *, copies: bool = False
) -> dict[str, list[Row[Any]]]:
    """All versions of each document, oldest first; with `copies` also their copies in other indexes."""
    found: dict[str, list[Row[Any]]] = {}
    wanted = sorted(set(document_ids))
    for start in range(0, len(wanted), AT_ONCE):
        query = select(versions).where(versions.c.document.in_(wanted[start : start + AT_ONCE]))
        query = query if copies else query.where(versions.c.copy_of.is_(None))
        for row in await connection.execute(query.order_by(versions.c.document, versions.c.number)):
            found.setdefault(row.document, []).append(row)
    return found


async def attached(connection: AsyncConnection, document_id: str, *, deep: bool = True) -> Sequence[Row[Any]]:
    """What came attached to a document, with `deep` also what came attached to that; all of it locked.

    Level by level, and each level after the one above it is locked: nothing is attached to that meanwhile.
    """
    found: list[Row[Any]] = []
    above = [document_id]
    while above:
        query = select(documents).where(documents.c.attached_to.in_(above)).order_by(documents.c.key)
        level = (await connection.execute(query.with_for_update())).all()
        found += level
        above = [row.id for row in level] if deep else []
    return found


async def depth(connection: AsyncConnection, row: Row[Any]) -> int:
    """How many documents it lies within."""
    levels, above = 0, row.attached_to
    while above is not None:
        levels += 1
        above = await connection.scalar(select(documents.c.attached_to).where(documents.c.id == above))
    return levels


async def version(connection: AsyncConnection, version_id: str | None) -> Row[Any] | None:
    """The version of that id."""
    if version_id is None:
        return None
    return (await connection.execute(select(versions).where(versions.c.id == version_id))).first()


async def change(connection: AsyncConnection, document_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of a document."""
    await connection.execute(update(documents).where(documents.c.id == document_id).values(**values))


async def change_version(
    connection: AsyncConnection, version_id: str, values: Mapping[str, Any], *, states: Sequence[str] | None = None
) -> bool:
    """Set columns of a version; false when it is gone, or in none of those states at that moment."""
    change = update(versions).where(versions.c.id == version_id)
    if states is not None:
        change = change.where(versions.c.state.in_(states))
    return bool((await connection.execute(change.values(**values))).rowcount)


async def write_readers(connection: AsyncConnection, document_id: str, facts: access.Holding) -> None:
    """Make the readers in SQL follow from the facts."""
    await connection.execute(delete(readers).where(readers.c.document == document_id))
    await connection.execute(insert(readers), reader_rows(document_id, facts))


def reader_rows(document_id: str, facts: access.Holding) -> list[dict[str, str]]:
    """The rows that say who reads a document."""
    return [{"document": document_id, "token": token} for token in sorted(access.readers(facts))]


def seen(row: Row[Any], of: Row[Any] | None, *, patched: Layer | None = None) -> Effective:
    """What readers of a document see when `of` is its current version."""
    said, options = (of.said, of.options) if of is not None else ({}, {})
    return effective(
        row.key,
        said=Layer.model_validate(said),
        options=Layer.model_validate(options),
        patched=patched or Layer.model_validate(row.patched),
    )


def columns_of(what: Effective, *, created_at: datetime, modified_at: datetime) -> dict[str, Any]:
    """What readers see as columns; the times are those of the upload where nothing else is said."""
    return {
        "title": what.title,
        "type": what.fields["type"],
        "status": what.fields.get("status"),
        "source_url": what.fields.get("source_url"),
        "fields": what.fields,
        "metadata": what.metadata,
        "created_at": instant(what.fields.get("created_at"), created_at),
        "modified_at": instant(what.fields.get("modified_at"), modified_at),
    }


class Place(NamedTuple):
    """Where a page of a list starts: after the document with this value of the sort column, and this id."""

    value: str | datetime
    document: str


class Listing(NamedTuple):
    """What a list of documents asks for."""

    collection: str
    conditions: Sequence[ColumnElement[bool]]
    sort: str
    after: Place | None
    limit: int


def with_state(state: str) -> ColumnElement[bool]:
    """Whose newest version is in that state, or for `current`, that have a current one."""
    if state == "current":
        return documents.c.current.is_not(None)
    return exists().where(versions.c.id == documents.c.latest, versions.c.state == state)


def with_prefix(prefix: str) -> ColumnElement[bool]:
    """Whose key starts so, letter by letter; the bound lets an index find them."""
    return and_(documents.c.key >= prefix, func.substr(documents.c.key, 1, len(prefix)) == prefix)


async def page(connection: AsyncConnection, who: Caller, listing: Listing) -> Sequence[Row[Any]]:
    """One row more than the limit, where there are as many."""
    column, down = documents.c[listing.sort.removeprefix("-")], listing.sort.startswith("-")
    query: Select[Any] = select(documents).where(
        documents.c.collection == listing.collection, readable(who), *listing.conditions
    )
    if listing.after is not None:
        value, last = listing.after
        beyond = column < value if down else column > value
        query = query.where(or_(beyond, and_(column == value, documents.c.id > last)))
    order = column.desc() if down else column
    found: Sequence[Row[Any]] = (
        await connection.execute(query.order_by(order, documents.c.id).limit(listing.limit + 1))
    ).all()
    return found


async def count_readable(
    connection: AsyncConnection, who: Caller, collections: Sequence[str] | None
) -> dict[str, int]:
    """Documents that the caller may read, by collection."""
    query = select(documents.c.collection, func.count()).where(readable(who)).group_by(documents.c.collection)
    if collections is not None:
        query = query.where(documents.c.collection.in_(collections))
    return {row[0]: row[1] for row in await connection.execute(query)}


OF_DOCUMENT = (
    "id", "collection", "key", "title", "type", "status", "source_url", "metadata", "owner", "access_level",
    "grants",
)  # fmt: skip
"""What a passage's row says of its document."""

_original = versions.alias("original")
_shown = func.coalesce(versions.c.copy_of, versions.c.id)
"""The version that a row's chunks are of, whichever index they stand in."""

_number = case(
    (versions.c.copy_of.is_(None), versions.c.number),
    else_=select(_original.c.number).where(_original.c.id == versions.c.copy_of).scalar_subquery(),
)
_PASSAGE: Select[Any] = (
    select(
        chunks.c.id.label("chunk_id"),
        chunks.c.span_start,
        chunks.c.span_end,
        chunks.c.page,
        chunks.c.section,
        chunks.c.kind,
        chunks.c.header,
        parents.c.span_start.label("parent_start"),
        parents.c.span_end.label("parent_end"),
        parents.c.text.label("parent_text"),
        _number.label("version_number"),
        *(documents.c[name] for name in OF_DOCUMENT),
    )
    .join(versions, versions.c.id == chunks.c.version)
    .join(documents, documents.c.id == versions.c.document)
    .join(parents, and_(parents.c.version == chunks.c.version, parents.c.number == chunks.c.parent))
    .where(chunks.c.id.in_(bindparam("ids", expanding=True)))
)  # fmt: skip
_then = bindparam("then", type_=UtcTime)
# Both are built once: making them anew costs as much as running them.
_PASSAGES = _PASSAGE.where(documents.c.current == _shown)
_PASSAGES_THEN = _PASSAGE.add_columns(versions.c.state, versions.c.said, versions.c.options).where(
    versions.c.current_from <= _then, or_(versions.c.current_to > _then, documents.c.current == _shown)
)


async def passages(
    connection: AsyncConnection, chunk_ids: Sequence[str], as_of: datetime | None = None
) -> Sequence[Row[Any]]:
    """Chunks of the versions that are, or were, current, each with its parent and document: one snapshot.

    Those of earlier times also have what made up the fields then.
    """
    asked = {"ids": list(chunk_ids)}
    if as_of is None:
        found: Sequence[Row[Any]] = (await connection.execute(_PASSAGES, asked)).all()
    else:
        found = (await connection.execute(_PASSAGES_THEN, {**asked, "then": as_of})).all()
    return found


async def remove(connection: AsyncConnection, document_ids: Sequence[str]) -> None:
    """Forget documents with all that hangs on them."""
    await connection.execute(delete(documents).where(documents.c.id.in_(document_ids)))


class Counted(NamedTuple):
    """How much there is: documents, chunks of current versions, versions by state, bytes, and the pace."""

    documents: int
    chunks: int
    versions: dict[str, int]
    size_bytes: int
    ingested_last_minute: int


async def counts(connection: AsyncConnection) -> Counted:
    """Counted afresh."""
    whole = await connection.scalar(select(func.count()).select_from(documents))
    lately = case((versions.c.current_from > now() - timedelta(minutes=1), 1), else_=0)
    sums = (func.count(), func.sum(versions.c.chunks), func.sum(versions.c.size_bytes), func.sum(lately))
    own = versions.c.copy_of.is_(None)
    rows = (await connection.execute(select(versions.c.state, *sums).where(own).group_by(versions.c.state))).all()
    # Of a version whose own index was dropped, the copy counts.
    moved = _original.c.index_name.is_(None), versions.c.state == "standby"
    copied = select(func.sum(versions.c.chunks)).join(_original, _original.c.id == versions.c.copy_of)
    return Counted(
        documents=int(whole or 0),
        chunks=sum(int(row[2] or 0) for row in rows if row[0] == "current")
        + int(await connection.scalar(copied.where(*moved)) or 0),
        versions={row[0]: int(row[1]) for row in rows},
        size_bytes=sum(int(row[3] or 0) for row in rows),
        ingested_last_minute=sum(int(row[4] or 0) for row in rows),
    )


async def purged(connection: AsyncConnection, collection: str) -> bool:
    """Whether the collection's documents are being, or have been, removed."""
    query = select(store.purges.c.run).where(store.purges.c.collection == collection)
    return (await connection.execute(query)).first() is not None


async def regrant(connection: AsyncConnection, row: Row[Any], facts: access.Holding) -> None:
    """Change who may read a document: in force in SQL with the commit, and for the index to follow."""
    values = {
        "owner": facts.owner,
        "access_level": facts.level,
        "grants": list(facts.grants),
        "acl_version": row.acl_version + 1,
    }
    await change(connection, row.id, values)
    await write_readers(connection, row.id, facts)
