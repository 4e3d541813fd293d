"""What is read of documents: lists, text, bytes, and the passages that a search has found."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections.contract import CollectionMissing, Lookup
from muniment.documents import access, registry
from muniment.documents.base import Base, Found, blob_key
from muniment.documents.contract import (
    FIELD_NAMES,
    ById,
    Content,
    CountReadable,
    Counts,
    Document,
    DocumentsStatus,
    DocumentText,
    HistoryKept,
    Hydrate,
    ListDocuments,
    OfVersion,
    Passages,
    Version,
    VersionMissing,
)
from muniment.documents.fields import Effective, Layer
from muniment.documents.history import days_kept
from muniment.documents.ingest_store import parsed_text
from muniment.documents.recent import Chunk
from muniment.documents.store import documents
from muniment.identity.contract import Ids
from muniment.kernel.caller import caller
from muniment.kernel.model import Nothing, Page
from muniment.kernel.pages import decode_cursor, encode_cursor
from muniment.kernel.problems import Invalid
from muniment.text.phrases import demanded, says
from muniment.vectors.contract import Mark

History = Mapping[str, Sequence[Row[Any]]]
"""Versions by document."""

_BRIEF = ("id", "key", "title", "type", "status", "source_url", "metadata")


class Reading(Base):
    """The use cases that change nothing. What the caller may not read is missing."""

    async def list(self, request: ListDocuments) -> Page[Document]:
        """Three reads for a page: documents, their versions, the names of people."""
        caller().require("documents:read")
        refs = (await self._parts.collections.lookup(Lookup(collections=(request.collection,)))).items
        ref = next((r for r in refs if r.id not in caller().withheld), None)
        rows: Sequence[Row[Any]] = ()
        history: History = {}
        visible = ref is not None and ref.visible
        if ref is not None:
            async with self._database.read() as connection:
                rows = await registry.page(connection, caller(), _listing(ref.id, request))
                history = await registry.versions_of(connection, (row.id for row in rows[: request.limit]))
                visible = visible or bool(rows or await registry.count_readable(connection, caller(), [ref.id]))
        if ref is None or not visible:
            name = request.collection
            raise CollectionMissing(f"no collection {name} that you may see", collection=name)
        shown = rows[: request.limit]
        found = [Found(row, ref, access.may_write(access.holding(row), caller(), ref)) for row in shown]
        return Page(
            items=await self._shown(found, history),
            next_cursor=_cursor(request.sort, shown[-1]) if len(rows) > request.limit else None,
        )

    async def get(self, request: ById) -> Document:
        """By id."""
        caller().require("documents:read")
        async with self._database.read() as connection:
            row = await self._readable(connection, request.id)
        return await self._document(await self._found(row))

    async def _document(self, found: Found) -> Document:
        """The document as the caller sees it."""
        async with self._database.read() as connection:
            history = await registry.versions_of(connection, [found.row.id])
        return (await self._shown([found], history))[0]

    async def _shown(self, found: Sequence[Found], history: History) -> tuple[Document, ...]:
        subjects = {f.row.owner for f in found if f.row.owner}
        subjects |= {grant for f in found if f.writable for grant in f.row.grants}
        names: dict[str, str] = {}
        if subjects:
            names = (await self._parts.identity.subject_names(Ids(ids=tuple(sorted(subjects))))).names
        return tuple(_document(f, history.get(f.row.id, []), names) for f in found)

    async def text(self, request: OfVersion) -> DocumentText:
        """As it was extracted."""
        caller().require("documents:read")
        async with self._database.read() as connection:
            version = await self._version(connection, request)
            parsed = await parsed_text(connection, version.id)
        if parsed is None:
            raise _no_version(request, "has no text yet")
        return DocumentText(
            version=version.number, text=parsed.text, pages=parsed.pages, sections=tuple(parsed.sections)
        )

    async def content(self, request: OfVersion) -> Content:
        """By reference: the bytes themselves are in the shared blob store."""
        caller().require("documents:read")
        async with self._database.read() as connection:
            version = await self._version(connection, request)
        return Content(
            blob=blob_key(version.id),
            name=version.name,
            media_type=version.media_type,
            size_bytes=version.size_bytes,
        )

    async def _version(self, connection: AsyncConnection, request: OfVersion) -> Row[Any]:
        row = await self._readable(connection, request.id)
        for version in (await registry.versions_of(connection, [row.id]))[row.id]:
            if version.number == request.version or (request.version is None and version.id == row.current):
                return version
        raise _no_version(request, "is not there")

    async def hydrate(self, request: Hydrate) -> Passages:
        """The rows are looked at once more by the caller's tokens, those at hand as well.

        What does not say a phrase never becomes a model: a thousand are read for one that does.
        """
        who = caller()
        if not request.chunks or not who.tokens:
            return Passages(passages={})
        chunks = await self._chunks(request)
        read = [chunk for chunk in chunks if access.may_read(access.holding(chunk.row), who)]
        names = await self._named({chunk.row.collection for chunk in read})
        named = [chunk for chunk in read if chunk.row.collection in names]
        wanted = demanded(request.phrases)
        unsaid = {c.row.chunk_id for c in named if wanted and not _says(c.row, wanted, then=request.as_of)}
        said = {chunk.row.chunk_id: chunk for chunk in named if chunk.row.chunk_id not in unsaid}
        found = {
            name: chunk.passage or _passage(chunk.row, names[chunk.row.collection], then=request.as_of)
            for name, chunk in said.items()
        }
        # At once: one by one takes half as long again.
        passages = Passages.model_validate({"passages": found, "unsaid": tuple(unsaid)})
        for name, chunk in said.items():
            chunk.passage = passages.passages[name]
        return passages

    async def _chunks(self, request: Hydrate) -> Sequence[Chunk]:
        if request.as_of is None:
            return await self._recent.of(request.chunks)
        async with self._database.read() as connection:
            return [Chunk(row) for row in await registry.passages(connection, request.chunks, request.as_of)]

    async def history(self, request: CountReadable) -> HistoryKept:
        """As the collections say, or the server's setting for them."""
        collections = request.collections
        if collections is None:
            collections = tuple((await self.count_readable(request)).counts)
        refs = (await self._parts.collections.lookup(Lookup(collections=collections))).items
        return HistoryKept(days={ref.id: days_kept(ref, self._parts.settings) for ref in refs})

    async def count_readable(self, request: CountReadable) -> Counts:
        """For the edge, and for who sees a collection by its documents alone."""
        who = caller()
        if not who.tokens:
            return Counts(counts={})
        async with self._database.read() as connection:
            return Counts(counts=await registry.count_readable(connection, who, request.collections))

    async def mark(self, request: Nothing) -> Mark:  # noqa: ARG002 - nothing is what it asks
        """The database's own."""
        return Mark(mark=await self._database.mark())

    async def status(self, request: Nothing) -> DocumentsStatus:  # noqa: ARG002 - nothing is what it asks
        """Counted afresh."""
        async with self._database.read() as connection:
            counted = await registry.counts(connection)
            runs = await self._jobs.count(connection)
        return DocumentsStatus(**counted._asdict(), runs={**runs})


