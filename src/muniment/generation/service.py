"""Sentences from passages: quotes without a model, or a language model's own words, and the check of either."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, Protocol

from prometheus_client import Counter

from muniment.embedding.contract import Embedding, EmbedQueries
from muniment.generation import support
from muniment.generation.contract import (
    Check,
    Checked,
    Finished,
    Generation,
    LlmDown,
    ModelUnknown,
    Sentence,
    Write,
    WriterInfo,
    Writers,
    Written,
)
from muniment.generation.extractive import choose, said, shortlist, telling
from muniment.generation.prompt import Cutter, Message, is_refusal, messages
from muniment.generation.sentences import candidates
from muniment.kernel.contract import Stream
from muniment.kernel.logs import get_logger
from muniment.kernel.model import Matrix, Nothing
from muniment.kernel.problems import NotAvailable, Problem
from muniment.models.contract import ModelUnavailable
from muniment.text.terms import language_of, terms

EXTRACTIVE = "extractive"
_log = get_logger(__name__)
_failures = Counter("muniment_generation_llm_failures", "Answers that a language model did not give.", ["model"])


class LanguageModel(Protocol):
    """What writes text for messages, piece by piece. Raises LlmDown or another Problem."""

    name: str

    def stream(self, messages: Sequence[Message]) -> Stream[str]:
        """The text as it comes; closing it stops the model."""
        ...


@dataclass
class Configured:
    """A language model that may be named, how long its first sentence may take, and how much it is shown.

    After a failure it is left alone for `rest_seconds`.
    """

    model: LanguageModel
    kind: Literal["openai", "local"]
    rest_seconds: float = 15.0
    first_seconds: float = 20.0
    prompt_characters: int = 12_000
    down_until: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether it did not fail a moment ago."""
        return time.monotonic() >= self.down_until

    def failed(self) -> None:
        """Leave it alone for a while."""
        self.down_until = time.monotonic() + self.rest_seconds


