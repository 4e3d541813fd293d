"""Who is what to a collection, and what follows from it: tokens, sight, and the right to change."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from muniment.collections.contract import Entitlement
from muniment.identity.contract import EDITORS, LEVELS, Level
from muniment.kernel.caller import Caller

Kind = Literal["member", "manager", "grant"]

PEOPLE: dict[str, Kind] = {"members": "member", "managers": "manager", "grants": "grant"}
"""The fields that hold subjects, and what each makes of them."""

FIELDS = frozenset({"title", "description", "access_level", "language", "history_days", "ranking"})


def entitled(
    standings: Iterable[tuple[str, Kind]], clearance: Level, withheld: Iterable[str], epoch: str
) -> Entitlement:
    """What a principal may read by, who stands so to collections, directly or through a group."""
    reached = LEVELS[: LEVELS.index(clearance) + 1]
    tokens: set[str] = set()
    for collection, kind in standings:
        if kind == "member":
            tokens.update(f"{collection}:{level}" for level in reached)
        else:
            tokens.add(f"{collection}:{'granted' if kind == 'grant' else 'manager'}")
    return Entitlement(tokens=tuple(sorted(tokens)), withheld=tuple(sorted(withheld)), epoch=epoch)


class Standing(NamedTuple):
    """What a caller is to one collection, as its entitlement says."""

    member: bool
    manager: bool
    granted: bool
    admin: bool
    writes: bool
    edits: bool

    @property
    def sees(self) -> bool:
        """Whether it is there for them, whatever they may read in it."""
        return self.member or self.manager or self.granted or self.admin

    @property
    def deletes(self) -> bool:
        """Managers, and `collections:admin`."""
        return self.admin or (self.manager and self.writes)

    @property
    def changes(self) -> frozenset[str]:
        """The fields that they may change: all, the members alone (as an editor who is one), or none."""
        if self.deletes:
            return FIELDS | PEOPLE.keys()
        if self.member and self.edits and self.writes:
            return frozenset({"members"})
        return frozenset()


def standing(who: Caller, collection: str) -> Standing:
    """Every member holds the token of the lowest level, whatever their clearance."""
    return Standing(
        member=f"{collection}:{LEVELS[0]}" in who.tokens,
        manager=f"{collection}:manager" in who.tokens,
        granted=f"{collection}:granted" in who.tokens,
        admin="collections:admin" in who.scopes,
        writes="documents:write" in who.scopes,
        edits=not EDITORS.isdisjoint(who.roles),
    )


def seen_by_token(who: Caller) -> frozenset[str]:
    """The ids of collections that the caller's tokens speak of."""
    return frozenset(token.partition(":")[0] for token in who.tokens if token.startswith("col_"))