def _listing(collection: str, request: ListDocuments) -> registry.Listing:
    conditions: list[ColumnElement[bool]] = [
        documents.c[column] == value
        for column in ("status", "type", "key", "attached_to")
        if (value := getattr(request, column)) is not None
    ]
    if request.state is not None:
        conditions.append(registry.with_state(request.state))
    if request.key_prefix:
        conditions.append(registry.with_prefix(request.key_prefix))
    return registry.Listing(collection, conditions, request.sort, _after(request), request.limit)


def _after(request: ListDocuments) -> registry.Place | None:
    """Where the page starts.

    Raises Invalid for a cursor of a list in another order.
    """
    if request.cursor is None:
        return None
    sort, value, document = decode_cursor(request.cursor, str, str, str)
    if sort == request.sort and sort.endswith("key"):
        return registry.Place(value, document)
    with suppress(ValueError, OverflowError):
        if sort == request.sort:
            return registry.Place(datetime.fromisoformat(value).astimezone(UTC), document)
    reason = "is of a list in another order; leave it out"
    raise Invalid(f"cursor {reason}", errors=[{"field": "cursor", "reason": reason}])


def _cursor(sort: str, row: Row[Any]) -> str:
    value = getattr(row, sort.removeprefix("-"))
    return encode_cursor(sort, value if isinstance(value, str) else value.isoformat(), row.id)


def _document(found: Found, history: Sequence[Row[Any]], names: dict[str, str]) -> Document:
    row = found.row
    current = next((v for v in history if v.id == row.current), None)
    fields = {name: value for name, value in row.fields.items() if name in FIELD_NAMES}
    grants = sorted(names[grant] for grant in row.grants if grant in names)
    return Document.model_validate(
        {
            **fields,
            "title": row.title,
            "created_at": row.created_at,
            "modified_at": row.modified_at,
            "id": row.id,
            "collection": found.collection.name,
            "key": row.key,
            "attached_to": row.attached_to,
            "access_level": row.access_level,
            "owner": names.get(row.owner),
            "grants": tuple(grants) if found.writable else None,
            "content_hash": None if current is None else current.sha256,
            "metadata": row.metadata,
            "version": None if current is None else current.number,
            "versions": tuple(_shown_version(version) for version in history),
        }
    )


def _shown_version(row: Row[Any]) -> Version:
    return Version.model_validate({name: getattr(row, name) for name in Version.model_fields})


def _passage(row: Row[Any], collection: str, *, then: datetime | None) -> dict[str, Any]:
    """As `Passage` has it."""
    brief = {name: getattr(row, name) for name in _BRIEF}
    if (seen := _seen_then(row, then)) is not None:
        brief |= {"title": seen.title, "metadata": seen.metadata}
        brief |= {name: seen.fields.get(name) for name in ("type", "status", "source_url")}
    return {
        "document": {"collection": collection, "version": row.version_number, **brief},
        "chunk": {
            "id": row.chunk_id,
            "text": _text(row),
            "span": {"start": row.span_start, "end": row.span_end},
            "page": row.page,
            "section": row.section,
            "kind": row.kind,
            "header": row.header or "",
        },
        "parent": {"text": row.parent_text, "span": {"start": row.parent_start, "end": row.parent_end}},
    }


def _says(row: Row[Any], wanted: Sequence[str], *, then: datetime | None) -> bool:
    """Whether the chunk, its document's title or the headings above it say each of the phrases."""
    seen = _seen_then(row, then)
    return says((_text(row), row.title if seen is None else seen.title, *row.section), wanted)


def _seen_then(row: Row[Any], then: datetime | None) -> Effective | None:
    """What was seen of the document while a retired version was current."""
    return None if then is None or row.state != "retired" else registry.seen(row, row, patched=Layer())


def _text(row: Row[Any]) -> str:
    text: str = row.parent_text
    return text[row.span_start - row.parent_start : row.span_end - row.parent_start]


def _no_version(request: OfVersion, what: str) -> VersionMissing:
    name = "a current version" if request.version is None else f"version {request.version}"
    return VersionMissing(f"{name} of {request.id} {what}", document=request.id, version=request.version)
