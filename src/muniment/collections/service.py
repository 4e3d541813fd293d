"""Collections on one SQL database."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.collections import store
from muniment.collections.access import FIELDS, PEOPLE, Kind, Standing, entitled, seen_by_token, standing
from muniment.collections.contract import (
    Collection,
    CollectionMissing,
    CollectionRef,
    CollectionRefs,
    CollectionTaken,
    CreateCollection,
    DeleteCollection,
    DeletedCollection,
    Entitle,
    Entitlement,
    GetCollection,
    Indexes,
    IndexRef,
    ListCollections,
    Lookup,
    OfCollection,
    PrepareIndex,
    Purged,
    StandbyMissing,
    StandbyThere,
    UpdateCollection,
)
from muniment.collections.letters import Letters
from muniment.identity.contract import Identity, Ids, Subjects
from muniment.kernel.caller import Caller, caller
from muniment.kernel.database import Database
from muniment.kernel.epochs import AsOf, Latest
from muniment.kernel.ids import new_id
from muniment.kernel.model import Nothing, Page, now
from muniment.kernel.outbox import Outbox
from muniment.kernel.pages import decode_cursor, encode_cursor
from muniment.kernel.problems import Forbidden, Invalid
from muniment.kernel.settings import RoomSettings


class CollectionsSettings(RoomSettings):
    """What a new collection starts with."""

    default_model: str = Field(default="all-minilm-l6-v2", description="The embedding model of new collections.")
    default_recipe: str = Field(default="structure-160", description="The chunking recipe of new collections.")


class SqlCollections(Letters):
    """Named sets of documents, from tables."""

    def __init__(
        self, database: Database, outbox: Outbox, identity: Identity, settings: CollectionsSettings
    ) -> None:
        super().__init__(database, outbox)
        self._identity = identity
        self._settings = settings
        self._known, self._epoch = AsOf[Entitlement](), Latest(database, store.epoch)

    async def create(self, request: CreateCollection) -> Collection:
        """A name is taken even where the caller does not see by whom."""
        who = caller()
        who.require("documents:write")
        people = await self._people(request)
        people["member"] = (*people.get("member", ()), who.principal)
        people["manager"] = (*people.get("manager", ()), who.principal)
        collection = new_id("col")
        row = {
            "id": collection,
            "name": request.name,
            **request.model_dump(include=set(FIELDS)),
            "index_model": request.model or self._settings.default_model,
            "index_recipe": self._settings.default_recipe,
            "index_generation": 1,
            "last_generation": 1,
            "created_at": now(),
        }
        async with self._database.write() as connection:
            await store.begin_change(connection)
            if await store.named(connection, [request.name]):
                raise CollectionTaken(
                    f"there is a collection {request.name} already: choose another name",
                    collection=request.name,
                )
            await store.add(connection, row)
            await store.put_people(connection, collection, people)
        created = standing(who, collection)._replace(member=True, manager=True)
        return await self._shown(request.name, collection, created)

    async def list(self, request: ListCollections) -> Page[Collection]:
        """In order of name."""
        who = caller()
        after = "" if request.cursor is None else str(decode_cursor(request.cursor, str)[0])
        ids = None if "collections:admin" in who.scopes else seen_by_token(who) | request.readable
        async with self._database.read() as connection:
            rows, more = await store.page(connection, ids=ids, after=after, limit=request.limit)
            people = await store.people_of(connection, [row.id for row in rows])
        return Page(
            items=await self._named([(row, standing(who, row.id)) for row in rows], people),
            next_cursor=encode_cursor(rows[-1].name) if more else None,
        )

    async def get(self, request: GetCollection) -> Collection:
        """Missing is also what the caller does not see."""
        async with self._database.read() as connection:
            row = await _found(connection, request.name)
            people = await store.people_of(connection, [row.id])
        own = standing(caller(), row.id)
        if not own.sees and row.id not in request.readable:
            raise _missing(request.name)
        return (await self._named([(row, own)], people))[0]

    async def update(self, request: UpdateCollection) -> Collection:
        """Subjects are turned into ids before the transaction: it waits for no other room."""
        row, own = await self._to_change(request.name)
        given = request.model_fields_set - {"name"}
        if not own.changes or given - own.changes:
            fields = ", ".join(sorted(given - own.changes)) or "anything"
            raise Forbidden(f"you may not change {fields} of the collection {row.name}", collection=row.name)
        if "access_level" in given and request.access_level is None:
            raise Invalid(
                "access_level cannot be cleared: give a level, or leave it out",
                errors=[{"field": "access_level", "reason": "cannot be null"}],
            )
        people = await self._people(request)
        async with self._database.write() as connection:
            await store.begin_change(connection)
            row = await _found(connection, row.id)
            await store.change(connection, row.id, request.model_dump(include=given & FIELDS))
            await store.put_people(connection, row.id, people)
        return await self._shown(request.name, row.id, own)

    async def delete(self, request: DeleteCollection) -> DeletedCollection:
        """The name is free again at once; the row waits for `purged`."""
        row, own = await self._to_change(request.name)
        if not own.deletes:
            raise Forbidden(f"you may not delete the collection {row.name}", collection=row.name)
        gone = DeletedCollection(id=row.id, name=row.name, run=new_id("run_documents"))
        async with self._database.write() as connection:
            await store.begin_change(connection)
            await _found(connection, row.id)
            await store.bury(connection, row.id, now())
            await self._outbox.put(connection, "collection.deleted", gone)
        return gone

    async def entitle(self, request: Entitle) -> Entitlement:
        """The epoch alone is looked at where the same was asked as of it."""
        key = (request.principal, request.clearance, frozenset(request.group_ids))
        known = self._known.get(await self._epoch.get(), key)
        if known is None:
            async with self._database.read() as connection:
                epoch = await store.epoch(connection)  # of the state that the rest is read from
                standings = await store.standings_of(connection, (request.principal, *request.group_ids))
                known = entitled(standings, request.clearance, await store.buried(connection), epoch)
            self._known.put(epoch, key, known)
        return known

    async def lookup(self, request: Lookup) -> CollectionRefs:
        """A name that is asked twice is answered twice."""
        who = caller()
        async with self._database.read() as connection:
            rows = await store.named(connection, request.collections)
        found = {key: row for row in rows for key in (row.name, row.id)}
        return CollectionRefs(items=tuple(_ref(found[name], who) for name in request.collections if name in found))

    async def indexes(self, request: Nothing) -> Indexes:  # noqa: ARG002 - the contract's shape
        """Of living collections, in the order of their names."""
        async with self._database.read() as connection:
            return indexes_of([_ref(row, caller()) for row in await store.living(connection)])

    async def prepare_index(self, request: PrepareIndex) -> CollectionRef:
        """The generation is one that this collection never had; others may share the index it names."""
        async with self._changing_index(request.collection) as (connection, row):
            if row.standby_model is not None:
                raise StandbyThere(
                    f"{row.name} has a second index already: wait until it is built and switch to it, or drop it",
                    collection=row.name,
                )
            generation = row.last_generation + 1
            values = {
                "standby_model": request.model or row.index_model,
                "standby_recipe": request.recipe or row.index_recipe,
                "standby_generation": generation,
                "last_generation": generation,
            }
            await store.change(connection, row.id, values)
        return await self._ref_of(row.id)

    async def switch_index(self, request: OfCollection) -> CollectionRef:
        """Both in one statement: no search sees neither."""
        async with self._changing_index(request.collection) as (connection, row):
            _require_standby(row)
            pairs = [(f"index_{part}", f"standby_{part}") for part in ("model", "recipe", "generation")]
            values = {name: getattr(row, other) for a, b in pairs for name, other in ((a, b), (b, a))}
            await store.change(connection, row.id, values)
        return await self._ref_of(row.id)

    async def drop_index(self, request: OfCollection) -> CollectionRef:
        """The answer is from before."""
        async with self._changing_index(request.collection) as (connection, row):
            _require_standby(row)
            values = {f"standby_{part}": None for part in ("model", "recipe", "generation")}
            dropped = _standby_of(row)
            past = [*(row.past_indexes or ()), *([] if dropped is None else [dropped.model_dump()])]
            await store.change(connection, row.id, {**values, "past_indexes": past})
        return _ref(row, caller())

    @asynccontextmanager
    async def _changing_index(self, collection: str) -> AsyncIterator[tuple[AsyncConnection, Row[Any]]]:
        """One change of a collection's indexes, for those who may."""
        found, own = await self._to_change(collection)
        if not own.deletes:
            raise Forbidden(f"you may not change the index of {found.name}", collection=found.name)
        async with self._database.write() as connection:
            await store.begin_change(connection)
            yield connection, await _found(connection, found.id)

    async def _ref_of(self, collection: str) -> CollectionRef:
        async with self._database.read() as connection:
            return _ref(await _found(connection, collection), caller())

    async def purged(self, request: Purged) -> Nothing:
        """A collection that lives, or that nobody knows, is left alone."""
        async with self._database.write() as connection:
            await store.begin_change(connection)
            await store.forget(connection, request.collection)
        return Nothing()

    async def _to_change(self, name: str) -> tuple[Row[Any], Standing]:
        """The collection, and what the caller is to it.

        Whether they see it for one of its documents this room cannot know here, so they are told it is missing.
        """
        async with self._database.read() as connection:
            row = await _found(connection, name)
        own = standing(caller(), row.id)
        if not own.sees:
            raise _missing(name)
        return row, own

    async def _people(self, request: CreateCollection | UpdateCollection) -> dict[Kind, tuple[str, ...]]:
        """The ids of the subjects that a request names, by kind; kinds it says nothing of are left out."""
        given = {
            kind: tuple(getattr(request, field) or ())
            for field, kind in PEOPLE.items()
            if field in request.model_fields_set
        }
        names = tuple(dict.fromkeys(name for subjects in given.values() for name in subjects))
        if not names:
            return given
        ids = (await self._identity.subject_ids(Subjects(names=names))).ids
        by_name = dict(zip(names, ids, strict=True))
        return {kind: tuple(by_name[name] for name in subjects) for kind, subjects in given.items()}

    async def _shown(self, name: str, collection: str, own: Standing) -> Collection:
        async with self._database.read() as connection:
            rows = await store.named(connection, [collection])
            people = await store.people_of(connection, [collection])
        if not rows:
            raise _missing(name)
        return (await self._named([(rows[0], own)], people))[0]

    async def _named(
        self,
        rows: Sequence[tuple[Row[Any], Standing]],
        people: Mapping[str, Mapping[Kind, tuple[str, ...]]],
    ) -> tuple[Collection, ...]:
        """Collections as the caller sees them, with the names of people where the caller may change them."""
        ids = {
            subject
            for row, own in rows
            for field in own.changes & PEOPLE.keys()
            for subject in people.get(row.id, {}).get(PEOPLE[field], ())
        }
        names = (await self._identity.subject_names(Ids(ids=tuple(sorted(ids))))).names if ids else {}

        def subjects(row: Row[Any], own: Standing, field: str) -> tuple[str, ...] | None:
            if field not in own.changes:
                return None
            stand = people.get(row.id, {}).get(PEOPLE[field], ())
            return tuple(sorted(names[subject] for subject in stand if subject in names))

        return tuple(
            Collection(
                id=row.id,
                name=row.name,
                title=row.title,
                description=row.description,
                access_level=row.access_level,
                members=subjects(row, own, "members"),
                managers=subjects(row, own, "managers"),
                grants=subjects(row, own, "grants"),
                language=row.language,
                history_days=row.history_days,
                ranking=row.ranking,
                index=_index_of(row),
                standby=_standby_of(row),
                created_at=row.created_at,
            )
            for row, own in rows
        )


