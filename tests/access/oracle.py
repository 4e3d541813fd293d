"""Who may read what, as product.md says it: plain sets of names, every rule walked afresh for every question."""

import re
from dataclasses import dataclass, field

LEVELS = ("public", "internal", "confidential", "restricted")
WRITERS = frozenset({"member", "editor", "admin"})
EDITORS = frozenset({"editor", "admin"})
EVERYONE = "group:everyone"
SECRET = re.compile(r"vok(?:[bdgklmnprst][aeiou]){5}x")
"""Every text and every key has a word of its own, which tells by its sight alone that it was shown."""


@dataclass
class Person:
    role: str
    clearance: str


@dataclass
class Collection:
    level: str
    people: dict[str, set[str]]


@dataclass
class Document:
    """`words` are the secrets in its text: the current version's, and while one is on its way, that one's.

    `past` are those of versions before, `enclosed` those in the files that came with it; `within` is its message.
    """

    id: str
    collection: str
    key: str
    owner: str | None
    level: str
    grants: set[str]
    words: list[str]
    runs: list[str] = field(default_factory=list)
    ready: bool = False
    past: list[str] = field(default_factory=list)
    enclosed: list[str] = field(default_factory=list)
    within: str | None = None

    @property
    def names(self) -> list[str]:
        """The secrets in its key; an attachment's has those of its message's."""
        return SECRET.findall(self.key)


class Oracle:
    """The truth. People and groups are named as subjects (`user:ada`), collections by name."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.groups: dict[str, set[str]] = {}
        self.collections: dict[str, Collection] = {}
        self.documents: dict[str, Document] = {}

    def is_in(self, person: str, subjects: set[str]) -> bool:
        """Whether one of the subjects is the person, or a group that holds them however deeply."""
        if person in subjects or EVERYONE in subjects:
            return True
        return any(self.is_in(person, self.groups[group]) for group in subjects if group in self.groups)

    def holds(self, group: str, inner: str) -> bool:
        """Whether a group is, or holds, another."""
        return group == inner or any(self.holds(member, inner) for member in self.groups.get(group, ()))

    def is_(self, person: str, what: str, collection: str) -> bool:
        """Whether a person is among a collection's `members`, `managers` or `grants`."""
        return self.is_in(person, self.collections[collection].people[what])

    def reads(self, person: str, document: Document) -> bool:
        """Deny unless granted."""
        if document.owner == person or self.is_in(person, document.grants):
            return True
        if self.is_(person, "grants", document.collection):
            return True
        cleared = LEVELS.index(self.people[person].clearance) >= LEVELS.index(document.level)
        return cleared and self.is_(person, "members", document.collection)

    def changes(self, person: str, document: Document) -> bool:
        """Whether one who reads it may change it."""
        role = self.people[person].role
        edits = role in EDITORS and self.is_(person, "members", document.collection)
        mine = document.owner == person or self.is_(person, "managers", document.collection)
        return role in WRITERS and (edits or mine)

    def sees(self, person: str, collection: str) -> bool:
        """Whether a collection is there for a person."""
        if self.people[person].role == "admin" or bool(self.readable(person, [collection])):
            return True
        return any(self.is_(person, what, collection) for what in ("members", "managers", "grants"))

    def readable(self, person: str, collections: list[str] | None = None) -> list[Document]:
        """All that a person may read."""
        asked = self.collections if collections is None else collections
        return [d for d in self.documents.values() if d.collection in asked and self.reads(person, d)]

    def words(self, person: str) -> set[str]:
        """The secrets that a person may be shown."""
        return {word for d in self.readable(person) for word in (*d.names, *d.words, *d.enclosed)}

    def past(self, person: str) -> set[str]:
        """The secrets of earlier versions that a person may be shown."""
        return {word for d in self.readable(person) for word in d.past}

    def attached(self, document: Document) -> list[Document]:
        """What came with a message."""
        return [d for d in self.documents.values() if d.within == document.id]

    def forget(self, subject: str) -> None:
        """A person or a group is gone, and with it all that was given to it; the name is free."""
        self.people.pop(subject, None)
        self.groups.pop(subject, None)
        given = [*self.groups.values(), *(d.grants for d in self.documents.values())]
        for collection in self.collections.values():
            given += collection.people.values()
        for subjects in given:
            subjects.discard(subject)
        for document in self.documents.values():
            if document.owner == subject:
                document.owner = None

    def drop_collection(self, name: str) -> None:
        del self.collections[name]
        self.documents = {i: d for i, d in self.documents.items() if d.collection != name}
