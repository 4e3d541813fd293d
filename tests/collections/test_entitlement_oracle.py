"""Entitlements against a naive oracle: random nested groups, people, clearances, grants and deletions.

The oracle walks every edge for every question and keeps nothing; the rooms keep closures, and caches by epoch.
After each step the entitlement of every user, made as the edge makes it, equals what the oracle says.
"""

from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from muniment.collections.contract import CreateCollection, DeleteCollection, Purged, UpdateCollection
from muniment.identity.contract import (
    LEVELS,
    ByName,
    GroupCircle,
    Membership,
    UpdateUser,
)
from muniment.kernel.problems import Unauthenticated

FIELDS = {"members": "member", "managers": "manager", "grants": "grant"}
USERS, GROUPS, COLLECTIONS = 3, 4, 3
user, group, collection = (st.integers(0, n - 1) for n in (USERS, GROUPS, COLLECTIONS))
subject = st.one_of(
    user.map(lambda n: f"user:u{n}"), group.map(lambda n: f"group:g{n}"), st.just("group:everyone")
)
subjects = st.lists(subject, max_size=3, unique=True)
step = st.one_of(
    st.tuples(st.just("join"), group, subject),
    st.tuples(st.just("join"), group, group.map(lambda n: f"group:g{n}")),
    st.tuples(st.just("leave"), group, subject),
    st.tuples(st.just("clear"), user, st.sampled_from(LEVELS)),
    st.tuples(st.just("put"), collection, st.sampled_from(sorted(FIELDS)), subjects),
    st.tuples(st.just("drop_group"), group),
    st.tuples(st.just("drop_user"), user),
    st.tuples(st.just("delete"), collection),
    st.tuples(st.just("purge"), collection),
)
opening = st.tuples(
    *(st.tuples(st.just("join"), st.just(n), st.just(f"group:g{n + 1}")) for n in range(GROUPS - 1)),
    *(st.tuples(st.just("join"), group, st.just(f"user:u{n}")) for n in range(USERS)),
    *(
        st.tuples(st.just("put"), st.just(n), st.just(field), subjects)
        for n in range(COLLECTIONS)
        for field in FIELDS
    ),
)
"""Groups inside one another, users somewhere in them, and people in every collection."""
serial = count()


class Oracle:
    """The truth, as plain sets of names."""

    def __init__(self) -> None:
        self.clearance: dict[str, int] = {}
        self.groups = {f"group:g{n}" for n in range(GROUPS)}
        self.inside: set[tuple[str, str]] = set()
        self.people: dict[str, dict[str, set[str]]] = {}
        self.deleted: set[str] = set()

    def holds(self, subject: str, user: str) -> bool:
        if subject in {user, "group:everyone"}:
            return True
        return any(self.holds(inner, user) for outer, inner in self.inside if outer == subject)

    def reaches(self, group: str, inner: str) -> bool:
        return group == inner or any(self.reaches(i, inner) for g, i in self.inside if g == group)

    def drop(self, subject: str) -> None:
        self.inside = {edge for edge in self.inside if subject not in edge}
        for kinds in self.people.values():
            for stand in kinds.values():
                stand.discard(subject)

    def tokens(self, user: str) -> set[str]:
        found = set()
        for identifier, kinds in self.people.items():
            if any(self.holds(s, user) for s in kinds["member"]):
                found |= {f"{identifier}:{level}" for level in LEVELS[: self.clearance[user] + 1]}
            if any(self.holds(s, user) for s in kinds["grant"]):
                found.add(f"{identifier}:granted")
            if any(self.holds(s, user) for s in kinds["manager"]):
                found.add(f"{identifier}:manager")
        return found