def _missing(name: str) -> CollectionMissing:
    return CollectionMissing(f"no collection {name} that you may see", collection=name)


async def _found(connection: AsyncConnection, name: str) -> Row[Any]:
    rows = await store.named(connection, [name])
    if not rows:
        raise _missing(name)
    return rows[0]


def _index(model: str, recipe: str, generation: int) -> IndexRef:
    return IndexRef(name=f"{model}.{recipe}.{generation}", model=model, recipe=recipe, generation=generation)


def _index_of(row: Row[Any]) -> IndexRef:
    return _index(row.index_model, row.index_recipe, row.index_generation)


def _standby_of(row: Row[Any]) -> IndexRef | None:
    if row.standby_model is None:
        return None
    return _index(row.standby_model, row.standby_recipe, row.standby_generation)


def _require_standby(row: Row[Any]) -> None:
    if row.standby_model is None:
        raise StandbyMissing(f"{row.name} has one index only: build another first", collection=row.name)


def _ref(row: Row[Any], who: Caller) -> CollectionRef:
    own = standing(who, row.id)
    return CollectionRef(
        id=row.id,
        name=row.name,
        access_level=row.access_level,
        language=row.language,
        index=_index_of(row),
        visible=own.sees,
        member=own.member,
        manager=own.manager,
        history_days=row.history_days,
        ranking=row.ranking,
        standby=_standby_of(row),
        past=tuple(IndexRef.model_validate(index) for index in row.past_indexes or ()),
    )


def indexes_of(refs: Sequence[CollectionRef]) -> Indexes:
    """Those of all collections: one's standby may be another's index."""
    searched = {ref.index.name: ref.index for ref in refs}
    written = {index.name: index for ref in refs for index in ref.written}
    histories = {index.name: index for ref in refs for index in ref.histories}
    unsearched: dict[str, tuple[str, ...]] = {}
    for ref in refs:
        for index in ref.histories:
            if index != ref.index and index.name in searched:
                unsearched[index.name] = (*unsearched.get(index.name, ()), ref.id)
    return Indexes(
        items=tuple(searched[name] for name in sorted(searched)),
        written=tuple(written[name] for name in sorted(written)),
        unsearched={name: tuple(sorted(ids)) for name, ids in sorted(unsearched.items())},
        histories=tuple(histories[name] for name in sorted(histories)),
        priors={ref.id: ref.ranking.prior for ref in refs if ref.ranking and ref.ranking.prior is not None},
    )
