"""What somebody is shown, held against what the oracle lets them see."""

import json
from collections.abc import Sequence
from typing import Any

import httpx

from access.oracle import SECRET, Document
from access.town import Town

MODES = ("hybrid", "dense", "keyword")
RANKINGS = (None, None, {"dense": 0}, {"words": 8, "grams": 0, "prior": 4}, {"candidates": 10})
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
        await self.by_a_phrase()
        await self.by_a_slip()
        await self.at_documents()
        await self.at_why()
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

    async def by_a_phrase(self) -> None:
        """What just one document says: asked twice, since the second answer may be a kept one."""
        for document in self.some_ready(1):
            query = f'"The {document.words[-1].upper()} is written"'
            for _ in range(2):
                await self.search(query, self.dice.choice(MODES), limit=5, only={document.id})

    async def by_a_slip(self) -> None:
        """A word that no text has, an edit away from one that just one has: it is mended for who reads that."""
        for document in self.some_ready(1):
            word = document.words[-1]
            await self.search(word[:6] + word[7:], "keyword", limit=5, only={document.id})

    def some_ready(self, most: int) -> list[Document]:
        ready = [d for d in self.oracle.documents.values() if d.ready]
        return self.dice.sample(ready, min(most, len(ready)))

    async def search(
        self,
        query: str,
        mode: str,
        *,
        limit: int,
        collections: list[str] | None = None,
        whole: bool = True,
        only: set[str] | None = None,
    ) -> Sequence[Any]:
        """One search; with `whole`, its hits are all that the person may read there, or just of `only`."""
        group_by = self.dice.choice([None, "document"]) if whole else "document"
        body = {"query": query, "mode": mode, "limit": limit, "collections": collections, "group_by": group_by}
        if self.dice.random() < 0.3:
            body |= {"explain": True, "ranking": self.dice.choice(RANKINGS)}
        answer = await self.reply(200, "POST", "search", body)
        self.town.searches += 1
        hits: list[Any] = answer["hits"]
        for hit in hits:
            self.allowed(hit["document"]["id"], hit["chunk"]["text"], hit["parent"]["text"])
        if whole:
            found = {hit["document"]["id"] for hit in hits}
            readable = self.oracle.readable(self.who, collections)
            if only is not None:
                readable = [d for d in readable if d.id in only]
                self.recalled(found <= only, f"{found} found by {body}")
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
            if not reads:
                await self.as_if_unknown(document.id, "GET", path, None)
            if not reads and self.oracle.people[self.who].role != "viewer":
                await self.reply(404, "GET", f"{path}/access")

    async def at_why(self) -> None:
        """Why a document is found, or not; one that may not be read is as one that never was."""
        documents = list(self.oracle.documents.values())
        for document in self.dice.sample(documents, min(2, len(documents))):
            names = self.dice.sample(list(self.oracle.collections), 1) if self.dice.random() < 0.5 else None
            filters = self.dice.choice([{}, {}, {"key": document.key}, {"key": "none.txt"}, {"nothing": 1}])
            body = {"query": document.words[-1], "mode": self.dice.choice(MODES), "collections": names}
            body |= {"filters": filters, "document": document.id}
            if not self.oracle.reads(self.who, document):
                await self.as_if_unknown(document.id, "POST", "search/explain", body)
            elif names is not None and not self.oracle.sees(self.who, names[0]):
                await self.reply(422 if "nothing" in filters else 404, "POST", "search/explain", body)
            elif "nothing" in filters:
                await self.reply(422, "POST", "search/explain", body)
            elif document.ready:
                told = await self.reply(200, "POST", "search/explain", body)
                self.recalled(told["outcome"] == _outcome(document, names, filters), f"{told} of {body}")

        for gone in self.dice.sample(sorted(self.town.gone), min(1, len(self.town.gone))):
            await self.as_if_unknown(gone, "POST", "search/explain", {"query": "written", "document": gone})

    async def as_if_unknown(self, document: str, method: str, path: str, body: dict[str, Any] | None) -> None:
        """Both answers are the same but for the ids."""
        unknown = "doc_" + "0" * (len(document) - len("doc_"))
        told = await self.reply(404, method, path, body)
        other = body and body | {"document": unknown}
        never = await self.reply(404, method, path.replace(document, unknown), other)
        for answer in (told, never):
            del answer["request_id"]
        if json.loads(json.dumps(told).replace(document, unknown)) != never:
            raise Leak(self.story(f"{told} and, of what never was, {never}"))

    async def at_a_list(self) -> None:
        """Runs, collections with their counts, and the documents of one."""
        await self.reply(200, "GET", "runs", limit=100)
        letters = (await self.reply(200, "GET", "dead-letters"))["items"]
        if self.oracle.people[self.who].role == "admin":  # who operates sees those of other tests' collections
            letters = [letter for letter in letters if letter["collection"] in self.oracle.collections]
        if letters:
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
        return reply.json() if kind.startswith(("application/json", "application/problem+json")) else None

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


def _outcome(document: Document, names: list[str] | None, filters: dict[str, Any]) -> str:
    if names is not None and document.collection not in names:
        return "elsewhere"
    return "filtered" if filters == {"key": "none.txt"} else "found"


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
