"""Collections' contract: named sets of documents, who belongs to them, and which index they use."""

from typing import Annotated, Literal, Protocol

from pydantic import Field, JsonValue, StringConstraints

from muniment.identity.contract import Level, SubjectName
from muniment.kernel.contract import idempotent
from muniment.kernel.model import Change, Model, Nothing, Page, Paged, Text, Time
from muniment.kernel.problems import Problem

CollectionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
"""ISO 639-1."""

HistoryDays = Annotated[int, Field(ge=0, le=36_500)]
"""How long retired versions are kept: 0 not at all; where it is null, as long as the server's setting says."""

OPERATOR = frozenset({"collections:admin", "monitoring:read"})
"""Any of these scopes sees runs and dead letters whatever they belong to, though not what is in a document."""

HISTORY = ".history"
"""Ends the name of an index of retired versions; what stands before it names the index that they were in."""


class IndexRef(Model):
    """Where chunks are searched: an embedding model, a chunking recipe, a generation. `name` joins the three."""

    name: str
    model: str
    recipe: str
    generation: int

    @property
    def history(self) -> str:
        """The name of the index that keeps the points of retired versions."""
        return self.name + HISTORY


ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""An embedding model, as the models room names it."""


class Ranking(Model):
    """How searches of a collection judge; what is null is as the server has it.

    `dense`, `words` and `grams` weigh cosine, words and spelling; `prior` all that is not the cosine. `candidates`
    is how many passages each list brings.
    """

    dense: float | None = Field(default=None, ge=0, le=8)
    words: float | None = Field(default=None, ge=0, le=8)
    grams: float | None = Field(default=None, ge=0, le=8)
    prior: float | None = Field(default=None, ge=0, le=8)
    candidates: int | None = Field(default=None, ge=10, le=1000)


class CreateCollection(Model):
    """`model` is the embedding model, the server's default when it is left out."""

    name: CollectionName
    title: Text | None = Field(default=None, max_length=512)
    description: Text | None = Field(default=None, max_length=8192)
    access_level: Level = "internal"
    members: tuple[SubjectName, ...] = ()
    managers: tuple[SubjectName, ...] = ()
    grants: tuple[SubjectName, ...] = ()
    language: Language | None = None
    history_days: HistoryDays | None = None
    ranking: Ranking | None = None
    model: ModelName | None = None


class Collection(Model):
    """A collection as its readers see it; who belongs to it is shown to those who may change that.

    `index` is where it is searched; `standby` the one that is built beside it, or stands ready to go back to.
    `documents` is how many of its documents the caller may read; this room leaves it null, the edge fills it.
    """

    id: str
    name: str
    title: str | None
    description: str | None
    access_level: Level
    members: tuple[str, ...] | None
    managers: tuple[str, ...] | None
    grants: tuple[str, ...] | None
    language: str | None
    history_days: HistoryDays | None = None
    ranking: Ranking | None = None
    index: IndexRef
    standby: IndexRef | None = None
    created_at: Time
    documents: int | None = None


class GetCollection(Model):
    """By name. `readable` are ids of collections in which the caller reads a document: those are seen, too."""

    name: str = Field(max_length=256)
    readable: frozenset[str] = frozenset()


class ListCollections(Paged):
    """Those the caller may see; `readable` as in GetCollection."""

    readable: frozenset[str] = frozenset()


class UpdateCollection(Change):
    """`name` is the collection's, from the path; it cannot be changed."""

    name: str
    title: Text | None = Field(default=None, max_length=512)
    description: Text | None = Field(default=None, max_length=8192)
    access_level: Level | None = None
    members: tuple[SubjectName, ...] | None = None
    managers: tuple[SubjectName, ...] | None = None
    grants: tuple[SubjectName, ...] | None = None
    language: Language | None = None
    history_days: HistoryDays | None = None
    ranking: Ranking | None = None


class DeleteCollection(Model):
    name: str = Field(max_length=256)


class DeletedCollection(Model):
    """What was deleted, and the id of the run (of the documents room) that purges its documents.

    Also the data of the event `collection.deleted`.
    """

    id: str
    name: str
    run: str


class Entitle(Model):
    """A principal as identity knows it: its id, all its group ids, its clearance."""

    principal: str
    group_ids: tuple[str, ...]
    clearance: Level


class Entitlement(Model):
    """This room's part of an entitlement, as of `epoch`.

    `tokens` are `col_<id>:<level>` for each membership and level up to the clearance, and `col_<id>:granted`.
    A manager also holds `col_<id>:manager`, which no document names among its readers: it opens no text, and tells
    this room who may change the collection.
    `withheld` are ids of collections that are deleted but not yet purged: no token opens them any more.
    """

    tokens: tuple[str, ...]
    withheld: tuple[str, ...]
    epoch: str


class Lookup(Model):
    """Collections by name or by id, in any mixture."""

    collections: tuple[str, ...]


class CollectionRef(Model):
    """A collection and what the present caller is to it.

    `visible`: the caller sees it without reading any of its documents (manager, member, granted, admin).
    All that is written goes to `index` and to `standby`; searched is `index` alone. `past` are those it had.
    """

    id: str
    name: str
    access_level: Level
    language: str | None
    index: IndexRef
    visible: bool
    member: bool
    manager: bool
    history_days: HistoryDays | None = None
    ranking: Ranking | None = None
    standby: IndexRef | None = None
    past: tuple[IndexRef, ...] = ()

    @property
    def histories(self) -> tuple[IndexRef, ...]:
        """Every index in whose history a version of its documents may stand."""
        return (*self.written, *(index for index in self.past if index not in self.written))

    @property
    def written(self) -> tuple[IndexRef, ...]:
        """Every index that its chunks stand in."""
        return (self.index,) if self.standby is None else (self.index, self.standby)


