"""The documents room as it is built, between small neighbours; it can be stopped and opened again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self, cast

from kit.neighbours import People, Shelves, WordEmbedding, tokens
from kit.vectors import MemoryVectors
from muniment.collections.contract import Collections
from muniment.documents.base import DocumentsSettings
from muniment.documents.build import build
from muniment.documents.contract import (
    ById,
    Document,
    Documents,
    Hydrate,
    ListDocuments,
    NewDocument,
    Options,
    Passage,
    Run,
    Upload,
    Uploaded,
    UploadedDocument,
)
from muniment.embedding.contract import Embedding
from muniment.identity.contract import Identity, Level, Role
from muniment.kernel.blobs import Blobs, Staged
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.house import Ground
from muniment.kernel.local import local
from muniment.kernel.model import Page
from muniment.kernel.outbox import Event
from muniment.vectors.contract import Vectors

SCOPES: dict[Role, frozenset[str]] = {
    "viewer": frozenset({"documents:read"}),
    "member": frozenset({"documents:read", "documents:write"}),
    "editor": frozenset({"documents:read", "documents:write"}),
    "admin": frozenset({"documents:read", "documents:write", "collections:admin", "monitoring:read"}),
}


class Office:
    """One documents room, its neighbours, and the people who come to it."""

    def __init__(self, folder: Path, database_url: str, tokenizer: Path) -> None:
        self.people, self.shelves = People(), Shelves()
        self.embedding, self.vectors = WordEmbedding(tokenizer), MemoryVectors()
        self.blobs = Blobs.open((folder / "blobs").as_uri())
        self.events: list[Event] = []
        self.callers: dict[str, Caller] = {}
        self.room: Documents
        self._folder, self._database_url = folder, database_url

    @classmethod
    def staffed(cls, folder: Path, database_url: str, tokenizer: Path) -> Self:
        """With the collection `handbook`: ada, ben and the editor ed are members, eve and root are not."""
        office = cls(folder, database_url, tokenizer)
        office.shelves.add("handbook")
        office.user("ada", member_of=["handbook"], clearance="confidential")
        office.user("ben", member_of=["handbook"])
        office.user("ed", role="editor", member_of=["handbook"])
        office.user("eve")
        office.user("root", role="admin")
        return office

    @asynccontextmanager
    async def opened(self, **settings: Any) -> AsyncIterator[Documents]:
        """The room at work, on what it kept the last time."""
        heard = ("document.created", "document.updated", "document.deleted")
        ground = Ground(
            data=self._folder,
            database_url=self._database_url,
            blobs=self.blobs,
            secrets=("s",),
            subscribers={name: [self._hear] for name in heard},
            announcements={},
            mounted=[],
            addresses={},
            peers={},
        )
        async with build(
            DocumentsSettings(**settings),
            ground,
            identity=cast("Identity", self.people),
            collections=cast("Collections", self.shelves),
            embedding=cast("Embedding", self.embedding),
            vectors=cast("Vectors", self.vectors),
        ) as service:
            self.room = local(Documents, service)
            yield self.room

    async def _hear(self, event: Event) -> None:
        self.events.append(event)

    def user(
        self,
        name: str,
        *,
        role: Role = "member",
        member_of: Sequence[str] = (),
        manager_of: Sequence[str] = (),
        groups: Sequence[str] = (),
        clearance: Level = "internal",
    ) -> Caller:
        """A person, or what has become of them."""
        id_ = self.people.ids.get(f"user:{name}") or self.people.add(f"user:{name}")
        of = {collection.name: collection.id for collection in self.shelves.refs.values()}
        self.callers[name] = Caller(
            principal=id_,
            name=name,
            roles=frozenset({role}),
            scopes=SCOPES[role],
            tokens=tokens(
                id_,
                groups=[self.people.ids[f"group:{group}"] for group in groups],
                member_of=[of[collection] for collection in member_of],
                manager_of=[of[collection] for collection in manager_of],
                clearance=clearance,
            ),
            epoch="1",
        )
        return self.callers[name]

    @contextmanager
    def asking(self, name: str) -> Iterator[Documents]:
        """The room, asked by that person."""
        with calling_as(self.callers[name]):
            yield self.room

    async def upload(self, who: str, *documents: NewDocument, collection: str = "handbook") -> Uploaded:
        """Upload as that person."""
        with self.asking(who) as room:
            return await room.upload(Upload(collection=collection, documents=documents))

    async def put(
        self, who: str, key: str, text: str, *, collection: str = "handbook", **options: Any
    ) -> UploadedDocument:
        """Upload one text, and see it through."""
        uploaded = await self.upload(who, text_document(key, text, **options), collection=collection)
        if uploaded.run is not None:
            await self.over(who, uploaded.run)
        return uploaded.documents[0]

    async def staged(self, data: bytes) -> Staged:
        """Bytes as the edge leaves them."""

        async def once() -> AsyncIterator[bytes]:
            yield data

        return await self.blobs.stage(once(), limit_bytes=1 << 24)

    async def get(self, who: str, document: str | None) -> Document:
        with self.asking(who) as room:
            return await room.get(ById(id=document or ""))

    async def over(self, who: str, run: str | None, *, seconds: float = 20) -> Run:
        """The run, once it has ended."""
        return await self.until(who, run, lambda found: found.ended_at is not None, seconds=seconds)

    async def until(self, who: str, run: str | None, holds: Callable[[Run], bool], *, seconds: float = 20) -> Run:
        """The run, once that holds of it."""
        with self.asking(who) as room:
            async with asyncio.timeout(seconds):
                while True:
                    found = await room.get_run(ById(id=run or ""))
                    if holds(found):
                        return found
                    await asyncio.sleep(0.01)

    async def passages(self, who: str, as_of: datetime | None = None) -> list[Passage]:
        """All that the person's searches can show: every point the engine lets through, hydrated."""
        readers = self.callers[who].tokens
        found = [
            f"chk_{id_.hex}"
            for points in self.vectors.points.values()
            for id_, (point, _) in points.items()
            if not readers.isdisjoint(cast("tuple[str, ...]", point.payload["readers"]))
        ]
        return await self.hydrated(who, found, as_of)

    async def hydrated(self, who: str, chunks: Sequence[str], as_of: datetime | None = None) -> list[Passage]:
        """What the second lock lets through of any chunks."""
        with self.asking(who) as room:
            passages = (await room.hydrate(Hydrate(chunks=tuple(chunks), as_of=as_of))).passages
        return sorted(passages.values(), key=lambda p: (p.document.key, p.chunk.span.start))

    async def listed(self, who: str, collection: str = "handbook", **asked: Any) -> Page[Document]:
        with self.asking(who) as room:
            return await room.list(ListDocuments(collection=collection, **asked))

    async def heard(self, type_: str) -> None:
        """Until an event of that type was delivered."""
        await self.settled(lambda: any(event.type == type_ for event in self.events))

    @staticmethod
    async def settled(holds: Callable[[], bool], *, seconds: float = 20) -> None:
        """Until that holds, which tasks in the background bring about."""
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - what is waited for has no event to tell of it
                await asyncio.sleep(0.01)

    def all_chunks(self) -> list[str]:
        """The chunk of every point there is, whoever may see it."""
        return [f"chk_{id_.hex}" for points in self.vectors.points.values() for id_ in points]


def text_document(key: str, text: str, *, media_type: str = "text/markdown", **options: Any) -> NewDocument:
    return NewDocument(content=text, media_type=media_type, options=Options(key=key, **options))
