"""Where the passages of a version stand: in its own index, and as copies in others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import CollectionRef, IndexRef
from muniment.documents import ingest_store, registry
from muniment.documents.base import Clean
from muniment.documents.store import documents, generations, versions
from muniment.kernel.ids import new_id
from muniment.kernel.jobs import Jobs

FILLING, STANDING = "copying", "standby"
"""The states of a copy: until it is whole and its version current, and from then on. At last: `retired`."""

_SHARED = ("document", "run", "staged", "sha256", "size_bytes", "name", "media_type", "created_at")


async def written(connection: AsyncConnection, collection: str) -> dict[str, IndexRef]:
    """The indexes in which each current version of a collection must stand; none where there was ever only one."""
    query = select(generations).where(generations.c.collection == collection)
    return {
        row.name: IndexRef(name=row.name, model=row.model, recipe=row.recipe, generation=row.generation)
        for row in await connection.execute(query)
    }


async def put_written(connection: AsyncConnection, collection: str, indexes: Mapping[str, IndexRef]) -> None:
    """From this commit on no version becomes current that does not stand in each."""
    known = await written(connection, collection)
    rows = [
        {"collection": collection, **index.model_dump(), "run": None}
        for name, index in indexes.items()
        if name not in known
    ]
    if rows:
        await connection.execute(insert(generations), rows)


async def sets_of(connection: AsyncConnection, version_id: str) -> Sequence[Row[Any]]:
    """The version and its copies, the version first."""
    family = or_(versions.c.id == version_id, versions.c.copy_of == version_id)
    query = select(versions).where(family).order_by(versions.c.number.desc())
    return (await connection.execute(query)).all()


async def standing(connection: AsyncConnection, version_id: str) -> dict[str, Row[Any]]:
    """By index, the sets of a version that is, or was, current: those that are whole."""
    return whole(await sets_of(connection, version_id))


def whole(sets: Iterable[Row[Any]]) -> dict[str, Row[Any]]:
    """By index, those that are not being filled still."""
    return {row.index_name: row for row in sets if row.index_name is not None and row.state != FILLING}


async def begin(connection: AsyncConnection, version: Row[Any], index: str, values: Mapping[str, Any]) -> Row[Any]:
    """A new copy; the document's lock is held."""
    least = select(func.min(versions.c.number)).where(versions.c.document == version.document)
    number = min(0, int(await connection.scalar(least) or 0)) - 1
    shared = {name: getattr(version, name) for name in (*_SHARED, "options", "said", "current_from")}
    row = {
        **shared,
        "id": new_id("ver"),
        "number": number,
        "state": FILLING,
        "index_name": index,
        "copy_of": version.id,
        "indexed_chunks": 0,
        **values,
    }
    await connection.execute(insert(versions), row)
    begun = await registry.version(connection, row["id"])
    assert begun is not None
    return begun


async def strip(connection: AsyncConnection, jobs: Jobs, rows: Iterable[Row[Any]], collection: str) -> None:
    """Drop copies, and of versions themselves their chunks: they stand in another index. Points go by jobs."""
    gone: dict[str, list[str]] = {}
    for row in rows:
        gone.setdefault(row.index_name, []).append(row.id)
        if row.copy_of is not None:
            await connection.execute(delete(versions).where(versions.c.id == row.id))
            continue
        await ingest_store.drop_chunks(connection, row.id)
        values = {"index_name": None, "chunks": 0, "indexed_chunks": 0}
        await registry.change_version(connection, row.id, values)
    for index, ids in gone.items():
        clean = Clean(index=index, versions=tuple(ids), blobs=False)
        await jobs.enqueue(connection, "clean", clean, subject=collection)


async def given_up(connection: AsyncConnection, jobs: Jobs, version: Row[Any], collection: str) -> None:
    """Nothing of a version that did not become current stays in any index."""
    if version.index_name is not None:
        clean = Clean(index=version.index_name, versions=(version.id,), blobs=False)
        await jobs.enqueue(connection, "clean", clean, subject=collection)
    await strip(connection, jobs, (await sets_of(connection, version.id))[1:], collection)


def searched(sets: Mapping[str, Row[Any]], ref: CollectionRef) -> Row[Any] | None:
    """The set that searches find now, any where that is not there; none where there is none."""
    return sets.get(ref.index.name) or next(iter(sets.values()), None)


def stands_in(index: str) -> ColumnElement[bool]:
    """Whether the current version of a row of `documents` has its passages in the index."""
    own = versions.c.id == documents.c.current
    copy = and_(versions.c.copy_of == documents.c.current, versions.c.state == STANDING)
    return exists().where(versions.c.document == documents.c.id, versions.c.index_name == index, or_(own, copy))


async def lacking(
    connection: AsyncConnection, collection: str, index: str, *, after: str, limit: int
) -> Sequence[Row[Any]]:
    """Documents whose current version is not in the index, in the order of their ids."""
    query: Select[Any] = select(documents.c.id, documents.c.current).where(
        documents.c.collection == collection,
        documents.c.current.is_not(None),
        documents.c.id > after,
        ~stands_in(index),
    )
    found: Sequence[Row[Any]] = (await connection.execute(query.order_by(documents.c.id).limit(limit))).all()
    return found


async def progress(connection: AsyncConnection, collection: str, index: str) -> tuple[int, int]:
    """How many of a collection's documents stand in the index, and how many have a current version."""
    query = select(func.count()).where(documents.c.collection == collection, documents.c.current.is_not(None))
    total = int(await connection.scalar(query) or 0)
    return int(await connection.scalar(query.where(stands_in(index))) or 0), total
