"""A town of people, groups, collections and documents that changes at random, and is told to the oracle."""

import asyncio
import itertools
import random
from datetime import datetime
from typing import Any

import httpx

from access.oracle import EVERYONE, LEVELS, WRITERS, Collection, Document, Oracle, Person
from muniment.kernel.model import now

PASSWORD = "a password of the town"
POLL_SECONDS = 0.05
"""Between two questions whether a run is over: each takes from the run it asks for."""
ROLES = ("member", "editor", "viewer", "admin", "member")
PEOPLE = ("members", "managers", "grants")
MESSAGE = """From: ada@example.org
To: bob@example.org
Subject: What is written down
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="part"

--part
Content-Type: text/plain

{text}

--part
Content-Type: text/plain
Content-Disposition: attachment; filename="a.txt"

The {enclosed} is written down here.

--part--
"""

_serial = itertools.count(random.SystemRandom().randrange(50**4))


def secret() -> str:
    """A word that no other text has."""
    number, word = next(_serial) * 7919 % 50**5, "vok"
    for _ in range(5):
        number, digit = divmod(number, 50)
        word += "bdgklmnprst"[digit // 5] + "aeiou"[digit % 5]
    return word + "x"


class Town:
    """Acts over HTTP as whoever is named; what an answer should be, the oracle says."""

    def __init__(self, http: httpx.AsyncClient, admin_password: str, seed: int) -> None:
        self.http, self.admin_password = http, admin_password
        self.oracle, self.dice = Oracle(), random.Random(seed)
        self.name = secret()[3:-1]
        self.tokens: dict[str, str] = {}
        self.journal: list[str] = [f"seed {seed}"]
        self.searches = self.calls = 0
        self.moments: list[tuple[datetime, dict[str, str]]] = []
        """What each document said, at times when none was on its way."""
        self.gone: set[str] = set()

    async def call(
        self, who: str, method: str, path: str, body: Any = None, *, accept: str = "application/json", **query: Any
    ) -> httpx.Response:
        """One request as somebody."""
        self.calls += 1
        headers = {"authorization": f"Bearer {self.tokens[who]}", "accept": accept}
        return await self.http.request(method, f"/api/v1/{path}", json=body, params=query or None, headers=headers)

    async def told(self, status: int, who: str, method: str, path: str, body: Any = None) -> Any:
        """One request that must be answered with that status; the answer, decoded."""
        reply = await self.call(who, method, path, body)
        self.journal.append(f"{who} {method} {path} {body} -> {reply.status_code}")
        assert reply.status_code == status, f"expected {status}, got {reply.text} after\n{self.story()}"
        return reply.json() if reply.content else None

    def story(self) -> str:
        return "\n".join(self.journal)

    async def sign_in(self, who: str, password: str) -> None:
        body = {"username": who.rpartition(":")[2], "password": password}
        reply = await self.http.post("/api/v1/auth/login", json=body)
        self.tokens[who] = reply.json()["access_token"]

    async def begin(self, *, people: int = 4, groups: int = 3, collections: int = 3, documents: int = 6) -> None:
        """The first people, groups one inside the other, collections, and documents."""
        await self.sign_in("admin", self.admin_password)
        for n in range(people):
            await self.settle_person(f"user:{self.name}-u{n}", ROLES[n % len(ROLES)], self.dice.choice(LEVELS))
        for n in range(groups):
            await self.found_group(f"group:{self.name}-g{n}")
        for _ in range(groups):
            await self.join()
        for _ in range(collections):
            await self.found_collection()
        for _ in range(documents):
            await self.add()
        await self.write()
        await self.settled()

    async def end(self) -> None:
        """Nothing is left that anybody could read."""
        for name in list(self.oracle.collections):
            await self.call("admin", "DELETE", f"collections/{name}")

    async def settle_person(self, who: str, role: str = "member", clearance: str = "internal") -> None:
        body = {"username": who[5:], "password": PASSWORD, "roles": [role], "clearance": clearance}
        await self.told(201, "admin", "POST", "users", body)
        self.oracle.people[who] = Person(role, clearance)
        await self.sign_in(who, PASSWORD)
        if self.dice.random() < 0.5:  # they come with a key, which acts for them
            self.tokens[who] = (await self.told(201, who, "POST", "api-keys", {"name": "key"}))["key"]

    async def found_group(self, group: str) -> None:
        await self.told(201, "admin", "POST", "groups", {"name": group[6:]})
        self.oracle.groups[group] = set()

    # What may happen, each at random; nothing where there is nobody or nothing to do it with.

    async def step(self) -> None:
        """Something happens."""
        happenings = {
            self.join: 3, self.leave: 3, self.clear: 3, self.regroup: 4, self.regrant: 5, self.add: 3,
            self.write: 2, self.replace: 4, self.delete: 2, self.drop_collection: 1, self.drop_group: 1,
            self.drop_person: 1,
        }  # fmt: skip
        (happens,) = self.dice.choices(list(happenings), list(happenings.values()))
        await happens()

    def subjects(self, most: int = 2) -> list[str]:
        known = [*self.oracle.people, *self.oracle.groups]
        chosen = self.dice.sample(known, self.dice.randint(0, most))
        return [*chosen, EVERYONE] if self.dice.random() < 0.05 else chosen

    def person(self, likely: list[str]) -> str:
        """One of those who may, most of the time."""
        everybody = list(self.oracle.people)
        return self.dice.choice(likely if likely and self.dice.random() < 0.8 else everybody)

    async def join(self) -> None:
        group = self.dice.choice(list(self.oracle.groups))
        member = self.dice.choice([*self.oracle.people, *self.oracle.groups])
        circle = member in self.oracle.groups and self.oracle.holds(member, group)
        await self.told(422 if circle else 204, "admin", "PUT", f"groups/{group[6:]}/members/{member}")
        if not circle:
            self.oracle.groups[group].add(member)

    async def leave(self) -> None:
        edges = [(group, member) for group, inside in self.oracle.groups.items() for member in sorted(inside)]
        if edges:
            group, member = self.dice.choice(edges)
            await self.told(204, "admin", "DELETE", f"groups/{group[6:]}/members/{member}")
            self.oracle.groups[group].discard(member)

    async def clear(self) -> None:
        who, level = self.dice.choice(list(self.oracle.people)), self.dice.choice(LEVELS)
        await self.told(200, "admin", "PATCH", f"users/{who[5:]}", {"clearance": level})
        self.oracle.people[who].clearance = level

    async def regroup(self) -> None:
        """Others are members, managers or granted."""
        name, what, subjects = (
            self.dice.choice(list(self.oracle.collections)),
            self.dice.choice(PEOPLE),
            self.subjects(),
        )
        await self.told(200, "admin", "PATCH", f"collections/{name}", {what: subjects})
        self.oracle.collections[name].people[what] = set(subjects)

    async def found_collection(self, name: str | None = None) -> None:
        name = name or f"{self.name}-{secret()[3:-1]}"
        founder = self.dice.choice([p for p, it in self.oracle.people.items() if it.role in WRITERS])
        people = {what: self.subjects() for what in PEOPLE}
        level = self.dice.choice(LEVELS)
        await self.told(201, founder, "POST", "collections", {"name": name, "access_level": level, **people})
        kept = {
            what: {*subjects, founder} if what != "grants" else set(subjects) for what, subjects in people.items()
        }
        self.oracle.collections[name] = Collection(level, kept)

    async def drop_collection(self) -> None:
        name = self.dice.choice(list(self.oracle.collections))
        await self.told(202, "admin", "DELETE", f"collections/{name}")
        self.oracle.drop_collection(name)
        await self.found_collection(self.dice.choice([name, None]))

    async def drop_group(self) -> None:
        group = self.dice.choice(list(self.oracle.groups))
        await self.told(204, "admin", "DELETE", f"groups/{group[6:]}")
        self.oracle.forget(group)
        await self.found_group(group)  # another of the same name, which inherits nothing

    async def drop_person(self) -> None:
        who = self.dice.choice(list(self.oracle.people))
        role = self.oracle.people[who].role
        await self.told(204, "admin", "DELETE", f"users/{who[5:]}")
        assert (await self.call(who, "GET", "auth/me")).status_code == httpx.codes.UNAUTHORIZED
        self.oracle.forget(who)
        await self.settle_person(who, role, self.dice.choice(LEVELS))

    async def write(self) -> None:
        """A new e-mail, with a file attached."""
        await self.add(ending=".eml")

    async def add(self, ending: str = "") -> None:
        """A new document, by a member, or by somebody who is told why not."""
        collection = self.dice.choice(list(self.oracle.collections))
        members = [p for p in self.oracle.people if self.oracle.is_(p, "members", collection)]
        who, key, word = self.person(members), secret() + ending, secret()
        document = Document("", collection, key, who, self.oracle.collections[collection].level, set(), [])
        status = 202
        if self.oracle.people[who].role not in WRITERS:
            status = 403
        elif who not in members:
            status = 403 if self.oracle.sees(who, collection) else 404
        await self.upload(status, who, document, word)

    async def replace(self) -> None:
        """Other bytes under a key."""
        if not self.oracle.documents:
            return
        document = self.dice.choice(list(self.oracle.documents.values()))
        members = [p for p in self.oracle.people if self.oracle.is_(p, "members", document.collection)]
        able = [p for p in members if self.oracle.reads(p, document) and self.oracle.changes(p, document)]
        who = self.person(able)
        status = 202
        if self.oracle.people[who].role not in WRITERS:
            status = 403
        elif who not in members:
            status = 403 if self.oracle.sees(who, document.collection) else 404
        elif who not in able:
            status = 403 if self.oracle.reads(who, document) else 409
        await self.upload(status, who, document, secret())

    async def upload(self, status: int, who: str, document: Document, word: str) -> None:
        """Send the bytes, perhaps with access; what the upload does not say of access stands."""
        options: dict[str, Any] = {}
        if self.dice.random() < 0.5:
            options["grants"] = self.subjects()
        if self.dice.random() < 0.5:
            options["access_level"] = self.dice.choice(LEVELS)
        if self.dice.random() < 0.3:
            options["owner"] = self.dice.choice(list(self.oracle.people))
        text = "\n\n".join(f"The {word} is written down here." for _ in range(1 + self.dice.randrange(2)))
        enclosed = secret() if document.key.endswith(".eml") else ""
        if enclosed:
            text = MESSAGE.format(text=text, enclosed=enclosed)
        body = {"documents": [{"key": document.key, "text": text, **options}]}
        answer = await self.told(status, who, "POST", f"collections/{document.collection}/documents/batch", body)
        if status != httpx.codes.ACCEPTED:
            return
        (taken,) = answer["documents"]
        document.id, document.words = taken["id"], [*document.words, word]
        self.opened(document, options)
        document.runs.append(taken["run"])
        self.oracle.documents[document.id] = document
        if enclosed:
            await self.enclose(document, enclosed)

    def opened(self, document: Document, options: dict[str, Any]) -> None:
        """Access was given to a document, and so to what came attached to it."""
        for each in (document, *self.oracle.attached(document)):
            each.grants = set(options.get("grants", each.grants))
            each.level = options.get("access_level", each.level)
            each.owner = options.get("owner", each.owner)

    async def enclose(self, message: Document, word: str) -> None:
        """Wait for what came with a message, a document of its own; one that is new is opened as its message."""
        message.enclosed.append(word)
        own = self.oracle.attached(message)
        for document in (message, *own):
            for run in document.runs:
                await self.over(run)
            document.runs.clear()
        await self.quiet()
        if not own:
            query = {"kind": "ingest", "collection": message.collection}
            listed = (await self.call("admin", "GET", "runs", **query)).json()["items"]
            (new,) = {run["document"] for run in listed} - self.oracle.documents.keys() - self.gone
            own = [
                Document(
                    new, message.collection, f"{message.key}/a.txt", message.owner, message.level,
                    set(message.grants), [], within=message.id,
                )
            ]  # fmt: skip
            self.oracle.documents[new] = own[0]
        own[0].words.append(word)
        await self.settled()

    async def quiet(self) -> None:
        """Until nothing is at work."""
        async with asyncio.timeout(30):
            while True:
                asked = [await self.call("admin", "GET", "runs", state=s) for s in ("queued", "running", "queued")]
                if not any(reply.json()["items"] for reply in asked):
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def regrant(self) -> None:
        """Other access to a document."""
        if not self.oracle.documents:
            return
        document = self.dice.choice(list(self.oracle.documents.values()))
        who, status = self.changing(document)
        options: dict[str, Any] = {"grants": self.subjects()}
        if self.dice.random() < 0.5:
            options = {"access_level": self.dice.choice(LEVELS)}
        if self.dice.random() < 0.2:
            options["owner"] = self.dice.choice(list(self.oracle.people))
        await self.told(status, who, "PUT", f"documents/{document.id}/access", options)
        if status == httpx.codes.OK:
            self.opened(document, options)

    async def delete(self) -> None:
        if not self.oracle.documents:
            return
        document = self.dice.choice(list(self.oracle.documents.values()))
        who, status = self.changing(document)
        done = 204 if status == httpx.codes.OK else status
        await self.told(done, who, "DELETE", f"documents/{document.id}")
        if status == httpx.codes.OK:
            for each in (document, *self.oracle.attached(document)):
                del self.oracle.documents[each.id]
                self.gone.add(each.id)

    def changing(self, document: Document) -> tuple[str, int]:
        """Who tries to change a document, and what they are told."""
        readers = [p for p in self.oracle.people if self.oracle.reads(p, document)]
        who = self.person([p for p in readers if self.oracle.changes(p, document)])
        if self.oracle.people[who].role not in WRITERS:
            return who, 403
        if who not in readers:
            return who, 404
        return who, 200 if self.oracle.changes(who, document) else 403

    async def settled(self) -> None:
        """Until every version is indexed."""
        for document in list(self.oracle.documents.values()):
            for run in document.runs:
                await self.over(run)
            document.runs.clear()
            document.past += document.words[:-1]
            document.words[:-1] = []
            document.ready = True
        self.moments.append((now(), {d.id: d.words[-1] for d in self.oracle.documents.values()}))

    async def over(self, run: str) -> None:
        """Until a run has succeeded."""
        async with asyncio.timeout(30):
            while True:
                told = (await self.call("admin", "GET", f"runs/{run}")).json()
                if told["state"] == "succeeded":
                    return
                assert told["state"] in {"queued", "running"}, told
                await asyncio.sleep(POLL_SECONDS)
