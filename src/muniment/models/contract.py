"""Models' contract: which models exist here, and their files by reference."""

from typing import Annotated, Literal, Protocol

from pydantic import Field

from muniment.kernel.contract import Stream, idempotent
from muniment.kernel.model import Model, Nothing
from muniment.kernel.problems import Problem

BUNDLED_EMBEDDING = "all-minilm-l6-v2"
BUNDLED_LLM = "smollm2-135m-instruct"

Kind = Literal["embedding", "llm"]


class FileRef(Model):
    """A file by reference: `key` in the blob store at `store`, and what its bytes must hash to."""

    store: str
    key: str
    size_bytes: int
    sha256: str


class EmbeddingFiles(Model):
    """An embedding model that is ready: an ONNX graph, a tokenizer, and what they can do.

    The graph takes `ids` and `mask` [batch, tokens] and `positions` [tokens] (int64) and gives `embedding`
    [batch, dimensions], unit length. `revision` changes whenever a vector could.
    """

    kind: Literal["embedding"] = "embedding"
    name: str
    revision: str
    dimensions: int
    max_tokens: int
    graph: FileRef
    tokenizer: FileRef


class LlmFiles(Model):
    """A language model that is ready: one GGUF file."""

    kind: Literal["llm"] = "llm"
    name: str
    revision: str
    context_tokens: int
    weights: FileRef


class Preparing(Model):
    """How far a model's preparation is; `total` null while unknown."""

    kind: Literal["preparing"] = "preparing"
    step: Literal["fetch", "verify", "build"]
    done: int
    total: int | None
    unit: str


PrepareEvent = Annotated[Preparing | EmbeddingFiles | LlmFiles, Field(discriminator="kind")]


class Prepare(Model):
    name: str = Field(max_length=256)


class AddModel(Model):
    """A model brought in by hand: a folder or a wheel file. `name` defaults to the bundled model's."""

    path: str
    name: str | None = None


class ModelInfo(Model):
    """A model this room knows. `state` is `absent` until first needed; `preparing` says how far it is then."""

    name: str
    kind: Kind
    state: Literal["absent", "preparing", "ready", "failed"]
    source: str
    revision: str | None
    size_bytes: int | None
    dimensions: int | None
    max_tokens: int | None
    problem: str | None
    preparing: Preparing | None = None


class ModelInfos(Model):
    items: tuple[ModelInfo, ...]


class ModelMissing(Problem, status=404):
    """No model of that name is known here."""


class ModelUnavailable(Problem, status=503, retryable=True):
    """The model cannot be had at present; the detail says how to bring it in by hand."""


class ModelBroken(Problem, status=422):
    """The files are not the model they should be (wrong checksum, missing part, unknown form)."""


class Models(Protocol):
    """What models exist, where they come from, and their files."""

    @idempotent
    def prepare(self, request: Prepare) -> Stream[PrepareEvent]:
        """Progress, then the files as the last event. A ready model answers at once; callers share the work."""
        ...

    @idempotent
    async def add(self, request: AddModel) -> ModelInfo:
        """Bring a model in from this machine's disk."""
        ...

    @idempotent
    async def list(self, request: Nothing) -> ModelInfos: ...
