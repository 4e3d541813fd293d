"""The way of a question: passages, whether they can answer it, sentences, the check of each, footnotes."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import NamedTuple

from muniment.generation.contract import Check, Finished, Generation, Quote, Sentence, Verdict, Write
from muniment.kernel.contract import Stream
from muniment.kernel.problems import Internal, NotAvailable
from muniment.knowledge.contract import (
    Answer,
    AnswerEvent,
    AnswerSentence,
    Ask,
    Completed,
    Noted,
    Retrieved,
    Said,
)
from muniment.knowledge.evidence import Evidence, coverage
from muniment.knowledge.notes import Footnotes, Reading
from muniment.retrieval.contract import Hits, Retrieval, Search, Weigh, Weights

ABSTAINED = "The documents that you may read do not answer this."
SHOWN_WHEN_ABSTAINED = 5
BORNE_OUT: frozenset[Verdict] = frozenset({"quoted", "supported", "partly"})


class _Checked(NamedTuple):
    text: str
    verdict: Verdict
    quotes: tuple[Quote, ...]


class CitedKnowledge:
    """Answers from passages: nothing is shown that was not checked, nothing is answered without evidence."""

    def __init__(self, retrieval: Retrieval, generation: Generation, *, passages: int, sources: int) -> None:
        self._retrieval, self._generation = retrieval, generation
        self._passages, self._sources = passages, sources

    async def ask(self, request: Ask) -> Answer:
        """As the contract says."""
        async with aclosing(self.answer(request)) as events:
            async for event in events:
                if isinstance(event, Completed):
                    return event.answer
        raise Internal("the answer has no end")

    async def answer(self, request: Ask) -> Stream[AnswerEvent]:
        """As the contract says.

        Sentences that nothing bears out are held back until one is borne out; if none is, the answer abstains.
        """
        started = time.perf_counter()
        hits, weights = await self._found(request)
        yield Retrieved(hits=hits.hits)
        reading = Reading(hits.hits, self._sources)
        draft = _Draft(Footnotes(reading))
        end = Finished(model="extractive")
        if _evidence(hits, weights, reading).suffices:
            write = Write(
                question=request.question, sources=reading.sources, weights=weights.weights, model=request.model
            )
            async with aclosing(self._generation.write(write)) as written:
                async for event in written:
                    if isinstance(event, Finished):
                        end = event
                        continue
                    for told in draft.add(await self._checked(event, reading)):
                        yield told
        took_ms = round((time.perf_counter() - started) * 1000, 3)
        yield Completed(answer=draft.finished(hits, end, took_ms))

    async def _found(self, request: Ask) -> tuple[Hits, Weights]:
        if request.as_of is not None:
            raise NotAvailable("as_of: earlier versions cannot be asked in this version of Muniment")
        if request.conversation is not None:
            raise NotAvailable("conversation: each question stands alone in this version of Muniment")
        scope = {"collections": request.collections, "filters": request.filters}
        return await asyncio.gather(
            self._retrieval.search(Search(query=request.question, limit=self._passages, **scope)),
            self._retrieval.weigh(Weigh(text=request.question, **scope)),
        )

    async def _checked(self, sentence: Sentence, reading: Reading) -> _Checked:
        """A quote is held against the very characters it names; any other sentence against all sources."""
        sources = reading.sources
        if sentence.quotes:
            words = " ".join(" ".join(sources[q.source].text[q.start : q.end] for q in sentence.quotes).split())
            if words == " ".join(sentence.text.split()):
                return _Checked(sentence.text, "quoted", sentence.quotes)
        check = Check(sentence=sentence.text, sources=sources, cites=sentence.cites)
        found = await self._generation.check(check)
        quotes = found.quotes if found.verdict in BORNE_OUT else ()
        return _Checked(sentence.text, found.verdict, quotes)


def _evidence(hits: Hits, weights: Weights, reading: Reading) -> Evidence:
    cosines = [hit.scores.dense for hit in hits.hits if hit.scores.dense is not None]
    texts = [f"{source.title}\n\n{source.text}" for source in reading.sources]
    return Evidence(max(cosines, default=None), coverage(weights.weights, texts))


class _Draft:
    """The answer as it grows."""

    def __init__(self, footnotes: Footnotes) -> None:
        self._footnotes = footnotes
        self._sentences: list[AnswerSentence] = []
        self._waiting: list[_Checked] = []
        self._length = 0

    def add(self, checked: _Checked) -> list[AnswerEvent]:
        """What may be shown now."""
        self._waiting.append(checked)
        if not self._sentences and checked.verdict not in BORNE_OUT:
            return []
        events: list[AnswerEvent] = []
        for each in self._waiting:
            fresh, numbers = self._footnotes.cite(each.quotes)
            events += [Noted(footnote=footnote) for footnote in fresh]
            start = self._length + (1 if self._sentences else 0)
            self._length = start + len(each.text)
            sentence = AnswerSentence(
                text=each.text, start=start, end=self._length, footnotes=numbers, verdict=each.verdict
            )
            self._sentences.append(sentence)
            events.append(Said(sentence=sentence))
        self._waiting.clear()
        return events

    def finished(self, hits: Hits, end: Finished, took_ms: float) -> Answer:
        """The whole answer, or the abstention."""
        abstained = not self._sentences
        shown = hits.hits[:SHOWN_WHEN_ABSTAINED] if abstained else hits.hits
        return Answer(
            answer=ABSTAINED if abstained else _joined(self._sentences),
            sentences=tuple(self._sentences),
            footnotes=self._footnotes.all,
            passages=shown,
            model=end.model,
            abstained=abstained,
            degraded=tuple(dict.fromkeys((*hits.degraded, *end.degraded))),
            took_ms=took_ms,
        )


def _joined(sentences: Sequence[AnswerSentence]) -> str:
    return " ".join(sentence.text for sentence in sentences)
