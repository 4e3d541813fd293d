"""Searching as of a time: which indexes, under which conditions, and whether anything was kept."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from muniment.collections.contract import IndexRef
from muniment.kernel.model import now
from muniment.kernel.problems import Invalid, NotAvailable
from muniment.vectors.contract import Filter, NotAfter, Range


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


def places(indexes: Iterable[IndexRef], wanted: Filter, as_of: datetime | None) -> tuple[Place, ...]:
    """Each index, and for an earlier time also its history.

    What is current now says no more than since when it can have been: the exact moment is looked at in hydration.
    """
    found: dict[str, Place] = {}
    for index in indexes:
        if as_of is None:
            found[index.name] = Place(index.name, index.model, wanted)
            continue
        begun = NotAfter(field="current_from", at=as_of)
        then = (Range(field="current_from", lte=as_of), Range(field="current_to", gt=as_of))
        found[index.name] = Place(index.name, index.model, (*wanted, begun))
        found[index.history] = Place(index.history, index.model, (*wanted, *then))
    return tuple(found.values())


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
