"""Indexing the current version of a document anew, in place: its title stands before every chunk."""

from typing import Any, NamedTuple

from sqlalchemy import Row

from muniment.collections.contract import CollectionRef
from muniment.documents import copies, ingest_store, registry
from muniment.documents.base import OfDocumentJob, Parts
from muniment.documents.copying import SLICE
from muniment.documents.embedder import Embedder
from muniment.documents.indexing import point_payload
from muniment.documents.ingest_store import Work
from muniment.documents.parsing.model import Chunked
from muniment.documents.parsing.pool import Parsers
from muniment.documents.pieces import pieces_of, point_id
from muniment.documents.target import Target, Targets
from muniment.kernel.deadline import MOST_SECONDS, deadline
from muniment.kernel.jobs import Job
from muniment.vectors.contract import AnyOf, DeletePoints, Range


class _Set(NamedTuple):
    """The passages of the current version in one index: of its own row, or of a copy's."""

    row: Row[Any]
    work: Work
    target: Target


class Reindexing:
    """Handles the job `reindex`."""

    def __init__(self, parts: Parts, parsers: Parsers, targets: Targets) -> None:
        self._database, self._indexing = parts.database, parts.indexing
        self._parsers, self._targets = parsers, targets
        self._embedder = Embedder(parts.embedding, parts.indexing.vectors)

    async def reindex(self, job: Job) -> None:
        """In every index: chunk, embed what changed, upsert; again when the title changed meanwhile."""
        document = OfDocumentJob.model_validate(job.request).document
        while not await self._reindexed(job, document):
            pass

    async def _reindexed(self, job: Job, document: str) -> bool:
        """Whether nothing is left to be done."""
        async with self._database.read() as connection:
            row = await registry.document(connection, document)
            if row is None or row.current is None:
                return True
            work = await ingest_store.work(connection, row.current)
            sets = await copies.standing(connection, row.current)
        ref = await self._targets.collection(row.collection)
        if work is None or ref is None:
            return True
        for index, own in sorted(sets.items(), key=lambda item: item[1].copy_of is not None):
            if not await self._anew(job, work, own, ref, index):
                return False
        return True

    async def _anew(self, job: Job, work: Work, own: Row[Any], ref: CollectionRef, name: str) -> bool:
        """Do it in one index; false when the title has changed again."""
        index = next((index for index in ref.written if index.name == name), None)
        async with self._database.read() as connection:
            parsed = await ingest_store.parsed_text(connection, work.version.id)
        if parsed is None or index is None:
            return True  # it is gone, or the index is being dropped
        target, title = await self._targets.at(ref, index), work.document.title
        async with deadline(MOST_SECONDS):
            chunked = await self._parsers.chunk(
                parsed,
                title=title,
                tokenizer=target.tokenizer,
                max_tokens=target.max_tokens,
                recipe=target.recipe,
            )
        if title != own.title:
            async with self._database.write() as connection:
                await registry.change_version(connection, own.id, {"indexed_chunks": 0})
        which = _Set(own, work, target)
        if not await self._indexed(which, chunked, parsed.text):
            return True
        done = await self._stored(job, which, chunked, parsed.text)
        if done is None:
            async with self._database.read() as connection:
                there = await registry.version(connection, own.id)
            if there is None or there.index_name != name:
                await self._indexing.remove(name, "version", [own.id])
        elif done and len(chunked.chunks) < own.chunks:
            beyond = AnyOf(field="version", values=(own.id,)), Range(field="chunk", gte=float(len(chunked.chunks)))
            await self._indexing.vectors.delete(DeletePoints(index=name, filter=beyond))
        return done is not False

    async def _indexed(self, which: _Set, chunked: Chunked, text: str) -> bool:
        """Put the chunks into the index; false when the version is no longer the current one."""
        own, work, target = which
        title = work.document.title
        # Only what stays in its place: another point may have been written over before it is read. Nothing, while
        # an attempt with another title may have written over any of them.
        is_whole = own.indexed_chunks == own.chunks
        for start in range(0, len(chunked.chunks), SLICE):
            some = pieces_of(chunked.chunks[start : start + SLICE], title=title, text=text)
            async with self._database.read() as connection:
                before = await ingest_store.pieces(connection, own.id, range(start, start + len(some)))
            old = {piece.number: piece.hash for piece in before if is_whole}
            known = {
                piece.hash: point_id(own.id, piece.number) for piece in some if piece.hash == old.get(piece.number)
            }
            texts, vectors = await self._embedder.vectors(target, title, some, known)
            async with self._indexing.lock(work.document.id):
                async with self._database.read() as connection:
                    fresh = await ingest_store.work(connection, work.version.id)
                    there = await registry.version(connection, own.id)
                if there is None or there.index_name != target.index_name:
                    await self._indexing.remove(target.index_name, "version", [own.id])
                    return False
                if fresh is None or fresh.document.current != work.version.id:
                    return False  # its points are for the job `retire` to move
                payload = point_payload(
                    fresh.document, registry.seen(fresh.document, fresh.version), fresh.version
                )
                await self._embedder.upsert(target, own.id, some, texts=texts, vectors=vectors, payload=payload)
        return True

    async def _stored(self, job: Job, which: _Set, chunked: Chunked, text: str) -> bool | None:
        """Whether the chunks are kept; false when the title has changed again, None when they are not wanted."""
        own, work = which.row, which.work
        async with self._database.write() as connection:
            fresh = await registry.document(connection, work.document.id, lock=True)
            there = await registry.version(connection, own.id)
            if fresh is None or fresh.current != work.version.id or there is None:
                return None
            if there.index_name != which.target.index_name:
                return None
            if fresh.title != work.document.title:
                return False
            await ingest_store.drop_chunks(connection, own.id)
            await ingest_store.put_chunks(connection, own.id, chunked, title=fresh.title, text=text)
            count = len(chunked.chunks)
            values = {"title": fresh.title, "chunks": count, "indexed_chunks": count}
            await registry.change_version(connection, own.id, values)
            if own.copy_of is not None:
                # The version says what title all of it has, wherever it stands.
                await registry.change_version(connection, own.copy_of, {"title": fresh.title})
            await ingest_store.progress(connection, job.id, count, count)
        return True
