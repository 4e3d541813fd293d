"""Who may read and who may change a document: pure rules over tokens, roles and scopes."""

from typing import Any, NamedTuple

from sqlalchemy import Row

from muniment.collections.contract import CollectionRef
from muniment.identity.contract import EDITORS, Level
from muniment.kernel.caller import Caller


class Holding(NamedTuple):
    """The facts that readers follow from; people and the collection by id."""

    collection: str
    owner: str | None
    level: Level
    grants: tuple[str, ...]


def holding(row: Row[Any]) -> Holding:
    """The facts in a row that has a document's columns."""
    return Holding(row.collection, row.owner, row.access_level, tuple(row.grants))


def readers(facts: Holding) -> frozenset[str]:
    """The tokens of which any one opens the document."""
    owner = () if facts.owner is None else (facts.owner,)
    collection = (f"{facts.collection}:{facts.level}", f"{facts.collection}:granted")
    return frozenset((*owner, *facts.grants, *collection))


def may_read(facts: Holding, who: Caller) -> bool:
    """By a token that the caller holds, unless the collection is withheld; no role is a reason."""
    return facts.collection not in who.withheld and not who.tokens.isdisjoint(readers(facts))


def may_write(facts: Holding, who: Caller, collection: CollectionRef) -> bool:
    """Whether one who may read it may change it, too: as its owner, a manager, or a member who edits."""
    if "documents:write" not in who.scopes:
        return False
    edits = collection.member and not EDITORS.isdisjoint(who.roles)
    return edits or collection.manager or who.principal == facts.owner
