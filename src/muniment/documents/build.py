"""Builds the room: its tables, its parsers, and the workers that ingest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from muniment.collections.contract import Collections
from muniment.documents.base import DocumentsSettings, Parts
from muniment.documents.building import Building
from muniment.documents.contract import Documents
from muniment.documents.copying import Copying
from muniment.documents.history import History
from muniment.documents.indexing import Indexing
from muniment.documents.parsing.pool import Parsers, parsers
from muniment.documents.reindexing import Reindexing
from muniment.documents.saga import Ingestion
from muniment.documents.service import SqlDocuments
from muniment.documents.store import MIGRATIONS, jobs, outbox
from muniment.documents.target import Targets
from muniment.documents.upkeep import Upkeep
from muniment.embedding.contract import Embedding
from muniment.identity.contract import Identity
from muniment.kernel.house import Ground
from muniment.kernel.jobs import Jobs, Worker
from muniment.kernel.outbox import Outbox
from muniment.vectors.contract import Vectors

_ATTEMPTS = 12
"""How often a job is tried; with its backoff that is about half an hour."""


@asynccontextmanager
async def build(
    settings: DocumentsSettings,
    ground: Ground,
    *,
    identity: Identity,
    collections: Collections,
    embedding: Embedding,
    vectors: Vectors,
) -> AsyncIterator[Documents]:
    """The room, with its worker, dispatcher and sweep in the background; parsers start when first needed."""
    async with ground.database("documents", MIGRATIONS) as database, parsers(settings) as pool:
        parts = Parts(
            settings=settings,
            data=ground.data,
            database=database,
            jobs=Jobs(database, jobs, prefix="run_documents", max_attempts=_ATTEMPTS),
            outbox=Outbox(database, outbox),
            blobs=ground.blobs,
            identity=identity,
            collections=collections,
            embedding=embedding,
            indexing=Indexing(database, vectors),
            parsers=pool,
        )
        if database.dialect == "sqlite":
            # The data folder's lock shows that no other process works on this file.
            await parts.jobs.end_leases()
        async with (
            ground.dispatching(parts.outbox),
            ground.running("documents", worker(parts, pool).run),
            ground.running("documents", Upkeep(parts).sweep),
        ):
            yield SqlDocuments(parts)


def worker(parts: Parts, pool: Parsers) -> Worker:
    """Does the room's jobs; several documents at a time, so that their chunks are embedded together."""
    targets = Targets(parts.collections, parts.embedding, parts.indexing.vectors)
    upkeep, building = Upkeep(parts), Building(parts, Copying(parts, pool, targets))
    return Worker(
        parts.jobs,
        {
            "ingest": Ingestion(parts, pool, targets).ingest,
            "reindex": Reindexing(parts, pool, targets).reindex,
            "access": upkeep.access,
            "clean": upkeep.clean,
            "build-index": building.build,
            "clear-index": building.clear,
            "retire": History(parts).retire,
            "purge": upkeep.purge,
        },
        concurrency=parts.settings.ingest_at_once,
    )
