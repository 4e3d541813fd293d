"""Attachments as documents of their own: what a version of an e-mail brings, and what it no longer does."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Any, NamedTuple

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import CollectionRef
from muniment.documents import access, registry, run_store
from muniment.documents.base import Clean, DocumentChanged, Parts, RunChanged, cleaning, once
from muniment.documents.contract import ParserLimit
from muniment.documents.deciding import Wanted
from muniment.documents.fields import Layer
from muniment.documents.keys import MOST_CHARACTERS
from muniment.documents.parsing.model import Attachment
from muniment.documents.upload_store import Taking
from muniment.kernel.blobs import Blobs, Staged
from muniment.kernel.caller import Caller

_MOST_SUFFIX = 8


class Enclosed(NamedTuple):
    """An attachment whose bytes are staged."""

    name: str
    media_type: str
    staged: Staged


class Attaching(Taking):
    """One attempt at making the documents attached to an e-mail those that a version of it encloses."""

    def __init__(self, parts: Parts, collection: CollectionRef, enclosed: Sequence[Enclosed]) -> None:
        super().__init__(parts, collection, Caller.system("documents"))
        self.enclosed = enclosed

    async def attach(self, connection: AsyncConnection, message: Row[Any], version: Row[Any]) -> None:
        """Those whose bytes are the same stay untouched; the message's lock is held.

        A new one is opened to the readers of the message; one that is there keeps its own.
        """
        enclosed = self.enclosed
        own = {row.key: row for row in await registry.attached(connection, message.id, deep=False)}
        keys = await self._keys(connection, message, [file.name for file in enclosed], own.keys())
        facts = access.holding(message)
        layer = Layer(metadata={"attached_to_key": message.key})
        wanted = [
            Wanted(
                place=place,
                key=key,
                name=file.name,
                media_type=file.media_type,
                staged=file.staged,
                layer=layer,
                level=None if key in own else facts.level,
                owner=None if key in own else facts.owner,
                grants=None if key in own else facts.grants,
                attached_to=message.id,
            )
            for place, (key, file) in enumerate(zip(keys, enclosed, strict=True))
        ]
        await self._write(connection, wanted)
        await self._begun(connection, await run_store.get(connection, version.run))
        for key, row in own.items():
            if key not in keys:
                await removed(connection, self._parts, row)

    async def _begun(self, connection: AsyncConnection, run: Row[Any] | None) -> None:
        """Runs of their own, for whoever began the message's."""
        if not self._runs:
            return
        principal = self._who.principal if run is None else run.principal
        await run_store.put(connection, [own | {"principal": principal} for own in self._runs])
        for own in self._runs:
            event = RunChanged(id=own["id"], kind=own["kind"], state="queued")
            await self._parts.outbox.put(connection, "task.run.changed", event)

    async def _keys(
        self, connection: AsyncConnection, message: Row[Any], names: Sequence[str], own: Iterable[str]
    ) -> Sequence[str]:
        """For each name a key: that of an attachment which is there, else one that nothing has."""
        left, keys = set(own), list[str]()
        most = len(left) + len(names) + 1
        for name in names:
            there = next((key for key in islice(candidates(message.key, name), most) if key in left), None)
            keys.append(there or await self._free(connection, message, name, taken={*keys, *left}))
            left.discard(keys[-1])
        return keys

    async def _free(self, connection: AsyncConnection, message: Row[Any], name: str, *, taken: set[str]) -> str:
        for key in candidates(message.key, name):
            if key not in taken and not await registry.by_key(connection, message.collection, [key]):
                return key
        raise AssertionError  # the candidates never end


async def staged(blobs: Blobs, attachments: Sequence[Attachment]) -> Sequence[Enclosed]:
    """The attachments with their bytes in the blob store."""
    found = []
    for file in attachments:
        bytes_ = await blobs.stage(once(file.data), limit_bytes=len(file.data))
        found.append(Enclosed(file.name, file.media_type, bytes_))
    return found


async def require_shallow(connection: AsyncConnection, document: Row[Any], most: int) -> None:
    """Raises ParserLimit for what lies within too many e-mails: those within it are not even looked for."""
    if await registry.depth(connection, document) > most:
        raise ParserLimit(
            f"the attachment lies within more than {most} e-mails; add it as a file of its own", limit="nesting"
        )


def candidates(message: str, name: str) -> Iterator[str]:
    """The keys that an attachment of that name may have, the first one first."""
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    folder = message[: MOST_CHARACTERS - len(name) - 1 - _MOST_SUFFIX]
    yield f"{folder}/{name}"
    for number in count(2):
        yield f"{folder}/{stem}-{number}{dot}{ending}"


async def removed(connection: AsyncConnection, parts: Parts, row: Row[Any]) -> list[Clean]:
    """Forget a document that is locked, with all that came attached to it; the cleaning up has its jobs."""
    rows = [row, *await registry.attached(connection, row.id)]
    history = await registry.versions_of(connection, [row.id for row in rows], copies=True)
    await registry.remove(connection, [row.id for row in rows])
    jobs = []
    for gone in rows:
        for job in cleaning(history.get(gone.id, [])):
            jobs.append(job)
            await parts.jobs.enqueue(connection, "clean", job, subject=gone.collection)
        what = DocumentChanged(id=gone.id, collection=gone.collection, key=gone.key, version=None)
        await parts.outbox.put(connection, "document.deleted", what)
    return jobs
