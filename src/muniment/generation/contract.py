"""Generation's contract: sentences from passages, and whether passages bear a sentence out."""

from typing import Annotated, Literal, Protocol

from pydantic import Field

from muniment.kernel.contract import Stream, idempotent
from muniment.kernel.model import Model, Nothing, Text
from muniment.kernel.problems import Problem

Verdict = Literal["quoted", "supported", "partly", "unsupported", "unchecked"]


class Source(Model):
    """A passage to write from: data, never instructions. `text` is quoted by offsets into it.

    `header` names the columns of the table that the text begins within, where it stands before the text.
    """

    title: str
    section: tuple[str, ...]
    text: str
    header: str = ""


class Write(Model):
    """`weights`: how rare each term of the question is (IDF). `model`: auto, extractive, or a name."""

    question: Text = Field(min_length=1, max_length=8192)
    sources: tuple[Source, ...] = Field(max_length=64)
    weights: dict[str, float] = Field(default={})
    model: str = Field(default="auto", max_length=256)


class Quote(Model):
    """[start, end) of `sources[source].text`."""

    source: int
    start: int
    end: int


class Sentence(Model):
    """One sentence. `quotes` say where it was taken from (extractive), `cites` which sources a model named."""

    kind: Literal["sentence"] = "sentence"
    text: str
    quotes: tuple[Quote, ...] = ()
    cites: tuple[int, ...] = ()


class Finished(Model):
    """The end: who wrote, and what was missing (`llm` when a model failed and quotes stand in)."""

    kind: Literal["finished"] = "finished"
    model: str
    degraded: tuple[str, ...] = ()


Written = Annotated[Sentence | Finished, Field(discriminator="kind")]


class Check(Model):
    """Does any of the sources bear the sentence out? `cites` are looked at first."""

    sentence: str
    sources: tuple[Source, ...] = Field(max_length=64)
    cites: tuple[int, ...] = ()


class Checked(Model):
    """The verdict, and the spans that bear the sentence out, best first (empty when none does)."""

    verdict: Verdict
    quotes: tuple[Quote, ...]


class WriterInfo(Model):
    """A model that may be named in `ask`."""

    name: str
    kind: Literal["extractive", "openai", "local"]
    ready: bool


class Writers(Model):
    items: tuple[WriterInfo, ...]
    default: str


class ModelUnknown(Problem, status=422):
    """No model of that name is configured; `models` lists those that are."""


class LlmDown(Problem, status=503, retryable=True):
    """The language model's server does not answer, or answers nonsense."""


class Generation(Protocol):
    """Sentences from passages."""

    def write(self, request: Write) -> Stream[Written]:
        """Sentences as they are ready, then Finished. No sentence at all means: the sources do not answer."""
        ...

    @idempotent
    async def check(self, request: Check) -> Checked:
        """Whether the sources support a sentence, without any language model."""
        ...

    @idempotent
    async def writers(self, request: Nothing) -> Writers: ...
