"""Small new documents, ingested together: one commit, one call of model and engine for all that wait."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from prometheus_client import Histogram
from sqlalchemy.exc import IntegrityError

from muniment.documents import copies, joint_store, registry
from muniment.documents.base import DocumentChanged, Parts
from muniment.documents.embedder import points_of, texts_of
from muniment.documents.fields import Effective
from muniment.documents.flipping import ingested
from muniment.documents.indexing import made_at, modified_at, point_payload
from muniment.documents.ingest_store import AT_WORK, Work
from muniment.documents.joint_store import Current, Noted
from muniment.documents.target import Target
from muniment.documents.together import Lines, Together
from muniment.embedding.contract import EmbedPassages
from muniment.kernel.deadline import MOST_SECONDS, deadline
from muniment.kernel.guard import only_problems
from muniment.kernel.jobs import Job
from muniment.kernel.logs import get_logger
from muniment.kernel.model import now
from muniment.kernel.problems import Problem, Unavailable
from muniment.vectors.contract import Point, Upsert

MOST_CHUNKS = 64
"""Of all documents that are ingested together."""

_PLACES = 3
"""While the one group is in the model, the other is written down."""

_log = get_logger(__name__)
_documents = Histogram(
    "muniment_documents_together", "Small documents ingested together.", buckets=(1, 2, 4, 8, 16, 32, 64)
)


class Small(NamedTuple):
    """A new document that is chunked, of which nothing is noted yet."""

    job: Job
    work: Work
    target: Target
    seen: Effective
    noted: Noted


class Came(Enum):
    """How far a small document came."""

    NOWHERE = 0
    NOTED = 1
    INDEXED = 2
    CURRENT = 3
    GONE = 4
    """It was deleted, or its run cancelled."""


class Joint:
    """Does what `Ingestion` does step by step; whatever is unusual is left to it, from where it stands."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._database = parts, parts.database
        self._lines: Lines[tuple[str, str], Small, Came] = Lines(self._line)

    def _line(self) -> Together[Small, Came]:
        return Together(
            self._ingested,
            weight=lambda one: len(one.noted.pieces),
            most=MOST_CHUNKS,
            places=_PLACES,
            failed=Came.NOWHERE,
            left=self._left,
        )

    async def ingest(self, small: Small) -> Came:
        """With others of its collection that wait at the same time, if there are any."""
        return await self._lines.take((small.job.subject, small.target.index_name), small)

    async def _ingested(self, group: Sequence[Small]) -> list[Came]:
        """How far each came; one that fails, the others should not fail with: each goes on by itself."""
        _documents.observe(len(group))
        came = [Came.NOWHERE] * len(group)
        try:
            async with only_problems("ingesting small documents together"):
                came = await self._noted(group)
                some = [small for small, so_far in zip(group, came, strict=True) if so_far is Came.NOTED]
                if some:
                    await self._index(some)
                    came = [Came.INDEXED if so_far is Came.NOTED else so_far for so_far in came]
                    done = iter(await self._flipped(some))
                    came = [next(done) if so_far is Came.INDEXED else so_far for so_far in came]
        except Problem as problem:
            _log.info("not together", documents=len(group), problem=problem.document())
        ingested.inc(came.count(Came.CURRENT))
        return came

    async def _noted(self, group: Sequence[Small]) -> list[Came]:
        """Text and chunks, before any of their points: what is left behind is found by what is noted."""
        try:
            async with self._database.write() as connection:
                rows = await joint_store.versions_of(connection, [small.work.version.id for small in group])
                fresh = [
                    small
                    for small in group
                    if (row := rows.get(small.work.version.id)) is not None and row.state == "received"
                ]
                if fresh:
                    await joint_store.put_noted(connection, [small.noted for small in fresh])
        except IntegrityError as defect:
            raise Unavailable("another worker notes the same") from defect
        kept = {small.work.version.id for small in fresh}
        return [Came.NOTED if small.work.version.id in kept else Came.NOWHERE for small in group]

    async def _index(self, group: Sequence[Small]) -> None:
        """All or, where it raises, some of their points."""
        points: list[Point] = []
        for small in group:
            version = small.work.version
            points += points_of(
                version.id,
                small.noted.pieces,
                texts_of(small.seen.title, small.noted.pieces),
                language=small.target.language,
                payload=point_payload(small.work.document, small.seen, version),
            )
        target = group[0].target
        passages = EmbedPassages(model=target.model, texts=tuple(point.text for point in points))
        async with deadline(MOST_SECONDS):
            vectors = (await self._parts.embedding.embed_passages(passages)).vectors
            await self._parts.indexing.vectors.upsert(
                Upsert(index=target.index_name, points=tuple(points), vectors=vectors)
            )

    async def _flipped(self, group: Sequence[Small]) -> list[Came]:
        """One transaction makes all current whose points say what the tables say at that very moment."""
        async with self._database.write() as connection:
            documents = await joint_store.documents_of(connection, [small.work.document.id for small in group])
            rows = await joint_store.versions_of(connection, [small.work.version.id for small in group])
            copied = await joint_store.copied(connection, list(rows))
            written = set(await copies.written(connection, group[0].job.subject))
            came, current = list[Came](), list[Current]()
            for small in group:
                document, version = documents.get(small.work.document.id), rows.get(small.work.version.id)
                if document is None or version is None or version.state not in AT_WORK:
                    came.append(Came.GONE)
                    continue
                seen = registry.seen(document, version)
                usual = (
                    document.current is None
                    and document.id not in {one.document for one in current}  # of two versions, each by itself
                    and document.acl_version == version.acl_version
                    and seen.title == version.title
                    and version.id not in copied
                    and written <= {version.index_name}
                )
                came.append(Came.CURRENT if usual else Came.INDEXED)
                if usual:
                    at = max(now(), version.created_at)
                    times = {"created_at": made_at(document.id), "modified_at": modified_at(document, version)}
                    columns = {**registry.columns_of(seen, **times), "current": version.id}
                    current.append(Current(small.job.id, document.id, version, columns, at))
                    what = DocumentChanged(
                        id=document.id, collection=document.collection, key=document.key, version=version.number
                    )
                    await self._parts.outbox.put(connection, "document.created", what)
            if current:
                await joint_store.put_current(connection, current)
            return came

    async def _left(self, group: Sequence[Small]) -> None:
        """Whoever was cancelled meanwhile leaves no points, though they were written after it was cleared up."""
        async with self._database.read() as connection:
            rows = await joint_store.versions_of(
                connection, [small.work.version.id for small in group], lock=False
            )
        for small in group:
            row = rows.get(small.work.version.id)
            if row is None or row.state == "failed":
                await self._parts.indexing.remove(small.target.index_name, "version", [small.work.version.id])
