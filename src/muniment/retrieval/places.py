"""Searching as of a time: which indexes, under which conditions, and whether anything was kept."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from muniment.collections.contract import CollectionRef, Indexes, IndexRef
from muniment.kernel.model import now
from muniment.kernel.problems import Invalid, NotAvailable
from muniment.vectors.contract import AnyOf, Filter, NoneOf, NotAfter, Range


class Place(NamedTuple):
    """An index to look in, its embedding model, and what its points must fulfil."""

    name: str
    model: str
    filter: Filter


class Reach(NamedTuple):
    """Ids of collections that keep no earlier versions, and whether an answer may lack some for it."""

    off: frozenset[str]
    forgets: bool


EVERYWHERE = Reach(frozenset(), forgets=False)


def require_past(as_of: datetime) -> None:
    """Raises Invalid for a time to come."""
    if as_of > now():
        reason = "lies in the future; leave it out to search what is current"
        raise Invalid(f"as_of {reason}", errors=[{"field": "as_of", "reason": reason}])


def all_places(indexes: Indexes, wanted: Filter, as_of: datetime | None) -> tuple[Place, ...]:
    """Every index that some collection is searched in, without the points of those that are searched elsewhere.

    For an earlier time also the histories.
    """
    found = []
    for index in indexes.items:
        closed = indexes.unsearched.get(index.name)
        elsewhere = (NoneOf(field="collection", values=closed),) if closed else ()
        found.append(_now(index, wanted + elsewhere, as_of))
    histories = _distinct((*indexes.items, *indexes.histories))
    return (*found, *_histories(histories, wanted, as_of))


def places(refs: Iterable[CollectionRef], wanted: Filter, as_of: datetime | None) -> tuple[Place, ...]:
    """Each index of the collections, for those that are searched in it, and for an earlier time the histories."""
    refs = tuple(refs)
    found = []
    for index in _distinct(ref.index for ref in refs):
        searched = [ref.id for ref in refs if ref.index == index]
        found.append(_now(index, wanted + _of(searched), as_of))
    histories = _distinct(index for ref in refs for index in ref.histories)
    return (*found, *_histories(histories, wanted + _of([ref.id for ref in refs]), as_of))


def _of(collections: Collection[str]) -> Filter:
    return (AnyOf(field="collection", values=tuple(collections)),)


def _distinct(indexes: Iterable[IndexRef]) -> Collection[IndexRef]:
    return {index.name: index for index in indexes}.values()


def _now(index: IndexRef, wanted: Filter, as_of: datetime | None) -> Place:
    """What is current now says no more than since when it can have been: hydration knows the exact moment."""
    begun = () if as_of is None else (NotAfter(field="current_from", at=as_of),)
    return Place(index.name, index.model, (*wanted, *begun))


def _histories(indexes: Iterable[IndexRef], wanted: Filter, as_of: datetime | None) -> Iterable[Place]:
    """None for a search of what is current."""
    if as_of is None:
        return ()
    then = (Range(field="current_from", lte=as_of), Range(field="current_to", gt=as_of))
    return [Place(index.history, index.model, (*wanted, *then)) for index in indexes]


def reach(days: Mapping[str, int | None], as_of: datetime, named: Mapping[str, str] | None) -> Reach:
    """What collections, by id, keep for so many days; `named` are the names of those that were asked for by name.

    Raises NotAvailable where one of these, or every collection, keeps nothing.
    """
    off = frozenset(collection for collection, kept in days.items() if kept == 0)
    if named is not None and (silent := sorted(named[collection] for collection in off & named.keys())):
        raise NotAvailable(
            f"as_of: {', '.join(silent)} keeps no earlier versions (history_days is 0); search it without as_of",
            collections=silent,
        )
    if off and len(off) == len(days):
        raise NotAvailable("as_of: no collection that you read in keeps earlier versions; search without as_of")
    age = now() - as_of
    past = any(kept is not None and age > timedelta(days=kept) for kept in days.values())
    return Reach(off, forgets=past)
