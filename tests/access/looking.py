"""What somebody is shown, held against what the oracle lets them see."""

from collections.abc import Sequence
from typing import Any

import httpx

from access.oracle import SECRET, Document
from access.town import Town

MODES = ("hybrid", "dense", "keyword")
MOST = 200


class Leak(AssertionError):  # noqa: N818 - it is what happened
    """Somebody was shown what they may not read."""


class Missed(AssertionError):  # noqa: N818 - it is what happened
    """Somebody was not shown what they may read."""


class Looking:
    """Everything that one person can ask for, each answer checked to the letter."""

    def __init__(self, town: Town, who: str, *, recall: bool = True) -> None:
        self.town, self.oracle, self.dice, self.who = town, town.oracle, town.dice, who
        self.recall = recall

    async def everywhere(self) -> None:
        """A look through every door."""
        await self.by_keywords()
        await self.by_mode(self.dice.choice(MODES))
        await self.a_few(self.dice.choice(MODES))
        await self.in_collections()
        await self.at_documents()
        await self.at_a_list()
        await self.at_what_was()
        if self.dice.random() < 0.3:
            await self.by_asking()

    async def by_keywords(self) -> None:
        """Each document by the words that only it has: found if and only if it may be read."""
        words = [word for d in self.oracle.documents.values() for word in d.words]
        if words:
            await self.search(" ".join(words), "keyword", limit=MOST)

    async def by_mode(self, mode: str) -> None:
        """All there is: every text has a word of the question."""
        await self.search("what is written down here", mode, limit=MOST)

    async def a_few(self, mode: str) -> None:
        """A small page is full when there is enough to fill it."""
        readable = [d for d in self.oracle.readable(self.who) if d.ready]
        limit = self.dice.randint(1, 4)
        hits = await self.search("is it written down", mode, limit=limit, whole=False)
        self.recalled(len(hits) >= min(limit, len(readable)), f"{len(hits)} hits of {limit}")

    async def in_collections(self) -> None:
        """Those that the person sees are searched alone; one that they do not see is missing."""
        names = self.dice.sample(list(self.oracle.collections), self.dice.randint(1, len(self.oracle.collections)))
        if all(self.oracle.sees(self.who, name) for name in names):
            await self.search("what is written down here", self.dice.choice(MODES), limit=MOST, collections=names)
        else:
            await self.reply(404, "POST", "search", {"query": "written", "collections": names})
            await self.reply(404, "POST", "ask", {"question": "what is written?", "collections": names})

    async def search(
        self,
        query: str,
        mode: str,
        *,
        limit: int,
        collections: list[str] | None = None,
        whole: bool = True,
    ) -> Sequence[Any]:
        """One search; with `whole`, its hits are all that the person may read there."""
        group_by = self.dice.choice([None, "document"]) if whole else "document"
        body = {"query": query, "mode": mode, "limit": limit, "collections": collections, "group_by": group_by}
        answer = await self.reply(200, "POST", "search", body)
        self.town.searches += 1
        hits: list[Any] = answer["hits"]
        for hit in hits:
            self.allowed(hit["document"]["id"], hit["chunk"]["text"], hit["parent"]["text"])
        if whole:
            found = {hit["document"]["id"] for hit in hits}
            readable = self.oracle.readable(self.who, collections)
            lacking = [d for d in readable if d.ready and d.id not in found]
            self.recalled(not lacking, f"{lacking} not found by {body}")
        return hits

    async def at_what_was(self) -> None:
        """A time that has been: what was said then, of the documents that are there and may be read today."""
        if not self.town.moments:
            return
        moment, words = self.dice.choice(self.town.moments)
        readable = [d for d in self.oracle.readable(self.who) if d.id in words]
        query = " ".join(words.values()) or "nothing"
        mode = self.dice.choice(MODES)
        body = {"query": query, "mode": mode, "limit": MOST, "as_of": moment.isoformat()}
        shown = {word for d in readable for word in (*d.names, words[d.id])}
        answer = await self.reply(200, "POST", "search", body, secrets=shown)
        self.town.searches += 1
        found = {hit["document"]["id"] for hit in answer["hits"]}
        self.recalled(found == {d.id for d in readable}, f"{found} of {readable} found by {body}")

    async def by_asking(self) -> None:
        """An answer about one document, readable or not."""
        words = [word for d in self.oracle.documents.values() for word in d.words] or ["nothing"]
        word = self.dice.choice(words)
        question = {"question": f"Where is the {word} written down?"}
        await self.reply(200, "POST", "ask", question, accept="text/event-stream")
        answer = await self.reply(200, "POST", "ask", question)
        for passage in answer["passages"]:
            self.allowed(passage["document"]["id"], passage["chunk"]["text"])
        for footnote in answer["footnotes"]:
            self.allowed(footnote["document"]["id"], footnote["quote"])

    async def at_documents(self) -> None:
        """Documents by their ids, which everybody may have heard of."""
        documents = list(self.oracle.documents.values())
        for document in self.dice.sample(documents, min(2, len(documents))):
            reads = self.oracle.reads(self.who, document)
            status = 200 if reads else 404
            path = f"documents/{document.id}"
            shown = await self.reply(status, "GET", path)
            if reads and shown["key"] != document.key:
                raise Missed(self.story(f"{shown} instead of {document}"))
            if document.ready or not reads:
                await self.reply(status, "GET", f"{path}/text")
                await self.reply(status, "GET", f"{path}/content")
                await self.reply(status, "GET", f"{path}/rectangles", start=0, end=1)
                await self.reply(422 if reads else 404, "GET", f"{path}/pages/1")  # a text has no pages to draw
                before = self.oracle.words(self.who) | self.oracle.past(self.who)
                await self.reply(status, "GET", f"{path}/text", secrets=before, version=1)
            if not reads and self.oracle.people[self.who].role != "viewer":
                await self.reply(404, "GET", f"{path}/access")

    async def at_a_list(self) -> None:
        """Runs, collections with their counts, and the documents of one."""
        await self.reply(200, "GET", "runs", limit=100)
        letters = await self.reply(200, "GET", "dead-letters")
        if letters["items"]:
            raise Leak(self.story(f"dead letters {letters}"))
        shown = await self.reply(200, "GET", "collections", limit=500)
        counts = {c["name"]: c["documents"] for c in shown["items"] if c["name"] in self.oracle.collections}
        truth = {
            name: len(self.oracle.readable(self.who, [name]))
            for name in self.oracle.collections
            if self.oracle.sees(self.who, name)
        }
        if counts != truth:
            raise Leak(self.story(f"collections {counts}, and should be {truth}"))
        name = self.dice.choice(list(self.oracle.collections))
        there = self.oracle.sees(self.who, name)
        one = await self.reply(200 if there else 404, "GET", f"collections/{name}")
        listed = await self.reply(200 if there else 404, "GET", f"collections/{name}/documents")
        if there:
            ids = {item["id"] for item in listed["items"]}
            readable = {d.id for d in self.oracle.readable(self.who, [name])}
            if ids != readable or one["documents"] != len(readable):
                raise Leak(self.story(f"listed {ids} and {one}, and should be {readable}"))
            for message in [d for d in self.oracle.documents.values() if d.enclosed and d.collection == name]:
                came = await self.reply(200, "GET", f"collections/{name}/documents", attached_to=message.id)
                with_it = {d.id for d in self.oracle.attached(message) if self.oracle.reads(self.who, d)}
                if {item["id"] for item in came["items"]} != with_it:
                    raise Leak(self.story(f"attached {came}, and should be {with_it}"))

    async def reply(
        self,
        status: int,
        method: str,
        path: str,
        body: Any = None,
        *,
        secrets: set[str] | None = None,
        **query: Any,
    ) -> Any:
        """One answer; nothing in it, wherever it stands, is a word that the person may not see.

        Those that they may see are the present ones, unless `secrets` are given.
        """
        reply = await self.town.call(self.who, method, path, body, **query)
        if status == httpx.codes.NOT_FOUND != reply.status_code:
            raise Leak(self.story(f"{method} {path} {body} answered {reply.status_code} {reply.text}"))
        if reply.status_code != status:
            raise Missed(self.story(f"{method} {path} {body} answered {reply.status_code} {reply.text}"))
        shown = set(SECRET.findall(reply.text))
        hidden = shown - (self.oracle.words(self.who) if secrets is None else secrets)
        if hidden:
            raise Leak(self.story(f"{method} {path} {body} shows {hidden}"))
        kind = reply.headers.get("content-type", "")
        return reply.json() if kind.startswith("application/json") else None

    def allowed(self, identifier: str, *texts: str) -> None:
        """The document may be read, and each text is of a version that is, or may be, the current one."""
        document: Document | None = self.oracle.documents.get(identifier)
        if document is None or not self.oracle.reads(self.who, document):
            raise Leak(self.story(f"{document or identifier} was shown"))
        for text in texts:
            if not set(SECRET.findall(text)) & set(document.words):
                raise Leak(self.story(f"{text!r} was shown of {document}"))

    def recalled(self, holds: bool, what: str) -> None:  # noqa: FBT001 - what an assertion takes
        if self.recall and not holds:
            raise Missed(self.story(what))

    def story(self, what: str) -> str:
        return f"{self.who}: {what}, after\n{self.town.story()}"


async def wander(town: Town, steps: int, *, recall: bool = True) -> None:
    """Begin, let so much happen, and look with somebody's eyes after each; in the end with everybody's."""
    try:
        await town.begin()
        for _ in range(steps):
            await town.step()
            if town.dice.random() < 0.6:
                await town.settled()
            await Looking(town, town.dice.choice(list(town.oracle.people)), recall=recall).everywhere()
        await town.settled()
        for who in list(town.oracle.people):
            await Looking(town, who, recall=recall).everywhere()
    finally:
        await town.end()