class PassageWriter(Generation):
    """Quotes always; through a language model where one is configured, quotes in its stead when it fails."""

    def __init__(
        self, embedding: Embedding, models: Sequence[Configured] = (), *, auto: str | None = None
    ) -> None:
        self._embedding = embedding
        self._models: Mapping[str, Configured] = {configured.model.name: configured for configured in models}
        self._auto = auto or EXTRACTIVE

    async def writers(self, request: Nothing) -> Writers:  # noqa: ARG002 - asks for nothing
        """Quotes, and the configured models."""
        quotes = WriterInfo(name=EXTRACTIVE, kind="extractive", ready=True)
        others = (WriterInfo(name=n, kind=c.kind, ready=c.ready) for n, c in self._models.items())
        return Writers(items=(quotes, *others), default=self._auto)

    def write(self, request: Write) -> Stream[Written]:
        """As the contract says; a model that was named is tried even when it failed a moment ago."""
        name = self._auto if request.model == "auto" else request.model
        return self._quotes(request, ()) if name == EXTRACTIVE else self._modelled(name, request)

    async def check(self, request: Check) -> Checked:
        """As the contract says: first by the words themselves, then in the cited sources, then in all."""
        if (quote := support.quoted(request.sentence, request.sources, request.cites)) is not None:
            return Checked(verdict="quoted", quotes=(quote,))
        if quotes := support.row_read(request.sentence, request.sources, request.cites):
            return Checked(verdict="quoted", quotes=quotes)
        everywhere = range(len(request.sources))
        cited = tuple(number for number in dict.fromkeys(request.cites) if number in everywhere)
        checked = await self._judged(request, cited) if cited else Checked(verdict="unsupported", quotes=())
        if checked.verdict == "unsupported" and len(cited) < len(request.sources):
            checked = await self._judged(request, tuple(everywhere))
        return checked

    async def _judged(self, request: Check, only: Sequence[int]) -> Checked:
        found = support.shortlist(request.sentence, support.pieces(request.sources, only))
        near = await self._embedded([request.sentence, *(piece.text for piece in found)])
        sources = [request.sources[number] for number in only]
        titles = " ".join(part for source in sources for part in (source.title, *source.section))
        everything = " ".join(source.text for source in sources)
        return support.judge(request.sentence, found, near, titles, everything)

    async def _quotes(self, request: Write, degraded: tuple[str, ...]) -> AsyncGenerator[Written, None]:
        language = language_of(request.question, request.weights) if request.weights else None
        weights = telling(request.weights or dict.fromkeys(terms(request.question), 1.0))
        found = shortlist(candidates(request.sources, language, weights.keys()), weights)
        vectors = await self._embedded([request.question, *(c.text for c in found)]) if found else None
        asked, dense = (None, None) if vectors is None else (vectors[:1], vectors[1:])
        for chosen in choose(request.question, found, weights, asked, dense) if found else ():
            yield said(chosen)
        missing = ("dense",) if found and vectors is None else ()
        yield Finished(model=EXTRACTIVE, degraded=(*degraded, *missing))

    async def _modelled(self, name: str, request: Write) -> AsyncGenerator[Written, None]:
        configured = self._models.get(name)
        if configured is None:
            known = [EXTRACTIVE, *self._models]
            raise ModelUnknown(f"no model {name!r} is configured; known: {', '.join(known)}", models=known)
        begun = False
        try:
            if not configured.ready and request.model == "auto":
                raise LlmDown("it failed a moment ago", model=name)
            async with aclosing(self._told(configured, request)) as told:
                async for sentence in told:
                    begun = True
                    yield sentence
        except Problem as problem:
            if not (problem.retryable or isinstance(problem, NotAvailable | ModelUnavailable)):
                raise
            self._give_up(configured, problem)
            if begun:
                yield Finished(model=name, degraded=("llm",))
                return
        else:
            yield Finished(model=name)
            return
        async with aclosing(self._quotes(request, ("llm",))) as quotes:
            async for event in quotes:
                yield event

    async def _told(self, configured: Configured, request: Write) -> AsyncGenerator[Sentence, None]:
        asked = messages(request.question, request.sources, configured.prompt_characters)
        cutter, told = Cutter(len(request.sources)), set[str]()
        async with aclosing(configured.model.stream(asked)) as stream:
            until = time.monotonic() + configured.first_seconds
            while (piece := await _next(stream, None if told else until, configured.model.name)) is not None:
                for sentence in cutter.feed(piece):
                    # A small model that repeats itself does so until it is stopped.
                    if is_refusal(sentence.text) or sentence.text in told:
                        return
                    told.add(sentence.text)
                    yield sentence
        for sentence in cutter.rest():
            if not is_refusal(sentence.text) and sentence.text not in told:
                yield sentence

    def _give_up(self, configured: Configured, problem: Problem) -> None:
        if configured.ready:
            configured.failed()
        _failures.labels(configured.model.name).inc()
        _log.warning("language model failed", model=configured.model.name, detail=problem.detail)

    async def _embedded(self, texts: Sequence[str]) -> Matrix | None:
        """Vectors, or None when embedding is out of reach: words alone decide then."""
        try:
            # As queries: somebody waits for them, and passages of an ingest must not go before.
            embedded = await self._embedding.embed_queries(EmbedQueries(texts=tuple(texts)))
        except Problem as problem:
            if not (problem.retryable or isinstance(problem, ModelUnavailable)):
                raise
            _log.warning("deciding by words only", detail=problem.detail)
            return None
        return embedded.vectors


async def _next(stream: Stream[str], until: float | None, model: str) -> str | None:
    """The next piece, None after the last.

    Raises LlmDown when a first sentence is still not there `until` then: words that only drip are no answer.
    """
    try:
        # Not wait_for, which before Python 3.12 loses a cancellation that comes with the piece.
        async with asyncio.timeout(None if until is None else until - time.monotonic()):
            return await anext(stream, None)
    except TimeoutError as late:
        raise LlmDown("no sentence in time", model=model) from late
