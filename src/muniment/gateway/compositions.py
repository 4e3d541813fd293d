"""Calls that ask two rooms: collections with their counts of readable documents, dead letters of all rooms."""

from muniment.collections.contract import (
    Collection,
    CollectionMissing,
    Collections,
    CreateCollection,
    DeadLetter,
    DeadLetterMissing,
    DeleteCollection,
    GetCollection,
    ListCollections,
    ListDeadLetters,
    Lookup,
    OfDeadLetter,
    UpdateCollection,
)
from muniment.documents.contract import ById, CountReadable, Documents, PurgeCollection, Run, RunMissing
from muniment.kernel.model import Nothing, Page, Paged
from muniment.kernel.pages import decode_cursor, encode_cursor
from muniment.kernel.problems import Forbidden, Invalid
from muniment.models.contract import Models

_RUNS_OF_DOCUMENTS = "run_documents_"


class CollectionCalls:
    """The public calls on collections."""

    def __init__(self, collections: Collections, documents: Documents, models: Models) -> None:
        self._collections, self._documents, self._models = collections, documents, models

    async def create(self, request: CreateCollection) -> Collection:
        """A new collection holds nothing. Raises Invalid for a model that is not here."""
        if request.model is not None:
            models = (await self._models.list(Nothing())).items
            known = sorted(model.name for model in models if model.kind == "embedding")
            if request.model not in known:
                reason = f"there is no embedding model {request.model!r}; known are {', '.join(known)}"
                raise Invalid(reason, errors=[{"field": "model", "reason": reason}])
        return (await self._collections.create(request)).model_copy(update={"documents": 0})

    async def list(self, request: Paged) -> Page[Collection]:
        """Those the caller sees, also for one of their documents."""
        counts = (await self._documents.count_readable(CountReadable())).counts
        readable = frozenset(collection for collection, count in counts.items() if count)
        page = await self._collections.list(
            ListCollections(limit=request.limit, cursor=request.cursor, readable=readable)
        )
        items = tuple(item.model_copy(update={"documents": counts.get(item.id, 0)}) for item in page.items)
        return page.model_copy(update={"items": items})

    async def get(self, request: GetCollection) -> Collection:
        """One that the caller sees, also for one of its documents."""
        counts = await self._counts(request.name)
        readable = frozenset(collection for collection, count in counts.items() if count)
        found = await self._collections.get(request.model_copy(update={"readable": readable}))
        return found.model_copy(update={"documents": counts.get(found.id, 0)})

    async def update(self, request: UpdateCollection) -> Collection:
        """Who only reads in it is told that they may not change it."""
        try:
            changed = await self._collections.update(request)
        except CollectionMissing as missing:
            await self._check_unread(request.name, missing)
            raise
        counts = await self._counts(request.name)
        return changed.model_copy(update={"documents": counts.get(changed.id, 0)})

    async def delete(self, request: DeleteCollection) -> Run:
        """The run that purges its documents is begun here already; the event only makes sure of it."""
        try:
            gone = await self._collections.delete(request)
        except CollectionMissing as missing:
            await self._check_unread(request.name, missing)
            raise
        await self._documents.purge_collection(PurgeCollection(id=gone.id, name=gone.name, run=gone.run))
        return await self._documents.get_run(ById(id=gone.run))

    async def _counts(self, name: str) -> dict[str, int]:
        found = (await self._collections.lookup(Lookup(collections=(name,)))).items
        if not found:
            return {}
        return (await self._documents.count_readable(CountReadable(collections=(found[0].id,)))).counts

    async def _check_unread(self, name: str, missing: CollectionMissing) -> None:
        if any((await self._counts(name)).values()):
            raise Forbidden(f"you may not change the collection {name}", collection=name) from missing


class RunCalls:
    """The public calls on one run: its id names the room that does the work."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def get(self, request: ById) -> Run:
        """How far it is."""
        return await _room(self._documents, request).get_run(request)

    async def retry(self, request: ById) -> Run:
        """Once more."""
        return await _room(self._documents, request).retry_run(request)

    async def cancel(self, request: ById) -> Run:
        """No further."""
        return await _room(self._documents, request).cancel_run(request)


class LetterCalls:
    """The public calls on dead letters: one list of all rooms that keep some; a letter's id names its room."""

    def __init__(self, collections: Collections, documents: Documents) -> None:
        self._rooms: dict[str, Documents | Collections] = {"documents": documents, "collections": collections}

    async def list(self, request: ListDeadLetters) -> Page[DeadLetter]:
        """Room by room."""
        at, inner = ("documents", "") if request.cursor is None else decode_cursor(request.cursor, str, str)
        names = list(self._rooms)
        letters: list[DeadLetter] = []
        for name in names[names.index(at) :] if at in names else ():
            if len(letters) == request.limit:
                return Page(items=tuple(letters), next_cursor=encode_cursor(name, ""))
            rest = {"limit": request.limit - len(letters), "cursor": inner or None}
            page = await self._rooms[name].list_dead_letters(request.model_copy(update=rest))
            letters += page.items
            if page.next_cursor is not None:
                return Page(items=tuple(letters), next_cursor=encode_cursor(name, page.next_cursor))
            inner = ""
        return Page(items=tuple(letters), next_cursor=None)

    async def retry(self, request: OfDeadLetter) -> Nothing:
        """Once more."""
        return await self._room(request).retry_dead_letter(request)

    async def drop(self, request: OfDeadLetter) -> Nothing:
        """Given up."""
        return await self._room(request).drop_dead_letter(request)

    def _room(self, request: OfDeadLetter) -> Documents | Collections:
        """Raises DeadLetterMissing for an id that names none."""
        for name, room in self._rooms.items():
            if request.id.startswith((f"run_{name}_", f"evt_{name}_")):
                return room
        raise DeadLetterMissing(f"no dead letter {request.id} that you may see", dead_letter=request.id)


def _room(documents: Documents, request: ById) -> Documents:
    if not request.id.startswith(_RUNS_OF_DOCUMENTS):
        raise RunMissing(f"no run {request.id} that you may see", run=request.id)
    return documents
