"""Chunks at hand: what is found often is not read from the database again while nothing is written to it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from muniment.documents import registry
from muniment.kernel.database import Database
from muniment.kernel.epochs import AsOf

_MOST, _LARGEST = 2000, 8000
"""Rows, and the characters of parent and metadata in one that is kept: 6 MB of parents of 3 kB, at most 32."""

_AT_ONCE = 50
"""Of more, few would be at hand, and all would push out what is."""


class RecentChunks:
    """Chunks with their parents and documents, as they were read since the last write to a file of SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: AsOf[Row[Any]] = AsOf(_MOST)

    async def rows(self, chunk_ids: Sequence[str]) -> Sequence[Row[Any]]:
        """As `registry.passages` has them: every write that was acknowledged before is seen.

        What is at hand and what is read besides are of one snapshot: all is read again once a write was noted, or
        a document is shown in two states, as it may be while one is being committed.
        """
        mark = self._database.own_mark  # before the read: what is overtaken by a write is not kept
        if mark is None or len(chunk_ids) > _AT_ONCE:
            return await self._read(chunk_ids)
        known = {chunk: row for chunk in chunk_ids if (row := self._rows.get(mark, chunk)) is not None}
        missing = [chunk for chunk in chunk_ids if chunk not in known]
        read = await self._read(missing) if missing else ()
        for row in read:
            if len(row.parent_text) + len(str(row.metadata)) <= _LARGEST:
                self._rows.put(mark, row.chunk_id, row)
        rows = [*known.values(), *read]
        if known and (self._database.own_mark != mark or not _agree(rows)):
            return await self._read(chunk_ids)
        return rows

    async def _read(self, chunk_ids: Sequence[str]) -> Sequence[Row[Any]]:
        async with self._database.read() as connection:
            return await registry.passages(connection, chunk_ids)


def _agree(rows: Sequence[Row[Any]]) -> bool:
    """Whether each document is as it was at one time: between a commit and its mark, two reads may differ."""
    known: dict[str, list[object]] = {}
    said = ([row.version_number, *(getattr(row, name) for name in registry.OF_DOCUMENT)] for row in rows)
    return all(known.setdefault(of.id, told) == told for of, told in zip(rows, said, strict=True))
