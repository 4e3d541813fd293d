"""The other rooms that documents ask, as small as they can be: people, collections, and an embedding of words."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np

from muniment.collections.access import standing
from muniment.collections.contract import (
    CollectionRef,
    CollectionRefs,
    Indexes,
    IndexRef,
    Lookup,
    OfCollection,
    PrepareIndex,
    Purged,
    StandbyMissing,
    StandbyThere,
)
from muniment.collections.service import indexes_of
from muniment.embedding.contract import Describe, Embedded, EmbeddingModel, EmbedPassages, EmbedQueries
from muniment.identity.contract import LEVELS, Ids, Level, SubjectIds, SubjectMissing, SubjectNames, Subjects
from muniment.kernel.caller import Caller, caller
from muniment.kernel.ids import new_id
from muniment.kernel.model import Matrix, Nothing
from muniment.kernel.problems import Problem
from muniment.models.contract import FileRef
from muniment.text.terms import terms

DIMENSIONS = 16


class People:
    """The part of `Identity` that turns names into ids and back."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {"group:everyone": "grp_everyone"}

    def add(self, name: str) -> str:
        """A new user's or group's id."""
        self.ids[name] = new_id("usr" if name.startswith("user:") else "grp")
        return self.ids[name]

    async def subject_ids(self, request: Subjects) -> SubjectIds:
        for name in request.names:
            if name not in self.ids:
                raise SubjectMissing(f"there is no {name}", subject=name)
        return SubjectIds(ids=tuple(self.ids[name] for name in request.names))

    async def subject_names(self, request: Ids) -> SubjectNames:
        names = {id_: name for name, id_ in self.ids.items()}
        return SubjectNames(names={id_: names[id_] for id_ in request.ids if id_ in names})


class Shelves:
    """The part of `Collections` that says what a collection is, and hears that it was purged."""

    def __init__(self) -> None:
        self.refs: dict[str, CollectionRef] = {}
        self.purged_ids: list[str] = []

    def add(self, name: str, level: Level = "internal") -> str:
        """A new collection's id."""
        self.refs[name] = CollectionRef(
            id=new_id("col"),
            name=name,
            access_level=level,
            language="en",
            index=IndexRef(name="m.structure-160.1", model="m", recipe="structure-160", generation=1),
            visible=False,
            member=False,
            manager=False,
        )
        return self.refs[name].id

    async def lookup(self, request: Lookup) -> CollectionRefs:
        who = caller()
        found = {key: ref for ref in self.refs.values() for key in (ref.name, ref.id)}
        return CollectionRefs(items=tuple(_as_seen(found[n], who) for n in request.collections if n in found))

    async def indexes(self, request: Nothing) -> Indexes:  # noqa: ARG002 - the contract's shape
        return indexes_of([*self.refs.values()])

    async def prepare_index(self, request: PrepareIndex) -> CollectionRef:
        ref = self._of(request.collection)
        if ref.standby is not None:
            raise StandbyThere("there is one")
        generation = max(index.generation for index in ref.histories) + 1
        model, recipe = request.model or ref.index.model, request.recipe or ref.index.recipe
        name = f"{model}.{recipe}.{generation}"
        standby = IndexRef(name=name, model=model, recipe=recipe, generation=generation)
        return self._change(ref, standby=standby)

    async def switch_index(self, request: OfCollection) -> CollectionRef:
        ref = self._of(request.collection)
        return self._change(ref, index=self._standby(ref), standby=ref.index)

    async def drop_index(self, request: OfCollection) -> CollectionRef:
        ref = self._of(request.collection)
        self._change(ref, standby=None, past=(*ref.past, self._standby(ref)))
        return ref

    def _of(self, collection: str) -> CollectionRef:
        return next(ref for ref in self.refs.values() if collection in (ref.id, ref.name))

    def _change(self, ref: CollectionRef, **changed: object) -> CollectionRef:
        self.refs[ref.name] = ref.model_copy(update=changed)
        return self.refs[ref.name]

    @staticmethod
    def _standby(ref: CollectionRef) -> IndexRef:
        if ref.standby is None:
            raise StandbyMissing("there is none")
        return ref.standby

    def keep(self, name: str, days: int | None) -> None:
        """For how many days the collection keeps what was replaced."""
        self.refs[name] = self.refs[name].model_copy(update={"history_days": days})

    async def purged(self, request: Purged) -> Nothing:
        self.purged_ids.append(request.collection)
        return Nothing()


def _as_seen(ref: CollectionRef, who: Caller) -> CollectionRef:
    own = standing(who, ref.id)
    return ref.model_copy(update={"visible": own.sees, "member": own.member, "manager": own.manager})


class WordEmbedding:
    """`Embedding` by words: a text's vector is the sum of its words' own; what was embedded is noted."""

    def __init__(self, tokenizer: Path) -> None:
        data = tokenizer.read_bytes()
        self._tokenizer = FileRef(
            store=tokenizer.parent.as_uri(),
            key=tokenizer.name,
            size_bytes=len(data),
            sha256=sha256(data).hexdigest(),
        )
        self.texts: list[str] = []
        self.fails: Problem | None = None
        self.before: Callable[[], Awaitable[object]] | None = None

    async def describe(self, request: Describe) -> EmbeddingModel:
        return EmbeddingModel(
            name=request.model, revision="1", dimensions=DIMENSIONS, max_tokens=256, tokenizer=self._tokenizer
        )

    async def embed_queries(self, request: EmbedQueries) -> Embedded:
        return Embedded(vectors=_vectors(request.texts), tokens=len(request.texts))

    async def embed_passages(self, request: EmbedPassages) -> Embedded:
        await asyncio.sleep(0)
        if self.before is not None:
            await self.before()
        if self.fails is not None:
            raise self.fails
        self.texts += request.texts
        return Embedded(vectors=_vectors(request.texts), tokens=len(request.texts))


def _vectors(texts: Iterable[str]) -> Matrix:
    rows = []
    for text in texts:
        row = np.full(DIMENSIONS, 1e-3, np.float32)
        for term in terms(text):
            row[int.from_bytes(sha256(term.encode()).digest()[:2], "big") % DIMENSIONS] += 1
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows).astype(np.float32)


def tokens(
    principal: str,
    *,
    groups: Iterable[str] = (),
    member_of: Iterable[str] = (),
    manager_of: Iterable[str] = (),
    clearance: Level = "internal",
) -> frozenset[str]:
    """An entitlement, as identity and collections make one together."""
    reached = LEVELS[: LEVELS.index(clearance) + 1]
    levels = {f"{collection}:{level}" for collection in member_of for level in reached}
    managed = {f"{collection}:manager" for collection in manager_of}
    return frozenset({principal, "grp_everyone", *groups, *levels, *managed})
