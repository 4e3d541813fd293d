"""Knowledge's contract: a question in, a checked and cited answer out."""

from typing import Annotated, Literal, Protocol

from pydantic import Field

from muniment.documents.contract import Span
from muniment.generation.contract import Verdict
from muniment.kernel.contract import Stream
from muniment.kernel.model import Model, Time
from muniment.retrieval.contract import Filters, Hit, Query


class Ask(Model):
    """`model`: auto, extractive, or a configured name. `as_of` as in Search; no `conversation` yet."""

    question: Query
    collections: tuple[str, ...] | None = None
    filters: Filters = Field(default={})
    as_of: Time | None = None
    conversation: str | None = None
    model: str = Field(default="auto", max_length=256)


class CitedDocument(Model):
    id: str
    key: str
    title: str
    collection: str
    version: int


class Footnote(Model):
    """`quote` = `text[span.start:span.end]` of that version of the document, exactly."""

    number: int
    document: CitedDocument
    chunk: str
    span: Span
    page: int | None
    section: tuple[str, ...]
    quote: str


class AnswerSentence(Model):
    """[start, end) of the answer; `footnotes` by number."""

    text: str
    start: int
    end: int
    footnotes: tuple[int, ...]
    verdict: Verdict


class Answer(Model):
    """`answer` is the sentences joined by one space; when abstained, a short plain sentence and no footnotes."""

    answer: str
    sentences: tuple[AnswerSentence, ...]
    footnotes: tuple[Footnote, ...]
    passages: tuple[Hit, ...]
    conversation: str | None = None
    model: str
    abstained: bool
    degraded: tuple[str, ...] = ()
    took_ms: float


class Retrieved(Model):
    """The passages, before anything is written."""

    kind: Literal["passages"] = "passages"
    hits: tuple[Hit, ...]


class Noted(Model):
    """A footnote that the next sentence needs."""

    kind: Literal["footnote"] = "footnote"
    footnote: Footnote


class Said(Model):
    """A sentence, checked."""

    kind: Literal["sentence"] = "sentence"
    sentence: AnswerSentence


class Completed(Model):
    """The whole answer, last."""

    kind: Literal["done"] = "done"
    answer: Answer


AnswerEvent = Annotated[Retrieved | Noted | Said | Completed, Field(discriminator="kind")]


class Knowledge(Protocol):
    """Answers with footnotes."""

    async def ask(self, request: Ask) -> Answer:
        """The whole answer at once."""
        ...

    def answer(self, request: Ask) -> Stream[AnswerEvent]:
        """The passages, then each sentence after its footnotes and after its check, then the whole answer."""
        ...
