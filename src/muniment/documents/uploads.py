"""Taking documents: what is answered for is on disk, with the job that goes on from there."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.exc import IntegrityError

from muniment.collections.contract import CollectionMissing, CollectionRef, Lookup
from muniment.documents import registry, upload_store
from muniment.documents.admission import require_room, require_space
from muniment.documents.base import UNKNOWN_TYPE, Base, blob_key, once
from muniment.documents.contract import Admit, FileEmpty, NewDocument, QueueFull, Upload, Uploaded
from muniment.documents.deciding import Wanted, digest, subjects
from muniment.documents.fields import given
from muniment.documents.keys import key_of, unfit
from muniment.documents.upload_store import Taking
from muniment.identity.contract import SubjectMissing, Subjects
from muniment.kernel.blobs import Staged
from muniment.kernel.caller import caller
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Forbidden, Problem, TooLarge, Unavailable

T = TypeVar("T")
_AT_ONCE = 32
"""Blobs that are written at the same time; their flushes share the disk's."""

_MOST_UNKNOWN = 100
_ROUNDS = 4
_NO_LIMIT = 1 << 40  # a text is here already; what is over the limit is refused by name, below
_TEXT = "text/plain"


class Uploads(Base):
    """The use case `upload`."""

    async def upload(self, request: Upload) -> Uploaded:
        """One transaction for all documents; a document that is refused does not hold up the others."""
        caller().require("documents:write")
        collection = await self._collection(request.collection)
        await require_space(self._parts)
        contents = await self._staged(request.documents)
        try:
            ids = await self._subject_ids(request.documents)
            checked = [self._checked(i, d, contents[i], ids) for i, d in enumerate(request.documents)]
            answer, taking = await self._take(request, collection, contents, checked)
        except Problem as problem:
            # Of others that can be retried nobody knows what was committed; the sweep will see.
            if not problem.retryable or isinstance(problem, QueueFull):
                await self._forget(contents, {})
            raise
        await _all([self._parts.blobs.adopt(staged, blob_key(v)) for staged, v in taking.adopted.items()])
        await self._forget(contents, taking.adopted)
        for document in taking.changed:
            await self._told(document)
        return answer

    async def admit(self, request: Admit) -> Nothing:
        """Two looks: at the disk, and at how many documents wait."""
        caller().require("documents:write")
        await self._collection(request.collection)
        await require_space(self._parts)
        async with self._database.read() as connection:
            await require_room(connection, request.documents, self._parts.settings.queue_limit)
        return Nothing()

    async def _forget(self, contents: Sequence[Staged], adopted: Mapping[str, str]) -> None:
        await _all([self._parts.blobs.delete(c.key) for c in contents if c.key not in adopted])

    async def _told(self, document: str) -> None:
        """Make sure that the index knows who may read."""
        try:
            await self._parts.indexing.push(document)
        except Problem as problem:
            if not problem.retryable:
                raise
            raise Unavailable(
                "the documents are taken, but the index cannot yet be told who may read them: until it is, "
                "those newly granted do not find them",
                document=document,
            ) from problem

    async def _collection(self, name: str) -> CollectionRef:
        """The collection, whose member the caller is.

        Raises CollectionMissing where the caller does not see it, else Forbidden.
        """
        refs = (await self._parts.collections.lookup(Lookup(collections=(name,)))).items
        if refs and refs[0].id not in caller().withheld:
            ref = refs[0]
            self._names[ref.id] = ref.name
            if ref.member:
                return ref
            async with self._database.read() as connection:
                seen = ref.visible or await registry.count_readable(connection, caller(), [ref.id])
            if seen:
                raise Forbidden(f"only members upload to {name}; ask one of its managers", collection=name)
        raise CollectionMissing(f"no collection {name} that you may see", collection=name)

    async def _staged(self, documents: Sequence[NewDocument]) -> list[Staged]:
        """The bytes of every document in the blob store."""

        async def stage(document: NewDocument) -> Staged:
            if isinstance(document.content, Staged):
                return document.content
            return await self._parts.blobs.stage(once(document.content.encode()), limit_bytes=_NO_LIMIT)

        return await _all([stage(document) for document in documents])

    async def _subject_ids(self, documents: Sequence[NewDocument]) -> dict[str, str]:
        """Ids by name; those that do not exist are left out.

        Raises SubjectMissing when there are very many of these: each costs a call.
        """
        names = dict.fromkeys(name for d in documents for name in subjects(d.options))
        unknown = 0
        while names:
            try:
                ids = (await self._parts.identity.subject_ids(Subjects(names=tuple(names)))).ids
            except SubjectMissing as missing:
                unknown += 1
                if unknown > _MOST_UNKNOWN:
                    raise
                del names[missing.extra["subject"]]
            else:
                return dict(zip(names, ids, strict=True))
        return {}

    def _checked(
        self, place: int, document: NewDocument, content: Staged, ids: dict[str, str]
    ) -> Wanted | Problem:
        """The document, or why it is refused."""
        try:
            return self._wanted(place, document, content, ids)
        except Problem as problem:
            return problem

    def _wanted(self, place: int, document: NewDocument, content: Staged, ids: dict[str, str]) -> Wanted:
        options, limit = document.options, self._parts.settings.max_file_bytes
        key = key_of(options.key, document.name)
        if content.size_bytes > limit:
            raise TooLarge(f"{key} is over the limit of {limit} bytes", limit_bytes=limit, key=key)
        if not content.size_bytes:
            raise FileEmpty(f"{key} is empty", key=key)
        if options.owner is not None and not options.owner.startswith("user:"):
            raise unfit("owner", "must be a user, as in user:ada")
        for name in subjects(options):
            if name not in ids:
                raise SubjectMissing(f"no {name}", subject=name)
        return Wanted(
            place=place,
            key=key,
            name=document.name or key,
            media_type=document.media_type or (_TEXT if isinstance(document.content, str) else UNKNOWN_TYPE),
            staged=content,
            layer=given(options, options.metadata, nulls=False),
            level=options.access_level,
            owner=ids[options.owner] if options.owner else None,
            grants=None if options.grants is None else tuple(sorted({ids[name] for name in options.grants})),
        )

    async def _take(
        self,
        request: Upload,
        collection: CollectionRef,
        contents: Sequence[Staged],
        checked: Sequence[Wanted | Problem],
    ) -> tuple[Uploaded, Taking]:
        """The transaction, again when another upload of one of the keys was faster.

        Raises the problem of a document that came alone; of several that are all refused nothing is kept.
        """
        said = digest(request, contents)
        for _ in range(_ROUNDS):
            taking = Taking(self._parts, collection, caller())
            try:
                async with self._database.write() as connection:
                    if request.idempotency_key is not None:
                        known = await upload_store.answered(connection, caller(), request.idempotency_key, said)
                        if known is not None:
                            return known, taking
                    answer = await taking.take(connection, checked)
                    if len(checked) == 1 and taking.refused:
                        raise taking.refused[0]
                    if taking.adopted:
                        await require_room(connection, 0, self._parts.settings.queue_limit)
                    is_taken = len(taking.refused) < len(checked)
                    if is_taken and request.idempotency_key is not None:
                        await upload_store.note(connection, caller(), request.idempotency_key, said, answer)
            except IntegrityError:
                continue
            return answer, taking
        raise Unavailable("others keep uploading the same keys; try again")


async def _all(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all, so many at once."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(part: Coroutine[Any, Any, T]) -> T:
        async with gate:
            return await part

    return await asyncio.gather(*(one(part) for part in work))