class Trial:
    """One run of steps, on the rooms and on the oracle; names get a prefix of their own in the rooms."""

    def __init__(self, town: Any) -> None:
        self.town = town
        self.oracle = Oracle()
        self.prefix = f"t{next(serial)}."
        self.ids: list[str] = []

    def real(self, subject: str) -> str:
        kind, _, name = subject.partition(":")
        return subject if name == "everyone" else f"{kind}:{self.prefix}{name}"

    async def begin(self, clearances: list[int]) -> None:
        for n, clearance in enumerate(clearances):
            await self.town.user(f"{self.prefix}u{n}", clearance=LEVELS[clearance])
            self.oracle.clearance[f"user:u{n}"] = clearance
        for n in range(GROUPS):
            await self.town.group(f"{self.prefix}g{n}")
        async with self.town.asking("admin") as collections:
            for n in range(COLLECTIONS):
                made = await collections.create(CreateCollection(name=f"{self.prefix}{n}".replace(".", "-")))
                self.ids.append(made.id)
                self.oracle.people[made.id] = {"member": set(), "manager": set(), "grant": set()}

    def alive(self, subject: str) -> bool:
        known = self.oracle.groups | self.oracle.clearance.keys() | {"group:everyone"}
        return subject in known

    async def take(self, what: str, *args: Any) -> None:
        async with self.town.asking("admin"):
            await getattr(self, f"_{what}")(*args)

    async def _join(self, group: int, subject: str) -> None:
        outer = f"group:g{group}"
        if not (self.alive(outer) and self.alive(subject)):
            return
        circle = subject != "group:everyone" and self.oracle.reaches(subject, outer)
        try:
            await self.town.identity.add_member(Membership(group=self.real(outer)[6:], subject=self.real(subject)))
        except GroupCircle:
            assert circle
        else:
            assert not circle
            self.oracle.inside.add((outer, subject))

    async def _leave(self, group: int, subject: str) -> None:
        outer = f"group:g{group}"
        if self.alive(outer) and self.alive(subject):
            await self.town.identity.remove_member(
                Membership(group=self.real(outer)[6:], subject=self.real(subject))
            )
            self.oracle.inside.discard((outer, subject))

    async def _clear(self, user: int, level: Any) -> None:
        name = f"user:u{user}"
        if self.alive(name):
            await self.town.identity.update_user(UpdateUser(name=self.real(name)[5:], clearance=level))
            self.oracle.clearance[name] = LEVELS.index(level)

    async def _put(self, which: int, field: str, subjects: list[str]) -> None:
        identifier = self.ids[which]
        if identifier in self.oracle.people:
            chosen = [s for s in subjects if self.alive(s)]
            people = {field: tuple(map(self.real, chosen))}
            await self.town.collections.update(UpdateCollection.model_validate({"name": identifier, **people}))
            self.oracle.people[identifier][FIELDS[field]] = set(chosen)

    async def _drop_group(self, group: int) -> None:
        name = f"group:g{group}"
        if self.alive(name):
            await self.town.identity.delete_group(ByName(name=self.real(name)[6:]))
            self.oracle.groups.discard(name)
            self.oracle.drop(name)

    async def _drop_user(self, user: int) -> None:
        name = f"user:u{user}"
        if self.alive(name):
            await self.town.identity.delete_user(ByName(name=self.real(name)[5:]))
            del self.oracle.clearance[name]
            self.oracle.drop(name)

    async def _delete(self, which: int) -> None:
        identifier = self.ids[which]
        if self.oracle.people.pop(identifier, None) is not None:
            await self.town.collections.delete(DeleteCollection(name=identifier))
            self.oracle.deleted.add(identifier)

    async def _purge(self, which: int) -> None:
        identifier = self.ids[which]
        await self.town.collections.purged(Purged(collection=identifier))
        self.oracle.deleted.discard(identifier)

    async def check(self) -> None:
        for n in range(USERS):
            name = f"user:u{n}"
            try:
                entitlement = await self.town.entitlement(self.real(name)[5:])
            except Unauthenticated:
                assert not self.alive(name)
                continue
            mine = {token for token in entitlement.tokens if token.partition(":")[0] in self.ids}
            assert mine == self.oracle.tokens(name)
            assert set(entitlement.withheld) & set(self.ids) == self.oracle.deleted


@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink a town takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(st.integers(0, 3), min_size=USERS, max_size=USERS),
    opening,
    st.lists(step, min_size=5, max_size=20),
)
async def test_entitlements_are_what_the_oracle_says_after_every_change(
    town: Any, clearances: list[int], first: tuple[Any, ...], steps: list[Any]
) -> None:
    trial = Trial(town)
    await trial.begin(clearances)
    for what, *args in first:
        await trial.take(what, *args)
    await trial.check()
    for what, *args in steps:
        await trial.take(what, *args)
        await trial.check()
