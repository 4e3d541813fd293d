"""The transaction of an upload: documents, versions, readers, jobs and runs, all or none."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import CollectionMissing, CollectionRef
from muniment.documents import access, ingest_store, registry, run_store
from muniment.documents.base import OfDocumentJob, OfVersionJob, Parts, RunChanged
from muniment.documents.changes import rewrite
from muniment.documents.contract import KeyTaken, Uploaded, UploadedDocument
from muniment.documents.deciding import Wanted, decide, overridden, regranted
from muniment.documents.fields import Layer, effective
from muniment.documents.store import documents, readers, uploads, versions
from muniment.kernel.caller import Caller
from muniment.kernel.ids import new_id
from muniment.kernel.model import now
from muniment.kernel.problems import Forbidden, Invalid, Problem


class Taking:
    """One attempt at taking an upload's documents; its attributes are what came of it, once it is committed."""

    def __init__(self, parts: Parts, collection: CollectionRef, who: Caller) -> None:
        self._parts, self._collection, self._who = parts, collection, who
        self._at = now()
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._batch = new_id("run_documents")
        self._runs: list[dict[str, Any]] = []
        self.answers: dict[int, UploadedDocument] = {}
        self.refused: dict[int, Problem] = {}
        self.adopted: dict[str, str] = {}
        """Versions by the staged blob that is theirs."""
        self.changed: list[str] = []
        """Documents that the index has to hear of before the answer."""

    async def take(self, connection: AsyncConnection, checked: Sequence[Wanted | Problem]) -> Uploaded:
        """Do all that is to be done in SQL."""
        if await registry.purged(connection, self._collection.id):
            name = self._collection.name
            raise CollectionMissing(f"no collection {name} that you may see", collection=name)
        for place, entry in enumerate(checked):
            if isinstance(entry, Problem):
                self._refuse(place, entry.extra.get("key"), entry)
        await self._write(connection, [entry for entry in checked if isinstance(entry, Wanted)])
        run = await self._put_runs(connection)
        return Uploaded(run=run, documents=tuple(self.answers[place] for place in range(len(checked))))

    async def _write(self, connection: AsyncConnection, checked: Sequence[Wanted]) -> None:
        for some in _rounds(checked):
            rows = await registry.by_key(connection, self._collection.id, some, lock=True)
            history = await registry.versions_of(connection, (row.id for row in rows.values()))
            self._rows = {"documents": [], "readers": [], "versions": []}
            for key, wanted in some.items():
                row = rows.get(key)
                try:
                    await self._one(connection, wanted, row, history[row.id] if row else [])
                except (Forbidden, KeyTaken) as problem:
                    self._refuse(wanted.place, key, problem)
            for table in (documents, readers, versions):
                name = "readers" if table is readers else table.name
                if self._rows[name]:
                    await connection.execute(insert(table), self._rows[name])

    def _refuse(self, place: int, key: str | None, problem: Problem) -> None:
        self.refused[place] = problem
        self.answers[place] = UploadedDocument(id=None, key=key, version=None, problem=problem.document())

    async def _one(
        self, connection: AsyncConnection, wanted: Wanted, row: Row[Any] | None, history: Sequence[Row[Any]]
    ) -> None:
        if row is None:
            await self._create(connection, wanted)
            return
        if wanted.attached_to is None:
            self._require_rights(wanted, row)
        decision = decide(wanted, row, history)
        moved = await self._regrant(connection, wanted, row)
        number, run = history[-1].number, None
        match decision.what:
            case "version":
                number += 1
                version = new_id("ver")
                run = await self._enqueue(connection, "ingest", row.id, version)
                self._rows["versions"].append(self._version(wanted, row.id, version, number, run))
                await registry.change(connection, row.id, {"latest": version})
            case "again":
                assert decision.version is not None
                run = await self._again(connection, wanted, row.id, decision.version)
            case "fields":
                assert decision.version is not None
                number = decision.version.number
                run = await self._relabel(connection, wanted, row, decision.version)
                moved = True
            case _:
                assert decision.version is not None
                number = decision.version.number
        if moved:
            await self._changed(connection, row)
        duplicate = decision.what == "duplicate" and not moved
        self._answer(wanted, row.id, number, run, duplicate=duplicate)

    async def _changed(self, connection: AsyncConnection, row: Row[Any]) -> None:
        """See to it that the index hears of a document's change."""
        self.changed.append(row.id)
        job = OfDocumentJob(document=row.id)
        await self._parts.jobs.enqueue(connection, "access", job, subject=row.collection)

    def _answer(
        self, wanted: Wanted, document: str, number: int, run: str | None, *, duplicate: bool = False
    ) -> None:
        self.answers[wanted.place] = UploadedDocument(
            id=document, key=wanted.key, version=number, duplicate=duplicate, run=run
        )

    def _require_rights(self, wanted: Wanted, row: Row[Any]) -> None:
        facts = access.holding(row)
        if not access.may_read(facts, self._who):
            raise KeyTaken(f"the key {wanted.key} is taken; choose another one", key=wanted.key)
        if not access.may_write(facts, self._who, self._collection):
            raise Forbidden(
                f"you may read {wanted.key} but not replace it; its owner or a manager of the collection may",
                key=wanted.key,
            )

    async def _create(self, connection: AsyncConnection, wanted: Wanted) -> None:
        document, version = new_id("doc"), new_id("ver")
        own = access.Holding(self._collection.id, self._who.principal, self._collection.access_level, ())
        facts = regranted(wanted, own)
        seen = effective(wanted.key, said=Layer(), options=wanted.layer, patched=Layer())
        self._rows["documents"].append(
            {
                "id": document,
                "collection": facts.collection,
                "key": wanted.key,
                "owner": facts.owner,
                "access_level": facts.level,
                "grants": list(facts.grants),
                "acl_version": 1,
                "indexed_acl": 1,
                "patched": Layer().model_dump(),
                "current": None,
                "latest": version,
                "attached_to": wanted.attached_to,
                **registry.columns_of(seen, created_at=self._at, modified_at=self._at),
            }
        )
        self._rows["readers"] += registry.reader_rows(document, facts)
        run = await self._enqueue(connection, "ingest", document, version)
        self._rows["versions"].append(self._version(wanted, document, version, 1, run))
        self._answer(wanted, document, 1, run)

    def _version(self, wanted: Wanted, document: str, version: str, number: int, run: str) -> dict[str, Any]:
        self.adopted[wanted.staged.key] = version
        return {
            "id": version,
            "document": document,
            "number": number,
            "state": "received",
            "run": run,
            "staged": wanted.staged.key,
            "sha256": wanted.staged.sha256,
            "size_bytes": wanted.staged.size_bytes,
            "name": wanted.name,
            "media_type": wanted.media_type,
            "options": wanted.layer.model_dump(),
            "said": Layer().model_dump(),
            "created_at": self._at,
            "chunks": 0,
            "indexed_chunks": 0,
            "acl_version": 0,
        }

    async def _again(self, connection: AsyncConnection, wanted: Wanted, document: str, version: Row[Any]) -> str:
        """A failed version from its start, with what is said of it now."""
        await run_store.supersede(connection, version.run)
        run = await self._enqueue(connection, "ingest", document, version.id)
        await ingest_store.drop_text(connection, version.id)
        fresh = self._version(wanted, document, version.id, version.number, run) | {"problem": None}
        for name in ("id", "created_at", "acl_version"):
            del fresh[name]
        await registry.change_version(connection, version.id, fresh)
        return run

    async def _relabel(
        self, connection: AsyncConnection, wanted: Wanted, row: Row[Any], version: Row[Any]
    ) -> str | None:
        """Other fields for the same bytes; a run only if that means work."""
        options = wanted.layer.model_dump()
        await registry.change_version(connection, version.id, {"options": options})
        patched = overridden(Layer.model_validate(row.patched), wanted.layer)
        locked = await registry.document(connection, row.id)
        assert locked is not None
        reindex = await rewrite(connection, locked, patched)
        return await self._enqueue(connection, "reindex", row.id, None) if reindex else None

    async def _regrant(self, connection: AsyncConnection, wanted: Wanted, row: Row[Any]) -> bool:
        """Whether the upload changes who may read; what it says holds for the attachments as well."""
        if wanted.level is None and wanted.owner is None and wanted.grants is None:
            return False
        for attachment in await registry.attached(connection, row.id):
            if await self._regranted(connection, wanted, attachment):
                await self._changed(connection, attachment)
        return await self._regranted(connection, wanted, row)

    async def _regranted(self, connection: AsyncConnection, wanted: Wanted, row: Row[Any]) -> bool:
        before = access.holding(row)
        after = regranted(wanted, before)
        if after != before:
            await registry.regrant(connection, row, after)
        return after != before

    async def _enqueue(self, connection: AsyncConnection, kind: str, document: str, version: str | None) -> str:
        request = OfDocumentJob(document=document) if version is None else OfVersionJob(version=version)
        collection = self._collection.id
        run = await self._parts.jobs.enqueue(connection, kind, request, subject=collection)
        who = {"collection": collection, "principal": self._who.principal}
        self._runs.append({"id": run, "kind": kind, "document": document, "batch": None, **who})
        return run

    async def _put_runs(self, connection: AsyncConnection) -> str | None:
        """The run that ends when all that was begun here has ended."""
        if not self._runs:
            return None
        whole: str = self._runs[0]["id"]
        if len(self._runs) > 1:
            whole = self._batch
            for run in self._runs:
                run["batch"] = whole
            own = {name: self._runs[0][name] for name in ("collection", "principal")}
            self._runs.append({"id": whole, "kind": "batch", "document": None, "batch": None, **own})
        await run_store.put(connection, self._runs)
        event = RunChanged(id=whole, kind=self._runs[-1]["kind"], state="queued")
        await self._parts.outbox.put(connection, "task.run.changed", event)
        return whole


def _rounds(wanted: Iterable[Wanted]) -> Iterator[Mapping[str, Wanted]]:
    """In order, and no key twice in one round: a key's second document is a version after its first."""
    left = list(wanted)
    while left:
        first: dict[str, Wanted] = {}
        rest = [entry for entry in left if first.setdefault(entry.key, entry) is not entry]
        yield first
        left = rest


async def answered(connection: AsyncConnection, who: Caller, key: str, digest: str) -> Uploaded | None:
    """What was answered to the same upload before.

    Raises Invalid when the key was used for another one.
    """
    query = select(uploads).where(uploads.c.principal == who.principal, uploads.c.key == key)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    if row.digest != digest:
        reason = "was used for another upload; make a new key for each"
        raise Invalid(f"the Idempotency-Key {reason}", errors=[{"field": "Idempotency-Key", "reason": reason}])
    return Uploaded.model_validate(row.answer)


async def note(connection: AsyncConnection, who: Caller, key: str, digest: str, answer: Uploaded) -> None:
    """Keep an answer for whoever asks again."""
    row = {
        "principal": who.principal,
        "key": key,
        "digest": digest,
        "answer": answer.model_dump(mode="json"),
        "created_at": now(),
    }
    await connection.execute(insert(uploads), row)
