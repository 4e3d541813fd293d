"""A change of access holds for every request that starts after its answer, whatever else is under way."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest_asyncio

from access.looking import MODES, Leak, Missed
from access.town import Town, secret
from kit.running import ADMIN_PASSWORD
from muniment.kernel.model import Nothing
from muniment.vectors.contract import Candidates, Found, GatherCandidates, SearchPoints, Upsert, Vectors

ROUNDS = int(os.environ.get("MUNIMENT_TEST_ROUNDS", "1"))
OPEN, CLOSED, CHANGING = "open", "closed", "changing"


class Scene:
    """One document whose versions follow each other, and one person who is let in and shut out.

    The person is a member without the clearance; the document is granted to a group that holds another, which
    the person is not in. So each of several changes, alone, lets them in.
    """

    def __init__(self, town: Town) -> None:
        self.town = town
        self.owner, self.person = (f"user:{town.name}-{name}" for name in ("owner", "person"))
        self.outer, self.inner = (f"group:{town.name}-{name}" for name in ("outer", "inner"))
        self.collection, self.key, self.word = town.name, secret(), secret()
        self.document, self.uploaded, self.current = "", 0, 0
        self.state, self.changes = CLOSED, 0

    async def begin(self) -> None:
        town = self.town
        await town.sign_in("admin", town.admin_password)
        await town.settle_person(self.owner, clearance="restricted")
        await town.settle_person(self.person, clearance="internal")
        for group in (self.outer, self.inner):
            await town.found_group(group)
        await town.told(204, "admin", "PUT", f"groups/{self.outer[6:]}/members/{self.inner}")
        body = {"name": self.collection, "members": [self.person], "access_level": "confidential"}
        await town.told(201, self.owner, "POST", "collections", body)

    async def replace(self) -> str:
        """The next version, on its way; its run."""
        self.uploaded += 1
        text = "\n\n".join(f"Version {self.uploaded} says {self.word} in part {n}. " * 12 for n in range(4))
        options = {"grants": [self.outer]} if self.uploaded == 1 else {}
        body = {"documents": [{"key": self.key, "text": text, **options}]}
        path = f"collections/{self.collection}/documents/batch"
        (taken,) = (await self.town.told(202, self.owner, "POST", path, body))["documents"]
        self.document = taken["id"]
        return str(taken["run"])

    async def keep_replacing(self, run: str) -> None:
        """One version after the other, until cancelled."""
        while True:
            number = self.uploaded
            await self.town.over(run)
            self.current = number
            run = await self.replace()

    def ways(self) -> list[tuple[str, str, str, Any, str, Any]]:
        """Who lets the person in and how, and how they are shut out again."""
        access, collection = f"documents/{self.document}/access", f"collections/{self.collection}"
        inside, user = f"groups/{self.inner[6:]}/members/{self.person}", f"users/{self.person[5:]}"
        granted, level = {"grants": [self.outer, self.person]}, {"access_level": "internal"}
        return [
            (self.owner, access, "PUT", granted, "PUT", {"grants": [self.outer]}),
            ("admin", inside, "PUT", None, "DELETE", None),
            (self.owner, access, "PUT", level, "PUT", {"access_level": "confidential"}),
            ("admin", user, "PATCH", {"clearance": "confidential"}, "PATCH", {"clearance": "internal"}),
            (self.owner, collection, "PATCH", {"grants": [self.inner, self.person]}, "PATCH", {"grants": []}),
            (self.owner, access, "PUT", {"owner": self.person}, "PUT", {"owner": self.owner}),
        ]

    async def change(self, state: str, who: str, method: str, path: str, body: Any) -> None:
        self.state, self.changes = CHANGING, self.changes + 1
        status = 204 if path.startswith("groups/") else 200
        await self.town.told(status, who, method, path, body)
        self.state = state

    async def look(self, mode: str) -> None:
        """One search and one look at the document; strict where no change fell into them."""
        before, current = (self.state, self.changes), self.current
        body = {"query": f"what says {self.word}", "mode": mode, "limit": 5}
        reply = await self.town.call(self.person, "POST", "search", body)
        hits = reply.json()["hits"]
        shown = await self.town.call(self.person, "GET", f"documents/{self.document}")
        self.town.searches += 1
        what = f"{mode} {before} {current}: {hits} {shown.text} after\n{self.town.story()}"
        for hit in hits:
            if hit["document"]["id"] != self.document or hit["document"]["version"] < current:
                raise Leak(what)
        if before == (CLOSED, self.changes) and (hits or shown.status_code != httpx.codes.NOT_FOUND):
            raise Leak(what)
        if before == (OPEN, self.changes) and (shown.status_code != httpx.codes.OK or (current and not hits)):
            raise Missed(what)

    async def keep_looking(self) -> None:
        """All the time, until cancelled."""
        while True:
            for mode in MODES:
                await self.look(mode)


async def test_each_change_holds_at_once_while_its_document_is_ingested(http: httpx.AsyncClient) -> None:
    scene = Scene(Town(http, ADMIN_PASSWORD, 0))
    await scene.begin()
    run = await scene.replace()
    async with asyncio.TaskGroup() as group:
        background = [group.create_task(scene.keep_replacing(run)), group.create_task(scene.keep_looking())]
        rounds = 0
        while rounds < ROUNDS or scene.current < 2:  # changes have to fall into ingestions
            rounds += 1
            for who, path, opening, let_in, closing, shut_out in scene.ways():
                await scene.change(OPEN, who, opening, path, let_in)
                await asyncio.gather(*map(scene.look, MODES))
                await scene.change(CLOSED, who, closing, path, shut_out)
                await asyncio.gather(*map(scene.look, MODES))
        for task in background:
            task.cancel()
    assert scene.town.searches > rounds * len(scene.ways()) * 2 * len(MODES)
    await scene.town.call("admin", "DELETE", f"collections/{scene.collection}")


async def test_access_given_with_an_upload_holds_from_its_answer(http: httpx.AsyncClient) -> None:
    scene = Scene(Town(http, ADMIN_PASSWORD, 0))
    town = scene.town
    await scene.begin()
    await town.over(await scene.replace())
    path = f"collections/{scene.collection}/documents/batch"
    for n, grants in enumerate([[scene.person], [], [scene.person], []]):
        body = {"documents": [{"key": scene.key, "text": f"The {scene.word} once more: {n}.", "grants": grants}]}
        await town.told(202, scene.owner, "POST", path, body)
        for mode in MODES:
            asked = {"query": f"what of the {scene.word}", "mode": mode}
            hits = (await town.told(200, scene.person, "POST", "search", asked))["hits"]
            assert bool(hits) == bool(grants), town.story()
    await town.call("admin", "DELETE", f"collections/{scene.collection}")


class Overtaken:
    """Vectors that are late, once: something comes before a write, or after a search was answered."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self.before_upsert: Callable[[], Awaitable[None]] | None = None
        self.after_search: Callable[[], Awaitable[None]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vectors, name)

    async def upsert(self, request: Upsert) -> Nothing:
        meanwhile, self.before_upsert = self.before_upsert, None
        if meanwhile is not None:
            await meanwhile()
        return await self._vectors.upsert(request)

    async def search(self, request: SearchPoints) -> Found:
        found = await self._vectors.search(request)
        await self._answered()
        return found

    async def candidates(self, request: GatherCandidates) -> Candidates:
        found = await self._vectors.candidates(request)
        await self._answered()
        return found

    async def _answered(self) -> None:
        meanwhile, self.after_search = self.after_search, None
        if meanwhile is not None:
            await meanwhile()


