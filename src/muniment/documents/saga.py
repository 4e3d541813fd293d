"""The ingestion of a version: parse, chunk, embed, index, and what is left when it stops."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

from prometheus_client import Counter, Histogram

from muniment.collections.contract import CollectionRef
from muniment.documents import copies, ingest_store, joint_store, registry
from muniment.documents.attaching import Enclosed, require_shallow, staged
from muniment.documents.base import UNKNOWN_TYPE, OfVersionJob, Parts, blob_key
from muniment.documents.contract import FileEmpty
from muniment.documents.copying import SLICE, Copying
from muniment.documents.embedder import Embedder
from muniment.documents.fields import Effective, Layer, effective, said_by
from muniment.documents.flipping import Flip
from muniment.documents.indexing import point_payload
from muniment.documents.ingest_store import AT_WORK, Work
from muniment.documents.joint import Came, Joint, Small
from muniment.documents.joint_store import Noted
from muniment.documents.parsing.model import Chunked, Parsed
from muniment.documents.parsing.pool import Parsers
from muniment.documents.pieces import pieces_of
from muniment.documents.slack import give_back
from muniment.documents.target import Target, Targets
from muniment.documents.together import Lines, Together
from muniment.kernel.deadline import MOST_SECONDS, deadline
from muniment.kernel.guard import only_problems
from muniment.kernel.jobs import Job
from muniment.kernel.problems import Problem, Unavailable

_SHORT_CHARACTERS = 200_000
"""A text up to this is chunked in the breath in which it was parsed: one commit notes both."""

_MANY_CHUNKS = 5_000

_STARTS = 64
"""Jobs that are looked up at once."""

_LARGE_BYTES = 1_000_000
"""From here on a file is one of few at a time: its text and all that is made of it are held in memory."""

_failed = Counter("muniment_documents_failed", "Versions that were given up.", ["problem"])
_seconds = Histogram("muniment_documents_step_seconds", "How long the steps of an ingestion take.", ["step"])


class Draft(NamedTuple):
    """A version that is chunked: what goes into the index."""

    version: str
    title: str
    seen: Effective
    chunks: int
    indexed: int
    encloses: bool
    """Whether there are attachments, which become documents with the flip."""

    is_current: bool = False
    """Whether nothing is left to be done."""


class _Start(NamedTuple):
    """What an ingestion starts from; no target where nothing is to be done."""

    work: Work | None
    ref: CollectionRef | None
    target: Target | None


class Ingestion:
    """Handles the job `ingest`. Each step can be repeated; what is done already is not done again."""

    def __init__(self, parts: Parts, parsers: Parsers, targets: Targets) -> None:
        self._parts, self._parsers, self._targets = parts, parsers, targets
        self._database, self._indexing = parts.database, parts.indexing
        self._embedder = Embedder(parts.embedding, parts.indexing.vectors)
        self._flip = Flip(parts, Copying(parts, parsers, targets))
        self._joint = Joint(parts)
        self._starts: Lines[str, Job, _Start | None] = Lines(
            lambda: Together(self._started, weight=lambda _: 1, most=_STARTS, places=1, failed=None)
        )
        self._few: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def ingest(self, job: Job) -> None:
        """Go on where the version stands; a problem is noted on it, and when it is final ends it."""
        version = OfVersionJob.model_validate(job.request).version
        try:
            async with only_problems("the ingestion"):
                await self._ingest(job, version)
        except Problem as problem:
            await self._stopped(job, version, problem)
            raise

    async def _ingest(self, job: Job, version: str) -> None:
        work, ref, target = await self._starting(job)
        if work is None:
            # Whoever was cut off here may have written points after those of the document were removed.
            await self._gone(job, version, () if ref is None else [index.name for index in ref.written])
            return
        if target is None:
            return  # it is done, or its documents are being purged
        if work.version.index_name != target.index_name:
            work = await self._rewound(work)
        async with self._room(job, work):
            await self._brought(job, work, target)

    def _room(self, job: Job, work: Work) -> AbstractAsyncContextManager[None]:
        """Of large files few of a collection are at work, so that others' need not wait for all of them."""
        if work.version.size_bytes <= _LARGE_BYTES:
            return nullcontext()
        most = -(-self._parts.settings.ingest_at_once // 4)
        return self._few.setdefault(job.subject, asyncio.Semaphore(most))

    async def _starting(self, job: Job) -> _Start:
        """What there is to do; jobs of one collection that start at the same time look it up together."""
        return await self._starts.take(job.subject, job) or (await self._started([job]))[0]

    async def _started(self, some: Sequence[Job]) -> list[_Start]:
        wanted = [OfVersionJob.model_validate(job.request).version for job in some]
        async with self._database.read() as connection:
            works = await joint_store.works(connection, wanted)
        ref = await self._targets.collection(some[0].subject)
        targets: dict[str, Target] = {}
        starts: list[_Start] = []
        for version in wanted:
            work, target = works.get(version), None
            if work is not None and ref is not None and work.version.state in AT_WORK:
                named = (index for index in ref.written if index.name == work.version.index_name)
                index = next(named, ref.index)
                if index.name not in targets:
                    targets[index.name] = await self._targets.at(ref, index)
                target = targets[index.name]
            starts.append(_Start(work, ref, target))
        return starts

    async def _brought(self, job: Job, work: Work, target: Target) -> None:
        """From where the version stands to where it is current."""
        draft = await self._draft(job, work, target)
        if draft is not None and draft.is_current:
            return
        if (
            draft is None
            or not await self._index(job, work, target, draft)
            or not await self._flip.flip(job, work, target, await self._enclosed(work, draft))
        ):
            await self._gone(job, work.version.id, [target.index_name])

    async def _rewound(self, work: Work) -> Work:
        """What was chunked for an index that was dropped since is begun anew."""
        version = work.version
        if version.state in {"received", "parsed"}:
            return work
        async with self._database.write() as connection:
            await copies.strip(connection, self._parts.jobs, [version], work.document.collection)
            await ingest_store.drop_text(connection, version.id)
            await ingest_store.step(connection, version.id, {"state": "received"})
            fresh = await ingest_store.work(connection, version.id)
        return fresh or work

    async def _draft(self, job: Job, work: Work, target: Target) -> Draft | None:
        """The chunks, made or read; none when the version is gone."""
        version = work.version
        if version.state in {"received", "parsed"}:
            parsed = await self._parsed(work)
            return None if parsed is None else await self._chunked(job, work, target, parsed)
        return Draft(
            version=version.id,
            title=version.title,
            seen=registry.seen(work.document, version),
            chunks=version.chunks,
            indexed=version.indexed_chunks,
            encloses=_encloses(Layer.model_validate(version.said)),
        )

    async def _parsed(self, work: Work) -> Parsed | None:
        """The text, parsed or read; none when the version is gone."""
        version = work.version
        if version.state == "parsed":
            async with self._database.read() as connection:
                return await ingest_store.parsed_text(connection, version.id)
        with _seconds.labels("parse").time():
            # Attachments are read once more when their time comes: until then nobody is to hold their bytes.
            parsed = (await self._read(work)).model_copy(update={"attachments": ()})
        if _is_long(parsed):
            async with self._database.write() as connection:
                if not await ingest_store.step(connection, version.id, {"state": "parsed"}):
                    return None
                await ingest_store.put_text(connection, version.id, parsed)
        return parsed

    async def _read(self, work: Work) -> Parsed:
        version, blobs, key = work.version, self._parts.blobs, blob_key(work.version.id)
        if work.document.attached_to is not None:
            async with self._database.read() as connection:
                await require_shallow(connection, work.document, self._parts.settings.parser_nesting)
        if not await blobs.exists(key):  # whoever uploaded it was cut off after the commit
            await blobs.adopt(version.staged, key)
        path = await blobs.path(key)
        async with deadline(MOST_SECONDS):
            return await self._parsers.parse(path, name=version.name, media_type=version.media_type)

    async def _enclosed(self, work: Work, draft: Draft) -> Sequence[Enclosed]:
        """The attachments, staged; what an attempt that is cut off has staged is swept."""
        return await staged(self._parts.blobs, (await self._read(work)).attachments) if draft.encloses else ()

    async def _chunked(self, job: Job, work: Work, target: Target, parsed: Parsed) -> Draft | None:
        version, said = work.version, said_by(parsed)
        layers = Layer.model_validate(version.options), Layer.model_validate(work.document.patched)
        seen = effective(work.document.key, said=said, options=layers[0], patched=layers[1])
        with _seconds.labels("chunk").time():
            async with deadline(MOST_SECONDS):
                chunked = await self._parsers.chunk(
                    parsed,
                    title=seen.title,
                    tokenizer=target.tokenizer,
                    max_tokens=target.max_tokens,
                    recipe=target.recipe,
                )
        if not chunked.chunks:
            raise FileEmpty("the file holds no text")
        values = {
            "state": "chunked",
            "said": said.model_dump(mode="json"),
            "media_type": parsed.media_type if version.media_type == UNKNOWN_TYPE else version.media_type,
            "title": seen.title,
            "index_name": target.index_name,
            "chunks": len(chunked.chunks),
            "indexed_chunks": 0,
            "acl_version": work.document.acl_version,
        }
        draft = Draft(version.id, seen.title, seen, len(chunked.chunks), indexed=0, encloses=_encloses(said))
        came = Came.NOWHERE
        if work.document.current is None and draft.chunks <= SLICE and not _is_long(parsed) and not draft.encloses:
            pieces = pieces_of(chunked.chunks, title=seen.title, text=parsed.text)
            noted = Noted(job.id, version.id, values, parsed, chunked, pieces)
            came = await self._joint.ingest(Small(job, work, target, seen, noted))
        if came is Came.NOWHERE and not await self._noted(job, draft, values, parsed, chunked):
            came = Came.GONE
        if came is Came.GONE:
            return None
        indexed = draft.chunks if came in {Came.INDEXED, Came.CURRENT} else 0
        return draft._replace(indexed=indexed, is_current=came is Came.CURRENT)

    async def _noted(
        self, job: Job, draft: Draft, values: Mapping[str, Any], parsed: Parsed, chunked: Chunked
    ) -> bool:
        """False when the version is gone."""
        async with self._database.write() as connection:
            there = await joint_store.versions_of(connection, [draft.version])
            if any(row.state == "chunked" for row in there.values()):
                return True  # noted with others, by one who was cut off before these heard of it
            if not await ingest_store.step(connection, draft.version, values):
                return False
            if not _is_long(parsed):
                await ingest_store.put_text(connection, draft.version, parsed)
            await ingest_store.put_chunks(connection, draft.version, chunked, title=draft.title, text=parsed.text)
            await ingest_store.progress(connection, job.id, 0, draft.chunks)
            return True

    async def _index(self, job: Job, work: Work, target: Target, draft: Draft) -> bool:
        """Embed and upsert, slice by slice; false when the version is gone."""
        payload = point_payload(work.document, draft.seen, work.version)
        if draft.chunks - draft.indexed > _MANY_CHUNKS:  # its text and all that was made of it are let go by now
            await asyncio.to_thread(give_back)
        known: dict[str, UUID] = {}
        if work.document.current is not None and draft.indexed < draft.chunks:
            async with self._database.read() as connection:
                known = await ingest_store.embedded_before(connection, work.document.id, target.index_name)
        for start in range(draft.indexed, draft.chunks, SLICE):
            end, last = min(start + SLICE, draft.chunks), start + SLICE >= draft.chunks
            async with self._database.read() as connection:
                pieces = await ingest_store.pieces(connection, draft.version, range(start, end))
            if not pieces:
                return False
            with _seconds.labels("embed").time():
                texts, vectors = await self._embedder.vectors(target, draft.title, pieces, known)
            if last and start and not await self._note(job, draft, "embedded", start):
                return False
            with _seconds.labels("index").time():
                await self._embedder.upsert(
                    target, draft.version, pieces, texts=texts, vectors=vectors, payload=payload
                )
            # What is done in one slice is noted by the flip: a commit costs more than the step.
            if (start or not last) and not await self._note(job, draft, "indexed" if last else "chunked", end):
                return False
        return True

    async def _note(self, job: Job, draft: Draft, state: str, done: int) -> bool:
        values = {"state": state, "indexed_chunks": done}
        async with self._database.write() as connection:
            is_there = await ingest_store.step(connection, draft.version, values)
            await ingest_store.progress(connection, job.id, done, draft.chunks)
            return is_there

    async def _gone(self, job: Job, version: str, indexes: Sequence[str]) -> None:
        """The document was deleted, or the run cancelled, meanwhile: leave nothing behind."""
        async with self._database.read() as connection:
            there = await registry.version(connection, version)
        if there is not None and there.state in {"current", "retired"}:
            return  # another worker was faster, and its points are ours
        for index in indexes:
            if there is None or there.state not in AT_WORK:
                await self._indexing.remove(index, "version", [version])
        async with self._database.write() as connection:
            there = await registry.version(connection, version)
            if there is not None and there.state in AT_WORK:
                raise Unavailable("the run was cancelled and taken up again meanwhile; it is tried again")
            await self._parts.jobs.cancel(connection, job.id)
        if there is None:
            await self._parts.blobs.delete(blob_key(version))

    async def _stopped(self, job: Job, version: str, problem: Problem) -> None:
        """Note the reason; a final one ends the version, and the older one stays current."""
        final = not problem.retryable or job.attempts >= job.max_attempts
        values = {"problem": problem.document()} | ({"state": "failed"} if final else {})
        async with self._database.write() as connection:
            work = await ingest_store.work(connection, version)
            if work is None or not await registry.change_version(connection, version, values, states=AT_WORK):
                return
            if final:
                await copies.given_up(connection, self._parts.jobs, work.version, work.document.collection)
        if final:
            _failed.labels(type(problem).__name__).inc()


def _is_long(parsed: Parsed) -> bool:
    return len(parsed.text) > _SHORT_CHARACTERS


def _encloses(said: Layer) -> bool:
    return bool(said.metadata.get("attachments"))
