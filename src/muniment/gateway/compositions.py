"""Calls that ask two rooms: a collection with its count of readable documents, its deletion with its run."""

from muniment.collections.contract import (
    Collection,
    CollectionMissing,
    Collections,
    CreateCollection,
    DeleteCollection,
    GetCollection,
    ListCollections,
    Lookup,
    UpdateCollection,
)
from muniment.documents.contract import ById, CountReadable, Documents, PurgeCollection, Run, RunMissing
from muniment.kernel.model import Page, Paged
from muniment.kernel.problems import Forbidden

_RUNS_OF_DOCUMENTS = "run_documents_"


class CollectionCalls:
    """The public calls on collections."""

    def __init__(self, collections: Collections, documents: Documents) -> None:
        self._collections, self._documents = collections, documents

    async def create(self, request: CreateCollection) -> Collection:
        """A new collection holds nothing."""
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


def _room(documents: Documents, request: ById) -> Documents:
    if not request.id.startswith(_RUNS_OF_DOCUMENTS):
        raise RunMissing(f"no run {request.id} that you may see", run=request.id)
    return documents
