"""Whether tables, index and blobs say the same, and making them: the tables are the truth."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import HISTORY
from muniment.documents import registry
from muniment.documents.base import Base, OfDocumentJob, Retire, blob_key
from muniment.documents.contract import Discrepancy, DiscrepancyKind, Reconcile, Reconciled
from muniment.documents.copies import FILLING, STANDING
from muniment.documents.ingest_store import AT_WORK
from muniment.documents.store import documents, jobs, readers, versions
from muniment.kernel.blobs import BlobMissing
from muniment.kernel.caller import caller
from muniment.kernel.jobs import WorkerLost
from muniment.kernel.logs import get_logger
from muniment.kernel.model import Nothing
from muniment.vectors.contract import AnyOf, DeletePoints, Filter, IndexMissing, NoneOf, Range, TallyPoints

_log = get_logger(__name__)
_AT_ONCE = 200
_EXAMPLES = 10
_MOVING = (*AT_WORK, FILLING)
"""States in which points come and go."""

_NOW = ("current", STANDING)
"""States in which passages are, or stand ready to be, what is found now."""

_MOST_AT_WORK = 1000
"""With more versions at work than this, readers are not compared: their points cannot be told apart."""

_CURES: Mapping[DiscrepancyKind, str] = {
    "orphan-points": "removed from the index",
    "missing-points": "indexed again from the text that is kept",
    "wrong-readers": "told to the index again",
    "orphan-blobs": "deleted",
    "missing-blobs": "the original bytes are lost: upload the file again",
    "missing-history": "points of a replaced version are lost: it stays readable, and is no longer looked for",
    "late-history": "moved to the history index",
    "stuck-versions": "ended as failed: retry their runs, or upload them again",
}


class Suspect(NamedTuple):
    """Something that does not fit: of which kind, the version or document or token, and in which index."""

    kind: DiscrepancyKind
    id: str
    where: str = ""


class _Facts(NamedTuple):
    """What the tables say."""

    versions: Mapping[str, Any]
    """Rows by id."""

    moving: frozenset[str]
    """Versions and documents that an open job is about to change in the index."""


class Reconciling(Base):
    """The use case `reconcile`."""

    async def reconcile(self, request: Reconcile) -> Reconciled:
        """Looked at twice: what is on its way is no discrepancy."""
        caller().require("collections:admin")
        first, looked_at = await self._look()
        found = first & (await self._look())[0] if first else first
        by_kind: dict[DiscrepancyKind, list[Suspect]] = defaultdict(list)
        for suspect in sorted(found):
            by_kind[suspect.kind].append(suspect)
        if request.repair:
            await self._repair(by_kind)
        told = tuple(
            Discrepancy(
                kind=kind,
                count=len(some),
                examples=tuple(suspect.id for suspect in some[:_EXAMPLES]),
                cure=_CURES[kind],
            )
            for kind, some in sorted(by_kind.items())
        )
        for discrepancy in told:
            _log.warning("discrepancy", kind=discrepancy.kind, count=discrepancy.count, repaired=request.repair)
        return Reconciled(**looked_at, discrepancies=told, repaired=request.repair)

    async def _look(self) -> tuple[set[Suspect], dict[str, int]]:
        """All that does not fit at this moment, and how much was looked at."""
        vectors = self._parts.indexing.vectors
        held: dict[str, dict[str, int]] = {}
        for status in (await vectors.status(Nothing())).indexes:
            held[status.name] = (await vectors.tally(TallyPoints(index=status.name, field="version"))).counts
        try:
            blobs = {key.rpartition("/")[2] for key in await self._parts.blobs.keys("documents")}
        except BlobMissing:
            blobs = set()
        facts = await self._facts()
        found = {*_points(held, facts), *_blobs(blobs, facts)}
        async with self._database.read() as connection:
            open_jobs = select(jobs.c.id).where(jobs.c.state.in_(("queued", "running")))
            stuck = select(versions.c.id).where(versions.c.state.in_(AT_WORK), versions.c.run.not_in(open_jobs))
            found |= {Suspect("stuck-versions", id_) for id_ in (await connection.scalars(stuck)).all()}
            total = int(await connection.scalar(select(func.count()).select_from(documents)) or 0)
        for index in held:
            found |= await self._readers(index, facts)
        looked_at = {
            "documents": total,
            "versions": sum(row.copy_of is None for row in facts.versions.values()),
            "points": sum(sum(counts.values()) for counts in held.values()),
            "blobs": len(blobs),
        }
        return found, looked_at

    async def _facts(self) -> _Facts:
        columns = (
            versions.c.id,
            versions.c.document,
            versions.c.state,
            versions.c.chunks,
            versions.c.index_name,
            versions.c.current_from,
            versions.c.copy_of,
        )
        moves = ("retire", "clean", "purge", "reindex", "access")
        open_moves = select(jobs.c.request).where(jobs.c.state.in_(("queued", "running")), jobs.c.kind.in_(moves))
        async with self._database.read() as connection:
            rows = (await connection.execute(select(*columns))).all()
            requests = (await connection.scalars(open_moves)).all()
        moving: set[str] = set()
        for request in requests:
            moving |= {*request.get("versions", ()), request.get("version", ""), request.get("document", "")}
        return _Facts({row.id: row for row in rows}, frozenset(moving))

    async def _readers(self, index: str, facts: _Facts) -> set[Suspect]:
        """Documents whose points in the index are open to others than the tables say."""
        at_work = [row.id for row in facts.versions.values() if row.state in _MOVING]
        if len(at_work) > _MOST_AT_WORK:
            return set()
        settled: Filter = (NoneOf(field="version", values=tuple(at_work)),) if at_work else ()
        counted = await self._tally(index, "readers", settled)
        in_force = and_(versions.c.state.in_((*_NOW, "retired")), versions.c.current_from.is_not(None))
        said = (
            select(readers.c.token, func.sum(versions.c.chunks))
            .join(versions, versions.c.document == readers.c.document)
            .where(in_force, versions.c.index_name == index)
            .group_by(readers.c.token)
        )
        async with self._database.read() as connection:
            expected = {row[0]: int(row[1]) for row in await connection.execute(said)}
        found: set[Suspect] = set()
        for token in sorted(counted.keys() | expected.keys()):
            if counted.get(token, 0) == expected.get(token, 0):
                continue
            of_token: Filter = (*settled, AnyOf(field="readers", values=(token,)))
            points = await self._tally(index, "document", of_token)
            named = (
                select(versions.c.document, func.sum(versions.c.chunks))
                .join(readers, readers.c.document == versions.c.document)
                .where(in_force, versions.c.index_name == index, readers.c.token == token)
                .group_by(versions.c.document)
            )
            async with self._database.read() as connection:
                wanted = {row[0]: int(row[1]) for row in await connection.execute(named)}
                there = set((await connection.scalars(select(documents.c.id))).all())
            wrong = {d for d in points.keys() | wanted.keys() if points.get(d, 0) != wanted.get(d, 0)}
            found |= {Suspect("wrong-readers", d, index) for d in (wrong & there) - facts.moving}
        return found

    async def _tally(self, index: str, field: str, filter_: Filter) -> dict[str, int]:
        asked = TallyPoints.model_validate({"index": index, "field": field, "filter": filter_})
        return (await self._parts.indexing.vectors.tally(asked)).counts

    async def _repair(self, found: Mapping[DiscrepancyKind, Sequence[Suspect]]) -> None:
        """What is to be embedded or told again goes its usual way, by jobs."""
        indexing = self._parts.indexing
        for index, ids in _by_index(found.get("orphan-points", ())).items():
            for some in _slices(ids):
                await indexing.remove(index, "version", some)
        for suspect in found.get("orphan-blobs", ()):
            await self._parts.blobs.delete(blob_key(suspect.id))
        await self._index_again([suspect.id for suspect in found.get("missing-points", ())])
        await self._retire(found.get("late-history", ()))
        for index, ids in _by_index(found.get("missing-history", ())).items():
            for some in _slices(ids):
                await self._accept_loss(index, some)
        wrong = [suspect.id for suspect in found.get("wrong-readers", ())]
        stuck = [suspect.id for suspect in found.get("stuck-versions", ())]
        lost = WorkerLost("its work was lost; retry its run, or upload it again").document()
        async with self._database.write() as connection:
            for some in _slices(wrong):
                stale = update(documents).where(documents.c.id.in_(some))
                await connection.execute(stale.values(indexed_acl=documents.c.acl_version - 1))
                rows = (await connection.execute(select(documents).where(documents.c.id.in_(some)))).all()
                for row in rows:
                    await self._enqueue_for(connection, "access", row)
            for some in _slices(stuck):
                ended = update(versions).where(versions.c.id.in_(some), versions.c.state.in_(AT_WORK))
                await connection.execute(ended.values(state="failed", problem=lost))

    async def _index_again(self, version_ids: Sequence[str]) -> None:
        """Reindex the documents; points beyond what the version has are removed first."""
        async with self._database.read() as connection:
            query = select(versions).where(versions.c.id.in_(version_ids), versions.c.state.in_(_NOW))
            rows = (await connection.execute(query)).all()
        for row in rows:
            beyond = (
                AnyOf(field="version", values=(row.id,)),
                Range(field="chunk", gte=float(row.chunks)),
            )
            with suppress(IndexMissing):  # it is made anew
                await self._parts.indexing.vectors.delete(DeletePoints(index=row.index_name, filter=beyond))
        ids = sorted({row.document for row in rows})
        async with self._database.write() as connection:
            for some in _slices(ids):
                found = (await connection.execute(select(documents).where(documents.c.id.in_(some)))).all()
                for row in found:
                    await self._enqueue_for(connection, "reindex", row)

    async def _accept_loss(self, index: str, version_ids: Sequence[str]) -> None:
        """Replaced versions whose points are lost: their vectors are known to nobody any more."""
        await self._parts.indexing.remove(index, "version", version_ids)
        async with self._database.write() as connection:
            lost = update(versions).where(versions.c.id.in_(version_ids), versions.c.state == "retired")
            await connection.execute(lost.values(index_name=None))

    async def _retire(self, late: Sequence[Suspect]) -> None:
        async with self._database.write() as connection:
            for suspect in late:
                version = await registry.version(connection, suspect.id)
                document = version and await registry.document(connection, version.document)
                if version is not None and document is not None:
                    job = Retire(document=document.id, version=version.id, index=suspect.where)
                    await self._jobs.enqueue(connection, "retire", job, subject=document.collection)

    async def _enqueue_for(self, connection: AsyncConnection, kind: str, row: Row[Any]) -> None:
        job = OfDocumentJob(document=row.id)
        await self._jobs.enqueue(connection, kind, job, subject=row.collection)


def _points(held: Mapping[str, Mapping[str, int]], facts: _Facts) -> Iterator[Suspect]:
    """Versions with points that they should not have, or without those that they should."""
    for index, counts in held.items():
        for version in counts:
            row = facts.versions.get(version)
            settled = version not in facts.moving and (row is None or row.state not in _MOVING)
            if settled and (row is None or not _is_searched(row) or row.index_name != index):
                yield Suspect("orphan-points", version, index)
    for row in facts.versions.values():
        if (
            not _is_searched(row)
            or row.index_name is None
            or row.id in facts.moving
            or row.document in facts.moving
        ):
            continue
        if held.get(row.index_name, {}).get(row.id, 0) != row.chunks:
            yield Suspect("missing-points" if row.state in _NOW else "missing-history", row.id, row.index_name)
        elif row.state == "retired" and not row.index_name.endswith(HISTORY):
            yield Suspect("late-history", row.id, row.index_name)


def _is_searched(row: Any) -> bool:
    """Whether the version is to be found: now, or as of its time. One that was overtaken at work never is."""
    if row.state == "retired":
        return row.current_from is not None
    return row.state in _NOW


def _blobs(blobs: Collection[str], facts: _Facts) -> Iterator[Suspect]:
    """Bytes of nothing, and versions without their bytes; one that was just received may still be adopted."""
    for id_ in blobs:
        if id_ not in facts.versions and id_ not in facts.moving:
            yield Suspect("orphan-blobs", id_)
    for row in facts.versions.values():
        if row.id not in blobs and row.copy_of is None and row.state in {"current", "retired"}:
            yield Suspect("missing-blobs", row.id)


def _by_index(suspects: Sequence[Suspect]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for suspect in suspects:
        found[suspect.where].append(suspect.id)
    return found


def _slices(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
