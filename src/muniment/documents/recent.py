"""Chunks at hand: what is found often is not read from the database again while nothing is written to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from muniment.documents import registry
from muniment.documents.contract import Passage
from muniment.kernel.database import Database
from muniment.kernel.epochs import AsOf

_MOST, _LARGEST = 2000, 8000
"""Rows, and the characters of parent and metadata in one that is kept: 10 MB of parents of 3 kB, at most 40."""

_AT_ONCE = 50
"""Of more, few would be at hand, and all would push out what is."""


@dataclass(slots=True)
class Chunk:
    """A chunk with its parent and document; and as it was shown, once somebody was shown it."""

    row: Row[Any]
    passage: Passage | None = None


class RecentChunks:
    """Chunks with their parents and documents, as they were read since the last write to a file of SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._chunks: AsOf[Chunk] = AsOf(_MOST)

    async def of(self, chunk_ids: Sequence[str]) -> Sequence[Chunk]:
        """As `registry.passages` has them: every write that was acknowledged before is seen.

        What is at hand and what is read besides are of one snapshot: all is read again once a write was noted, or
        a document is shown in two states, as it may be while one is being committed.
        """
        mark = self._database.own_mark  # before the read: what is overtaken by a write is not kept
        if mark is None or len(chunk_ids) > _AT_ONCE:
            return await self._read(chunk_ids)
        known = {name: chunk for name in chunk_ids if (chunk := self._chunks.get(mark, name)) is not None}
        missing = [name for name in chunk_ids if name not in known]
        read = await self._read(missing) if missing else ()
        for chunk in read:
            if len(chunk.row.parent_text) + len(str(chunk.row.metadata)) <= _LARGEST:
                self._chunks.put(mark, chunk.row.chunk_id, chunk)
        chunks = [*known.values(), *read]
        if known and (self._database.own_mark != mark or not _agree([chunk.row for chunk in chunks])):
            return await self._read(chunk_ids)
        return chunks

    async def _read(self, chunk_ids: Sequence[str]) -> Sequence[Chunk]:
        async with self._database.read() as connection:
            return [Chunk(row) for row in await registry.passages(connection, chunk_ids)]


def _agree(rows: Sequence[Row[Any]]) -> bool:
    """Whether each document is as it was at one time: between a commit and its mark, two reads may differ."""
    known: dict[str, list[object]] = {}
    said = ([row.version_number, *(getattr(row, name) for name in registry.OF_DOCUMENT)] for row in rows)
    return all(known.setdefault(of.id, told) == told for of, told in zip(rows, said, strict=True))