class CollectionRefs(Model):
    """Those that exist, in the order asked; unknown and deleted ones are left out."""

    items: tuple[CollectionRef, ...]


class Indexes(Model):
    """Every index that a collection is searched in at present.

    `unsearched` are, by index, collections that have points there and are searched in another one. `histories` are
    the indexes in whose histories retired versions stand, `written` those that points go to, standbys too.
    `priors` are those of the collections that have one.
    """

    items: tuple[IndexRef, ...]
    written: tuple[IndexRef, ...] = ()
    unsearched: dict[str, tuple[str, ...]] = Field(default={})
    histories: tuple[IndexRef, ...] = ()
    priors: dict[str, float] = Field(default={})


class PrepareIndex(Model):
    """Another index beside the present one, of the next generation; null keeps the model or the recipe."""

    collection: str = Field(max_length=256)
    model: ModelName | None = None
    recipe: ModelName | None = None


class OfCollection(Model):
    """By name or id."""

    collection: str = Field(max_length=256)


class IndexState(Model):
    """A collection's indexes, and how far the standby is.

    `done` of `total` documents have their passages in the standby, `missing` do not: they are being indexed while
    the run goes on (`building`), and stay away where it has ended otherwise (`incomplete`).
    """

    index: IndexRef
    standby: IndexRef | None
    state: Literal["none", "building", "incomplete", "ready"]
    done: int
    total: int
    missing: int
    run: str | None


class Purged(Model):
    """The documents of a deleted collection are gone; its row may go as well."""

    collection: str


class DeadLetter(Model):
    """A job that failed for good, or an event that its subscribers did not take after all attempts.

    `kind` is the job's kind or the event's type; the id names the room that keeps it. `key` is null where the
    caller may not read the document.
    """

    id: str
    kind: str
    room: str
    what: Literal["job", "event"]
    collection: str | None
    document: str | None
    key: str | None = None
    problem: dict[str, JsonValue] | None
    attempts: int
    created_at: Time
    failed_at: Time


class ListDeadLetters(Paged):
    """Those the caller may see, the newest first, events behind jobs."""

    kind: str | None = Field(default=None, max_length=256)


class OfDeadLetter(Model):
    id: str = Field(max_length=256)


class DeadLetterMissing(Problem, status=404):
    """No such dead letter, or none that the caller may see; what is at work again is none any more."""


class CollectionMissing(Problem, status=404):
    """No such collection, or none that the caller may see; `collection` names it."""


class CollectionTaken(Problem, status=409): ...


class StandbyThere(Problem, status=409):
    """The collection has a second index already: switch to it, or drop it, first."""


class StandbyMissing(Problem, status=409):
    """The collection has one index only: build another first."""


class StandbyNotReady(Problem, status=409):
    """Documents are missing in the second index, `missing` of them: wait for its run, or retry that."""


class IndexIncomplete(Problem, status=409):
    """Some documents could not be put into the index: `documents` says which and why, of a few."""


class IndexDelayed(Problem, status=503, retryable=True):
    """Some documents could not be put into the index for now; they are tried again."""


class Collections(Protocol):
    """Named sets of documents."""

    async def create(self, request: CreateCollection) -> Collection:
        """Make a collection; the caller becomes its member and manager. Needs `documents:write`."""
        ...

    @idempotent
    async def list(self, request: ListCollections) -> Page[Collection]: ...

    @idempotent
    async def get(self, request: GetCollection) -> Collection: ...

    @idempotent
    async def update(self, request: UpdateCollection) -> Collection:
        """Change fields, members, managers or grants; in force for every request that starts after the answer."""
        ...

    @idempotent
    async def delete(self, request: DeleteCollection) -> DeletedCollection:
        """Gone at once for everyone; its documents are purged by the event `collection.deleted`."""
        ...

    @idempotent
    async def entitle(self, request: Entitle) -> Entitlement:
        """This room's part of a principal's entitlement."""
        ...

    @idempotent
    async def lookup(self, request: Lookup) -> CollectionRefs:
        """For other rooms: ids, names, index, and what the caller is to each, seen or not."""
        ...

    @idempotent
    async def indexes(self, request: Nothing) -> Indexes:
        """For retrieval over everything."""
        ...

    async def prepare_index(self, request: PrepareIndex) -> CollectionRef:
        """Give the collection a standby, which the documents room fills. For its managers and `collections:admin`.

        Raises StandbyThere.
        """
        ...

    async def switch_index(self, request: OfCollection) -> CollectionRef:
        """Search the standby from now on, and keep the other as the standby; again is back.

        Raises StandbyMissing.
        """
        ...

    async def drop_index(self, request: OfCollection) -> CollectionRef:
        """Forget the standby; the answer still names it, for whoever clears it.

        Raises StandbyMissing.
        """
        ...

    @idempotent
    async def purged(self, request: Purged) -> Nothing:
        """For the documents room, when a deleted collection's documents are gone."""
        ...

    @idempotent
    async def list_dead_letters(self, request: ListDeadLetters) -> Page[DeadLetter]:
        """Events of this room; for operators, others see none."""
        ...

    @idempotent
    async def retry_dead_letter(self, request: OfDeadLetter) -> Nothing:
        """Deliver it after all, with all its attempts. Needs `collections:admin`."""
        ...

    @idempotent
    async def drop_dead_letter(self, request: OfDeadLetter) -> Nothing:
        """Forget it. Needs `collections:admin`."""
        ...
