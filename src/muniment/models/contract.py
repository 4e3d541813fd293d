"""Models' contract: which models exist here, and their files by reference."""

from typing import Annotated, Literal, Protocol

from pydantic import Field

from muniment.kernel.contract import Stream, idempotent
from muniment.kernel.model import Model, Nothing
from muniment.kernel.problems import Problem

BUNDLED_EMBEDDING = "all-minilm-l6-v2"
BUNDLED_LLM = "smollm2-135m-instruct"

Kind = Literal["embedding", "llm", "reranker"]
Pooling = Literal["mean", "first", "last", "own"]
"""How a text's tokens become one vector: their mean, the first, the last, or by the graph itself."""

GRAPH_REFUSALS = (
    *("InvalidProtobuf", "InvalidGraph", "InvalidArgument", "NotImplemented", "Fail", "RuntimeException"),
    *("NoSuchFile", "EPFail", "EngineError"),
)
"""What ONNX Runtime raises on a graph that it cannot load or run, by name; they share no base but Exception."""


class FileRef(Model):
    """A file by reference: `key` in the blob store at `store`, and what its bytes must hash to."""

    store: str
    key: str
    size_bytes: int
    sha256: str


class EmbeddingFiles(Model):
    """An embedding model that is ready: an ONNX graph, a tokenizer, and what they can do.

    The graph takes `ids` and `mask` [batch, tokens] and `positions` [tokens] (int64) and gives `embedding`
    [batch, dimensions], unit length. `data` holds the weights that are too large to stand in the graph; it lies
    beside it. `revision` changes whenever a vector could. `max_tokens` counts the special tokens and the prefix,
    which stands before every query or passage; a passage's prefix is at most `prefix_tokens`.
    """

    kind: Literal["embedding"] = "embedding"
    name: str
    revision: str
    dimensions: int
    max_tokens: int
    graph: FileRef
    tokenizer: FileRef
    data: FileRef | None = None
    pooling: Pooling = "mean"
    query_prefix: str = ""
    passage_prefix: str = ""
    prefix_tokens: int = 0


class RerankerFiles(Model):
    """A cross-encoder that is ready: query and passage together in, how well they fit out.

    The graph takes `ids`, `mask` and `kinds` [batch, tokens] and `positions` [tokens] (int64) and gives `score`
    [batch]; `kinds` is 0 in the query and 1 in the passage.
    """

    kind: Literal["reranker"] = "reranker"
    name: str
    revision: str
    max_tokens: int
    graph: FileRef
    tokenizer: FileRef
    data: FileRef | None = None


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


Files = EmbeddingFiles | RerankerFiles | LlmFiles
PrepareEvent = Annotated[Preparing | Files, Field(discriminator="kind")]


class Prepare(Model):
    name: str = Field(max_length=256)


class AddModel(Model):
    """A model brought in by hand: a folder, a wheel file, or `hub:org/name@revision` (no revision: the newest).

    `name` defaults to the hub's, else to the bundled model's. `file` is the ONNX graph within it, where there
    are several. Prefixes that are null are those that the model's own files declare.
    """

    path: str = Field(max_length=4096)
    name: str | None = None
    file: str | None = Field(default=None, max_length=512)
    query_prefix: str | None = Field(default=None, max_length=1000)
    passage_prefix: str | None = Field(default=None, max_length=1000)


class RemoveModel(Model):
    name: str = Field(max_length=256)


class ModelInfo(Model):
    """A model this room knows. `state` is `absent` until first needed; `preparing` says how far it is then.

    `hashes`: the SHA-256 of each file that came from a hub.
    """

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
    pooling: Pooling | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    hashes: dict[str, str] = Field(default={})


AddEvent = Annotated[Preparing | ModelInfo, Field(discriminator="kind")]


class ModelInfos(Model):
    items: tuple[ModelInfo, ...]


class ModelMissing(Problem, status=404):
    """No model of that name is known here."""


class ModelUnavailable(Problem, status=503, retryable=True):
    """The model cannot be had at present; the detail says how to bring it in by hand."""


class ModelBroken(Problem, status=422):
    """The files are not the model they should be (wrong checksum, missing part, unknown form)."""


class ModelTaken(Problem, status=409):
    """The name is that of a model with other files: vectors of two models must not meet in one index."""


class ModelInUse(Problem, status=409):
    """The model is needed where it is: by an index (`indexes`), or it is being prepared."""


class Models(Protocol):
    """What models exist, where they come from, and their files."""

    @idempotent
    def prepare(self, request: Prepare) -> Stream[PrepareEvent]:
        """Progress, then the files as the last event. A ready model answers at once; callers share the work."""
        ...

    @idempotent
    async def add(self, request: AddModel) -> ModelInfo:
        """Bring a model in from this machine's disk, or from a hub.

        The same files under the same name are no new work. Raises ModelTaken where it has others,
        ModelBroken, ModelUnavailable.
        """
        ...

    @idempotent
    def bring(self, request: AddModel) -> Stream[AddEvent]:
        """As `add`: how far it is, and the model as the last event."""
        ...

    @idempotent
    async def remove(self, request: RemoveModel) -> Nothing:
        """Forget a model that was added, and its files; a bundled one's come again when it is next needed.

        Whether an index still needs it is for the caller to know.
        """
        ...

    @idempotent
    async def list(self, request: Nothing) -> ModelInfos: ...
