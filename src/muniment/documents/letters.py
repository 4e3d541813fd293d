"""Dead letters: jobs that failed for good, and events that nobody took, until someone retries or drops them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, RowMapping, Select, exists, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import (
    OPERATOR,
    DeadLetter,
    DeadLetterMissing,
    ListDeadLetters,
    OfDeadLetter,
)
from muniment.documents import access, ingest_store, registry, run_store
from muniment.documents.base import Clean
from muniment.documents.contract import RunMissing
from muniment.documents.runs import Runs
from muniment.documents.store import documents, jobs, outbox, runs
from muniment.kernel.caller import caller
from muniment.kernel.jobs import Job, JobMissing
from muniment.kernel.model import Nothing, Page
from muniment.kernel.pages import decode_cursor, encode_cursor
from muniment.kernel.problems import Forbidden

_EVENTS, _LETTERS = "evt_", "evt_documents_"
_ROOM = "documents"


class _Letter(NamedTuple):
    """What a letter says, before names are looked up."""

    said: Mapping[str, Any]
    collection: str | None
    document: str | None


class Letters(Runs):
    """The use cases of dead letters. A job's letter has the id of its run, and is for those who see the run."""

    async def list_dead_letters(self, request: ListDeadLetters) -> Page[DeadLetter]:
        """Jobs, then for operators events; the newest first."""
        what, last = ("job", "") if request.cursor is None else decode_cursor(request.cursor, str, str)
        found: list[_Letter] = []
        following: tuple[str, str] | None = None
        async with self._database.read() as connection:
            if what == "job":
                rows = (await connection.execute(_jobs(request, last))).all()
                found = [_of_job(row) for row in rows[: request.limit]]
                following = ("job", rows[request.limit - 1].id) if len(rows) > request.limit else None
                last = ""
            if following is None and not OPERATOR.isdisjoint(caller().scopes):
                room = request.limit - len(found)
                events = await self._dead_events(connection, request.kind, last, room + 1)
                found += [_of_event(row) for row in events[:room]]
                if len(events) > room:
                    following = ("event", events[room - 1]["id"] if room else last)
        return Page(
            items=await self._letters(found), next_cursor=None if following is None else encode_cursor(*following)
        )

    async def _dead_events(
        self, connection: AsyncConnection, kind: str | None, before: str, limit: int
    ) -> Sequence[RowMapping]:
        where = [outbox.c.type == kind] if kind is not None else []
        where += [outbox.c.id < before] if before else []
        return await self._outbox.dead(connection, *where, limit=limit)

    async def _letters(self, found: Sequence[_Letter]) -> tuple[DeadLetter, ...]:
        """With the names of collections, and the keys of those documents that the caller may read."""
        names = await self._named({letter.collection for letter in found if letter.collection})
        wanted = {letter.document for letter in found if letter.document}
        async with self._database.read() as connection:
            rows = (await connection.execute(select(documents).where(documents.c.id.in_(wanted)))).all()
        keys = {row.id: row.key for row in rows if access.may_read(access.holding(row), caller())}
        return tuple(
            DeadLetter(
                room=_ROOM,
                collection=names.get(letter.collection or ""),
                document=letter.document,
                key=keys.get(letter.document or ""),
                **letter.said,
            )
            for letter in found
        )

    async def retry_dead_letter(self, request: OfDeadLetter) -> Nothing:
        """A job's as its run is retried."""
        if request.id.startswith(_LETTERS):
            async with self._database.write() as connection:
                if not await self._outbox.revive(connection, _event_of(request.id)):
                    raise _missing(request.id)
            return Nothing()
        await self._to_job(request.id)
        async with self._database.write() as connection:
            job = await self._jobs.get(connection, request.id)
            if job.state == "failed":
                await self._requeue(connection, job)
            elif job.state not in run_store.OPEN:
                raise _missing(request.id)
        return Nothing()

    async def drop_dead_letter(self, request: OfDeadLetter) -> Nothing:
        """Its run goes with it."""
        if request.id.startswith(_LETTERS):
            async with self._database.write() as connection:
                if not await self._outbox.drop(connection, _event_of(request.id)):
                    raise _missing(request.id)
            return Nothing()
        await self._to_job(request.id)
        async with self._database.write() as connection:
            job = await self._jobs.get(connection, request.id)
            if job.state != "failed":
                raise _missing(request.id)
            if job.kind == "purge":
                raise Forbidden("a deleted collection's purge cannot be dropped; retry it", dead_letter=job.id)
            if job.kind == "ingest":
                await self._abandon(connection, job)
            await run_store.forget(connection, [job.id])
        return Nothing()

    async def _abandon(self, connection: AsyncConnection, job: Job) -> None:
        """Leave of a version that it failed: its text, points and bytes go."""
        version = await registry.version(connection, str(job.request["version"]))
        if version is None or version.run != job.id or version.state in {"current", "retired"}:
            return  # an upload has begun it anew, or it is done
        values = {"state": "failed", "problem": job.problem}
        await registry.change_version(connection, version.id, values)
        await ingest_store.drop_text(connection, version.id)
        clean = Clean(index=version.index_name, versions=(version.id,), blobs=True)
        await self._jobs.enqueue(connection, "clean", clean, subject=job.subject)

    async def _to_job(self, letter: str) -> None:
        """Raises DeadLetterMissing for what the caller may not see, Forbidden for what they may not change.

        Jobs that only keep the index in step have no run: they are the operators'.
        """
        try:
            async with self._database.read() as connection:
                await self._jobs.get(connection, letter)
                run = await run_store.get(connection, letter)
            if run is not None:
                await self._to_run(letter)
                return
        except (JobMissing, RunMissing) as missing:
            raise _missing(letter) from missing
        if OPERATOR.isdisjoint(caller().scopes):
            raise _missing(letter)
        caller().require("collections:admin")


