"""Indexing the current version of a document anew, in place: its title stands before every chunk."""

from muniment.documents import ingest_store, registry
from muniment.documents.base import OfDocumentJob, Parts
from muniment.documents.embedder import Embedder
from muniment.documents.indexing import point_payload
from muniment.documents.ingest_store import Work
from muniment.documents.parsing.model import Chunked
from muniment.documents.parsing.pool import Parsers
from muniment.documents.pieces import pieces_of, point_id
from muniment.documents.saga import SLICE
from muniment.documents.target import Target, Targets
from muniment.kernel.deadline import MOST_SECONDS, deadline
from muniment.kernel.jobs import Job
from muniment.vectors.contract import AnyOf, DeletePoints, Range


class Reindexing:
    """Handles the job `reindex`."""

    def __init__(self, parts: Parts, parsers: Parsers, targets: Targets) -> None:
        self._database, self._indexing = parts.database, parts.indexing
        self._parsers, self._targets = parsers, targets
        self._embedder = Embedder(parts.embedding, parts.indexing.vectors)

    async def reindex(self, job: Job) -> None:
        """Chunk, embed what changed, upsert; again when the title changed meanwhile."""
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
            parsed = await ingest_store.parsed_text(connection, row.current)
        target = await self._targets.of(row.collection)
        if work is None or parsed is None or target is None:
            return True
        async with deadline(MOST_SECONDS):
            chunked = await self._parsers.chunk(
                parsed,
                title=row.title,
                tokenizer=target.tokenizer,
                max_tokens=target.max_tokens,
                recipe=target.recipe,
            )
        if row.title != work.version.title:
            async with self._database.write() as connection:
                await registry.change_version(connection, row.current, {"indexed_chunks": 0})
        if not await self._indexed(work, target, chunked, parsed.text):
            return True
        done = await self._stored(job, work, chunked, parsed.text)
        if done is None:
            async with self._database.read() as connection:
                there = await registry.version(connection, row.current)
            if there is None:
                await self._indexing.remove(target.index_name, "version", [row.current])
        elif done and len(chunked.chunks) < work.version.chunks:
            await self._indexing.vectors.delete(
                DeletePoints(
                    index=target.index_name,
                    filter=(
                        AnyOf(field="version", values=(row.current,)),
                        Range(field="chunk", gte=float(len(chunked.chunks))),
                    ),
                )
            )
        return done is not False

    async def _indexed(self, work: Work, target: Target, chunked: Chunked, text: str) -> bool:
        """Put the chunks into the index; false when the version is no longer the current one."""
        version, title = work.version.id, work.document.title
        # Only what stays in its place: another point may have been written over before it is read. Nothing, while
        # an attempt with another title may have written over any of them.
        is_whole = work.version.indexed_chunks == work.version.chunks
        for start in range(0, len(chunked.chunks), SLICE):
            some = pieces_of(chunked.chunks[start : start + SLICE], title=title, text=text)
            async with self._database.read() as connection:
                before = await ingest_store.pieces(connection, version, range(start, start + len(some)))
            old = {piece.number: piece.hash for piece in before if is_whole}
            known = {
                piece.hash: point_id(version, piece.number)
                for piece in some
                if piece.hash == old.get(piece.number)
            }
            texts, vectors = await self._embedder.vectors(target, title, some, known)
            async with self._indexing.lock(work.document.id):
                async with self._database.read() as connection:
                    fresh = await ingest_store.work(connection, version)
                if fresh is None:
                    await self._indexing.remove(target.index_name, "version", [version])
                if fresh is None or fresh.document.current != version:
                    return False  # its points are for the job `retire` to move
                payload = point_payload(
                    fresh.document, registry.seen(fresh.document, fresh.version), fresh.version
                )
                await self._embedder.upsert(target, version, some, texts=texts, vectors=vectors, payload=payload)
        return True

    async def _stored(self, job: Job, work: Work, chunked: Chunked, text: str) -> bool | None:
        """Whether the chunks are kept; false when the title has changed again, None when they are not wanted."""
        version = work.version.id
        async with self._database.write() as connection:
            fresh = await registry.document(connection, work.document.id, lock=True)
            if fresh is None or fresh.current != version:
                return None
            if fresh.title != work.document.title:
                return False
            await ingest_store.drop_chunks(connection, version)
            await ingest_store.put_chunks(connection, version, chunked, title=fresh.title, text=text)
            count = len(chunked.chunks)
            values = {"title": fresh.title, "chunks": count, "indexed_chunks": count}
            await registry.change_version(connection, version, values)
            await ingest_store.progress(connection, job.id, count, count)
        return True
