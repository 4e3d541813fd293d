"""Putting the passages of a version into another index: another chunking, another model, the same text."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, update

from muniment.collections.contract import IndexRef
from muniment.documents import copies, ingest_store, registry
from muniment.documents.base import Parts
from muniment.documents.copies import FILLING, STANDING
from muniment.documents.embedder import Embedder
from muniment.documents.indexing import point_payload
from muniment.documents.ingest_store import AT_WORK, Work
from muniment.documents.parsing.model import Chunked, Parsed
from muniment.documents.parsing.pool import Parsers
from muniment.documents.pieces import point_id
from muniment.documents.store import versions
from muniment.documents.target import Target, Targets
from muniment.kernel.deadline import MOST_SECONDS, deadline
from muniment.vectors.contract import AnyOf, DeletePoints, Range

SLICE = 256
"""Chunks that are embedded and indexed at once; how far it is, is noted after each."""


class _Copy(NamedTuple):
    """A copy that is being filled, where it goes, and the title that stands before its chunks."""

    row: Row[Any]
    target: Target
    title: str


class Copying:
    """Makes copies of versions that are current, or about to become it. Again is as once, and goes on."""

    def __init__(self, parts: Parts, parsers: Parsers, targets: Targets) -> None:
        self._parts, self._parsers, self._targets = parts, parsers, targets
        self._database, self._indexing = parts.database, parts.indexing
        self._embedder = Embedder(parts.embedding, parts.indexing.vectors)

    async def copy(self, version: str, index: IndexRef) -> None:
        """See to it that the version stands in the index; it returns where that is not wanted any more, too."""
        again = False
        while not await self._copied(version, index, again=again):
            again = True

    async def _copied(self, version: str, index: IndexRef, *, again: bool) -> bool:
        """Whether nothing is left to be done; `again` in the same breath, with points that are ours."""
        async with self._database.read() as connection:
            work = await ingest_store.work(connection, version)
            sets = await copies.sets_of(connection, version)
        if work is None or not _is_wanted(work):
            return True
        there = next((row for row in sets if row.index_name == index.name), None)
        if there is not None and (there.copy_of is None or there.state != FILLING):
            return True
        ref = await self._targets.collection(work.document.collection)
        if ref is None:
            return True  # its documents are being purged
        target = await self._targets.at(ref, index)
        kept = again
        if there is None or there.title != _title(work):
            there, kept = await self._begun(work, target), False
        if there is None:
            return True
        copy = _Copy(there, target, there.title)
        return not await self._filled(work, copy, kept=kept) or await self._done(version, copy)

    async def _begun(self, work: Work, target: Target) -> Row[Any] | None:
        """The copy with its chunks, and nothing indexed yet; none when it is not wanted."""
        version, title = work.version, _title(work)
        async with self._database.read() as connection:
            parsed = await ingest_store.parsed_text(connection, version.id)
        if parsed is None:
            return None
        chunked = await self._chunked(parsed, title, target)
        async with self._database.write() as connection:
            document = await registry.document(connection, work.document.id, lock=True)
            fresh = await ingest_store.work(connection, version.id)
            if document is None or fresh is None or not _is_wanted(fresh):
                return None
            if target.index_name not in await copies.written(connection, document.collection):
                return None  # the index was dropped meanwhile
            sets = await copies.sets_of(connection, version.id)
            there = next((row for row in sets if row.index_name == target.index_name), None)
            if there is not None and (there.copy_of is None or there.state != FILLING):
                return None  # another worker was faster
            values = {
                "title": title,
                "chunks": len(chunked.chunks),
                "indexed_chunks": 0,
                "acl_version": document.acl_version,
            }
            if there is None:
                there = await copies.begin(connection, fresh.version, target.index_name, values)
            else:
                await ingest_store.drop_chunks(connection, there.id)
                await registry.change_version(connection, there.id, values)
            await ingest_store.put_chunks(connection, there.id, chunked, title=title, text=parsed.text)
            return await registry.version(connection, there.id)

    async def _chunked(self, parsed: Parsed, title: str, target: Target) -> Chunked:
        async with deadline(MOST_SECONDS):
            return await self._parsers.chunk(
                parsed,
                title=title,
                tokenizer=target.tokenizer,
                max_tokens=target.max_tokens,
                recipe=target.recipe,
            )

    async def _filled(self, work: Work, copy: _Copy, *, kept: bool) -> bool:
        """Embed and upsert, slice by slice; false when the copy is no longer wanted, and then nothing is left."""
        row = copy.row
        known: Mapping[str, UUID] = {}
        async with self._database.read() as connection:
            known = await ingest_store.embedded_before(connection, work.document.id, copy.target.index_name)
        for start in range(row.indexed_chunks, row.chunks, SLICE):
            end = min(start + SLICE, row.chunks)
            async with self._database.read() as connection:
                pieces = await ingest_store.pieces(connection, row.id, range(start, end))
            if not pieces:
                return False
            own = {piece.hash: point_id(row.id, piece.number) for piece in pieces} if kept else {}
            texts, vectors = await self._embedder.vectors(copy.target, copy.title, pieces, {**known, **own})
            async with self._indexing.lock(work.document.id):
                async with self._database.read() as connection:
                    fresh = await ingest_store.work(connection, work.version.id)
                if fresh is None:
                    return await self._left(copy)
                seen = registry.seen(fresh.document, fresh.version)
                payload = point_payload(fresh.document, seen, fresh.version)
                await self._embedder.upsert(
                    copy.target, row.id, pieces, texts=texts, vectors=vectors, payload=payload
                )
            if not await self._noted(copy, end):
                return await self._left(copy)
        return True

    async def _left(self, copy: _Copy) -> bool:
        """Whoever forgot the copy may have removed its points before the last of them were written."""
        async with self._database.read() as connection:
            there = await registry.version(connection, copy.row.id)
        if there is None:
            await self._indexing.remove(copy.target.index_name, "version", [copy.row.id])
        return False

    async def _noted(self, copy: _Copy, done: int) -> bool:
        async with self._database.write() as connection:
            filling = versions.c.id == copy.row.id, versions.c.state == FILLING
            return bool(
                (await connection.execute(update(versions).where(*filling).values(indexed_chunks=done))).rowcount
            )

    async def _done(self, version: str, copy: _Copy) -> bool:
        """The copy of a current version stands from now on; that of one at work waits for the flip."""
        beyond = AnyOf(field="version", values=(copy.row.id,)), Range(field="chunk", gte=float(copy.row.chunks))
        await self._indexing.vectors.delete(DeletePoints(index=copy.target.index_name, filter=beyond))
        async with self._database.write() as connection:
            found = await ingest_store.work(connection, version)
            document = found and await registry.document(connection, found.document.id, lock=True)
            work = await ingest_store.work(connection, version)
            row = await registry.version(connection, copy.row.id)
            if work is None or document is None or row is None or work.version.state in AT_WORK:
                return True
            if work.document.current != version:
                await copies.strip(connection, self._parts.jobs, [row], document.collection)
                return True
            if row.state != FILLING:
                return True
            if row.title != _title(work) or row.indexed_chunks != row.chunks:
                return False
            if row.acl_version != document.acl_version:
                again = {"indexed_chunks": 0, "acl_version": document.acl_version}
                await registry.change_version(connection, row.id, again)
                return False
            await registry.change_version(connection, row.id, stood(work.version))
            return True


def stood(version: Row[Any], **more: Any) -> dict[str, Any]:
    """The columns of a copy from the moment on in which it stands for its current version."""
    shared = {name: getattr(version, name) for name in ("said", "options", "current_from", "current_to")}
    return {**shared, "state": STANDING, **more}


def _is_wanted(work: Work) -> bool:
    return work.version.state in AT_WORK or work.document.current == work.version.id


def _title(work: Work) -> str:
    """What stands before every chunk: of a version at work, the title that it had when it was chunked."""
    is_current = work.document.current == work.version.id
    return str(work.document.title if is_current else work.version.title)
