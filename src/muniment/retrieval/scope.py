"""Where one request looks: its collections' indexes, the conditions on every point, and how far back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from muniment.collections.contract import (
    CollectionMissing,
    CollectionRef,
    Collections,
    Indexes,
    Lookup,
    Ranking,
    StandbyMissing,
)
from muniment.documents.contract import CountReadable, Documents
from muniment.kernel.caller import caller
from muniment.kernel.epochs import AsOf
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Forbidden, Invalid
from muniment.retrieval.contract import Filters
from muniment.retrieval.filters import conditions
from muniment.retrieval.places import EVERYWHERE, Place, Reach, all_places, places, reach, require_past
from muniment.vectors.contract import NoneOf


class Asked(NamedTuple):
    """What a request says of where to look."""

    collections: tuple[str, ...] | None
    filters: Filters
    as_of: datetime | None
    standby: bool = False


class Scope(NamedTuple):
    """The places, the collections by name if they were named, and whether earlier versions may be missing.

    `priors` are those of collections that are searched together with others.
    """

    places: tuple[Place, ...]
    collections: tuple[CollectionRef, ...]
    forgets: bool
    priors: Mapping[str, float] = MappingProxyType({})

    @property
    def language(self) -> str | None:
        """The language of the collections that were named, if they have one in common."""
        languages = {ref.language for ref in self.collections}
        return languages.pop() if len(languages) == 1 else None

    @property
    def languages(self) -> tuple[str, ...]:
        """Those of the collections that were named, each once; of one that says none, English."""
        return tuple(sorted({ref.language or "en" for ref in self.collections}))

    @property
    def ranking(self) -> Ranking:
        """How the collections that were named are judged, where they are judged alike."""
        rankings = {ref.ranking for ref in self.collections}
        return (rankings.pop() if len(rankings) == 1 else None) or Ranking()


class Scoping:
    """Asks the neighbours what the caller may look into."""

    def __init__(self, collections: Collections, documents: Documents) -> None:
        self._collections, self._documents = collections, documents
        self._indexes: AsOf[Indexes] = AsOf()

    async def of(self, asked: Asked) -> Scope:
        """The scope of a request.

        Raises Invalid for filters that do not fit, CollectionMissing, NotAvailable for a past that is not kept;
        Forbidden and StandbyMissing for a standby that the caller may not, or cannot, search.
        """
        wanted, as_of = conditions(asked.filters), asked.as_of
        if asked.collections == ():
            reason = "an empty list searches nothing; leave it out to search all"
            raise Invalid(f"collections: {reason}", errors=[{"field": "collections", "reason": reason}])
        if asked.standby and asked.collections is None:
            reason = "needs `collections`: name those whose second index is to be searched"
            raise Invalid(f"standby {reason}", errors=[{"field": "standby", "reason": reason}])
        if as_of is not None:
            require_past(as_of)
        if asked.collections is None:
            kept = await self._reach(as_of)
            closed = tuple(sorted({*caller().withheld, *kept.off}))
            open_only = (NoneOf(field="collection", values=closed),) if closed else ()
            indexes = await self._all_indexes()
            return Scope(all_places(indexes, wanted + open_only, as_of), (), kept.forgets, indexes.priors)
        refs = await self._visible(asked.collections)
        kept = await self._reach(as_of, refs)
        if asked.standby:
            refs = [_on_standby(ref) for ref in refs]
        return Scope(places(refs, wanted, as_of), tuple(refs), kept.forgets, _priors(refs))

    async def _reach(self, as_of: datetime | None, refs: Sequence[CollectionRef] | None = None) -> Reach:
        """How far back the collections, or all that the caller reads in, can be searched.

        Raises NotAvailable where they cannot.
        """
        if as_of is None:
            return EVERYWHERE
        ids = None if refs is None else tuple(ref.id for ref in refs)
        kept = (await self._documents.history(CountReadable(collections=ids))).days
        return reach(kept, as_of, None if refs is None else {ref.id: ref.name for ref in refs})

    async def _all_indexes(self) -> Indexes:
        """As of the caller's epoch, which moves with every change of a collection: asked once for each."""
        epoch = caller().epoch
        known = self._indexes.get(epoch, None) if epoch else None
        if known is None:
            known = await self._collections.indexes(Nothing())
            self._indexes.put(epoch, None, known)
        return known

    async def _visible(self, names: Sequence[str]) -> list[CollectionRef]:
        found = (await self._collections.lookup(Lookup(collections=tuple(names)))).items
        by_name = {key: ref for ref in found for key in (ref.name, ref.id)}
        unseen = tuple(ref.id for ref in found if not ref.visible)
        counts: dict[str, int] = {}
        if unseen:
            counts = (await self._documents.count_readable(CountReadable(collections=unseen))).counts
        refs: dict[str, CollectionRef] = {}
        for name in names:
            ref = by_name.get(name)
            if ref is None or not (ref.visible or counts.get(ref.id)):
                raise CollectionMissing(
                    f"there is no collection {name!r} that you may read; leave `collections` out to search all",
                    collection=name,
                )
            refs[ref.id] = ref
        return list(refs.values())


def _priors(refs: Sequence[CollectionRef]) -> dict[str, float]:
    """None where all are judged alike: then their ranking has it."""
    if len({ref.ranking for ref in refs}) == 1:
        return {}
    return {ref.id: ref.ranking.prior for ref in refs if ref.ranking and ref.ranking.prior is not None}


def _on_standby(ref: CollectionRef) -> CollectionRef:
    """The collection as it would be searched after a switch; for who may switch it."""
    if not (ref.manager or "collections:admin" in caller().scopes):
        raise Forbidden(f"only managers of {ref.name} search its second index", collection=ref.name)
    if ref.standby is None:
        raise StandbyMissing(f"{ref.name} has one index only: build another first", collection=ref.name)
    return ref.model_copy(update={"index": ref.standby, "standby": ref.index})