@pytest_asyncio.fixture
async def late(opened: Any) -> tuple[Scene, Overtaken]:
    rooms: list[Overtaken] = []

    def overtaken(vectors: Vectors) -> Overtaken:
        rooms.append(Overtaken(vectors))
        return rooms[-1]

    scene = Scene(Town(await opened({Vectors: overtaken}), ADMIN_PASSWORD, 0))
    await scene.begin()
    return scene, rooms[0]


async def test_a_search_overtaken_by_a_replacement_finds_the_new_version(late: tuple[Scene, Overtaken]) -> None:
    scene, vectors = late
    await scene.town.over(await scene.replace())

    async def replaced() -> None:
        await scene.town.over(await scene.replace())

    for mode in MODES:
        vectors.after_search = replaced
        body = {"query": f"what says {scene.word}", "mode": mode}
        hits = (await scene.town.told(200, scene.owner, "POST", "search", body))["hits"]
        assert {hit["document"]["version"] for hit in hits} == {scene.uploaded}


async def test_a_grant_that_overtakes_the_indexing_is_not_lost(late: tuple[Scene, Overtaken]) -> None:
    scene, vectors = late

    async def granted() -> None:
        who, path, method, body, *_ = scene.ways()[0]
        await scene.change(OPEN, who, method, path, body)
        await asyncio.gather(*map(scene.look, MODES))

    for _ in range(2):
        vectors.before_upsert = granted
        run = await scene.replace()
        await scene.town.over(run)
        assert vectors.before_upsert is None
        scene.current = scene.uploaded
        await asyncio.gather(*map(scene.look, MODES))
        who, path, *_, method, body = scene.ways()[0]
        await scene.change(CLOSED, who, method, path, body)
        await asyncio.gather(*map(scene.look, MODES))
