"""Who may read and who may change a document: pure rules over tokens, roles and scopes."""

from collections.abc import Iterable

from muniment.identity.contract import EDITORS, LEVELS, Level
from muniment.kernel.caller import Caller


def readers_of(owner: str, grants: Iterable[str], level: Level, collection: str) -> frozenset[str]:
    """The tokens of which any one opens a document. All arguments are ids, but for the level."""
    return frozenset({owner, *grants, f"{collection}:{level}", f"{collection}:granted"})


def may_read(who: Caller, readers: Iterable[str], collection: str) -> bool:
    """By a token that the caller holds, unless the collection is withheld; no role is a reason."""
    return collection not in who.withheld and not who.tokens.isdisjoint(readers)


def may_write(who: Caller, owner: str, collection: str) -> bool:
    """Whether one who may read it may change it, too: as its owner, a manager, or a member who edits."""
    if "documents:write" not in who.scopes:
        return False
    edits = not EDITORS.isdisjoint(who.roles) and is_member(who, collection)
    return edits or owner == who.principal or f"{collection}:manager" in who.tokens


def is_member(who: Caller, collection: str) -> bool:
    """Every member holds the token of the lowest level, whatever their clearance."""
    return f"{collection}:{LEVELS[0]}" in who.tokens
