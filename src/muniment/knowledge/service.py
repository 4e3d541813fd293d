"""A question in, an answer out whose every sentence was checked against what its reader may read."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing

from prometheus_client import Counter

from muniment.generation.contract import (
    Check,
    Checked,
    Finished,
    Generation,
    ModelUnknown,
    Sentence,
    Source,
    Write,
)
from muniment.kernel.contract import Stream
from muniment.kernel.model import Nothing
from muniment.kernel.problems import NotAvailable
from muniment.knowledge.citing import Footnotes, Passage, passages
from muniment.knowledge.contract import (
    Answer,
    AnswerEvent,
    AnswerSentence,
    Ask,
    Completed,
    Knowledge,
    Noted,
    Retrieved,
    Said,
)
from muniment.knowledge.evidence import evidence
from muniment.retrieval.contract import Hit, Hits, Retrieval, Search, Weigh, Weights

NOTHING_FOUND = "Nothing that you may read here answers this question."
EXTRACTIVE = "extractive"
_answers = Counter("muniment_knowledge_answers", "Answers, by whether they abstained.", ["abstained"])


class _Composition:
    """The answer as far as it is written."""

    def __init__(self, sources: Sequence[Passage]) -> None:
        self._footnotes = Footnotes(sources)
        self.sentences: list[AnswerSentence] = []

    def say(self, text: str, checked: Checked) -> Iterator[AnswerEvent]:
        """One more sentence, after the footnotes that are new with it."""
        fresh, numbers = self._footnotes.note(checked.quotes)
        start = self.sentences[-1].end + 1 if self.sentences else 0
        sentence = AnswerSentence(
            text=text, start=start, end=start + len(text), footnotes=numbers, verdict=checked.verdict
        )
        self.sentences.append(sentence)
        for footnote in fresh:
            yield Noted(footnote=footnote)
        yield Said(sentence=sentence)

    def whole(self, hits: Hits, model: str, degraded: Sequence[str], started: float) -> Answer:
        """The answer; without sentences it abstains."""
        _answers.labels(str(not self.sentences).lower()).inc()
        return Answer(
            answer=" ".join(sentence.text for sentence in self.sentences) or NOTHING_FOUND,
            sentences=tuple(self.sentences),
            footnotes=self._footnotes.all,
            passages=hits.hits,
            model=model,
            abstained=not self.sentences,
            degraded=tuple(dict.fromkeys(degraded)),
            took_ms=round((time.perf_counter() - started) * 1000, 3),
        )


class CheckedKnowledge(Knowledge):
    """Searches, decides whether there is an answer, has it written, and checks each sentence before it is shown.

    Sentences of a model that nothing supports are held back until one is supported, then shown in their order,
    marked. If none ever is, they are dropped, and quotes stand in their stead.
    """

    def __init__(
        self, retrieval: Retrieval, generation: Generation, *, hits: int = 12, passages: int = 6, least: float
    ) -> None:
        self._retrieval, self._generation = retrieval, generation
        self._hits, self._passages, self._least = hits, passages, least

    async def ask(self, request: Ask) -> Answer:
        """The last event of `answer`."""
        whole: Answer | None = None
        async with aclosing(self._answered(request)) as events:
            async for event in events:
                if isinstance(event, Completed):
                    whole = event.answer
        assert whole is not None
        return whole

    def answer(self, request: Ask) -> Stream[AnswerEvent]:
        """As the contract says."""
        return self._answered(request)

    async def _answered(self, request: Ask) -> AsyncGenerator[AnswerEvent, None]:
        started = time.perf_counter()
        if request.conversation is not None:
            raise NotAvailable("conversation: questions stand alone in this version of Muniment")
        if request.model not in {"auto", EXTRACTIVE}:
            await self._require_known(request.model)
        hits, weights = await self._found(request)
        yield Retrieved(hits=hits.hits)
        read = self._readings(request.question, hits, weights)
        sources = passages(read, self._passages)
        composition, model, degraded = _Composition(sources), EXTRACTIVE, list(hits.degraded)
        if read:
            async with aclosing(self._written(request, request.model, sources, weights)) as written:
                async for item in written:
                    if isinstance(item, Finished):
                        model = item.model
                        degraded += item.degraded
                        continue
                    for event in composition.say(*item):
                        yield event
        yield Completed(answer=composition.whole(hits, model, degraded, started))

    def _readings(self, question: str, hits: Hits, weights: Weights) -> Sequence[Hit]:
        """What to answer from, none to abstain; what is deprecated speaks only where nothing else does."""
        standing = [hit for hit in hits.hits if hit.document.status != "deprecated"]
        readings = (standing, hits.hits)
        return next((read for read in readings if evidence(question, read, weights) >= self._least), ())

    async def _found(self, request: Ask) -> tuple[Hits, Weights]:
        search = asyncio.ensure_future(
            self._retrieval.search(
                Search(
                    query=request.question,
                    collections=request.collections,
                    filters=request.filters,
                    limit=self._hits,
                    as_of=request.as_of,
                )
            )
        )
        weigh = asyncio.ensure_future(
            self._retrieval.weigh(
                Weigh(
                    text=request.question,
                    collections=request.collections,
                    filters=request.filters,
                    as_of=request.as_of,
                )
            )
        )
        try:
            return await asyncio.gather(search, weigh)
        finally:
            search.cancel()
            weigh.cancel()

    async def _require_known(self, model: str) -> None:
        """A slip in a name is told also when there is nothing to answer."""
        known = [writer.name for writer in (await self._generation.writers(Nothing())).items]
        if model not in known:
            raise ModelUnknown(f"no model {model!r} is configured; known: {', '.join(known)}", models=known)

    async def _written(
        self, request: Ask, model: str, sources: Sequence[Passage], weights: Weights
    ) -> AsyncGenerator[tuple[str, Checked] | Finished, None]:
        """Checked sentences, then who wrote them."""
        texts = tuple(passage.source() for passage in sources)
        held: list[tuple[str, Checked]] = []
        supported = False
        finished: Finished | None = None
        asked = Write(question=request.question, sources=texts, weights=weights.weights, model=model)
        async with aclosing(self._generation.write(asked)) as written:
            async for event in written:
                if isinstance(event, Finished):
                    finished = event
                    continue
                checked = await self._checked(event, texts)
                held.append((event.text, checked))
                supported = supported or checked.verdict != "unsupported"
                if supported:
                    for sentence in held:
                        yield sentence
                    held = []
        assert finished is not None
        if supported or finished.model == EXTRACTIVE or not held:
            yield finished
            return
        async with aclosing(self._written(request, EXTRACTIVE, sources, weights)) as quotes:
            async for item in quotes:
                yield item

    async def _checked(self, sentence: Sentence, sources: tuple[Source, ...]) -> Checked:
        """A quote needs only to be one; everything else is checked, rows of tables too."""
        quoted = " ".join(sources[q.source].text[q.start : q.end] for q in sentence.quotes)
        if sentence.quotes and quoted.split() == sentence.text.split():
            return Checked(verdict="quoted", quotes=sentence.quotes)
        cites = sentence.cites or tuple(dict.fromkeys(quote.source for quote in sentence.quotes))
        return await self._generation.check(Check(sentence=sentence.text, sources=sources, cites=cites))
