"""What one may not read leaves no trace: hits, their order and their scores are those of a house without it."""

from typing import Any

from access.looking import MODES
from access.oracle import LEVELS
from access.town import Town
from kit.running import ADMIN_PASSWORD

QUERIES = (
    "when is the ledger renewed",
    "ledger vault",
    "renewed renewed by the keeper of the vault",
    '"the ledger is signed"',
    "the vaultt of the keeper",
    "teh ledgger",
)
READABLE = (
    "The ledger is renewed on Mondays by the keeper.",
    "The vault is opened by two keepers, and the ledger is signed. The ledger stays in the vault.",
    "Nobody renews the lease of the tower.",
    "Bread is baked in the tower before sunrise.",
)
HIDDEN = tuple(f"The ledger of the vault is renewed and renewed: keeper {n} renews the ledger." for n in range(30))


class Village:
    """A reader, an owner of secrets, and a collection that both belong to."""

    def __init__(self, town: Town) -> None:
        self.town, self.known = town, ""
        self.reader, self.owner = (f"user:{town.name}-{name}" for name in ("reader", "owner"))

    async def begin(self) -> None:
        await self.town.sign_in("admin", ADMIN_PASSWORD)
        await self.town.settle_person(self.reader, clearance="internal")
        await self.town.settle_person(self.owner, clearance="restricted")
        for name, members in (("shared", [self.reader]), ("closed", [])):
            await self.town.told(201, self.owner, "POST", "collections", {"name": name, "members": members})

    async def add(self, collection: str, texts: tuple[str, ...], level: str) -> list[str]:
        documents = [{"key": f"{level}-{n}", "text": text, "access_level": level} for n, text in enumerate(texts)]
        path = f"collections/{collection}/documents/batch"
        taken = await self.town.told(202, self.owner, "POST", path, {"documents": documents})
        await self.town.over(taken["run"])
        return [document["id"] for document in taken["documents"]]

    async def move(self, collection: str) -> None:
        """Into an index that nothing else is in."""
        path = f"collections/{collection}/index"
        run = await self.town.told(202, self.owner, "POST", path, {"recipe": "structure-200"})
        await self.town.over(run["id"])
        await self.town.told(200, self.owner, "POST", f"{path}/switch")

    async def shown(self) -> list[Any]:
        """All that the reader is told, less how long it took."""
        answers = []
        for query in QUERIES:
            for scope in (None, ["shared"]):
                for mode in MODES:
                    body = {"query": query, "mode": mode, "collections": scope, "limit": 10}
                    answers.append(await self.town.told(200, self.reader, "POST", "search", body))
                answers.append(
                    await self.town.told(
                        200, self.reader, "POST", "ask", {"question": query, "collections": scope}
                    )
                )
            body = {"query": query, "document": self.known}
            answers.append(await self.town.told(200, self.reader, "POST", "search/explain", body))
        answers.append(await self.town.told(200, self.reader, "GET", "collections"))
        answers.append(await self.town.told(200, self.reader, "GET", "collections/shared/documents?limit=2"))
        times = {"took_ms", "timings"}
        return [{name: value for name, value in answer.items() if name not in times} for answer in answers]


async def test_hits_order_and_scores_are_those_of_a_house_without_what_is_hidden(opened: Any) -> None:
    # Few candidates, so that what is hidden would crowd out what is not if it were among them.
    http = await opened({}, MUNIMENT_RETRIEVAL__CANDIDATES="10", MUNIMENT_RETRIEVAL__SPARE="0")
    village = Village(Town(http, ADMIN_PASSWORD, 0))
    await village.begin()
    village.known = (await village.add("shared", READABLE, LEVELS[1]))[0]
    without = await village.shown()
    assert any(hits["hits"] for hits in without if "hits" in hits)
    hidden = await village.add("shared", HIDDEN[:20], LEVELS[2])
    hidden += await village.add("closed", HIDDEN[20:], LEVELS[0])
    assert await village.shown() == without
    await village.move("closed")
    assert await village.shown() == without
    for document in hidden[::2]:
        await village.town.told(204, village.owner, "DELETE", f"documents/{document}")
    assert await village.shown() == without