def _jobs(request: ListDeadLetters, last: str) -> Select[Any]:
    who = caller()
    operator = not OPERATOR.isdisjoint(who.scopes)
    query = (
        select(jobs, runs.c.document)
        .select_from(jobs.outerjoin(runs, runs.c.id == jobs.c.id))
        .where(jobs.c.state == "failed", true() if operator else run_store.visible(who))
        # With its document gone there is nothing left to be done; the sweep forgets it.
        .where(or_(runs.c.document.is_(None), exists().where(documents.c.id == runs.c.document)))
        .order_by(jobs.c.id.desc())
        .limit(request.limit + 1)
    )
    if request.kind is not None:
        query = query.where(jobs.c.kind == request.kind)
    return query.where(jobs.c.id < last) if last else query


def _of_job(row: Row[Any]) -> _Letter:
    said = {
        "id": row.id,
        "kind": row.kind,
        "what": "job",
        "problem": row.problem,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "failed_at": row.ended_at,
    }
    return _Letter(said, row.subject, row.document or row.request.get("document"))


def _of_event(row: RowMapping) -> _Letter:
    said = {
        "id": _LETTERS + row["id"].removeprefix(_EVENTS),
        "kind": row["type"],
        "what": "event",
        "problem": row["problem"],
        "attempts": row["attempts"],
        "created_at": row["at"],
        "failed_at": row["next_attempt_at"],
    }
    data = row["data"]
    document = data.get("id" if row["type"].startswith("document.") else "document")
    return _Letter(said, data.get("collection"), document)


def _event_of(letter: str) -> str:
    """Raises DeadLetterMissing for who may not see it, Forbidden for who may see it only."""
    if OPERATOR.isdisjoint(caller().scopes):
        raise _missing(letter)
    caller().require("collections:admin")
    return _EVENTS + letter.removeprefix(_LETTERS)


def _missing(letter: str) -> DeadLetterMissing:
    return DeadLetterMissing(f"no dead letter {letter} that you may see", dead_letter=letter)
