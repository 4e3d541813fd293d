"""A tiny model, built once, and a models room that has it."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

import onnx
import pytest

from kit.tiny_bert import MOST, WIDTH, tiny_files, tiny_weights
from muniment.embedding.build import EmbeddingSettings, build
from muniment.embedding.contract import Embedding
from muniment.embedding.encoder import Encoder
from muniment.embedding.session import Parts
from muniment.kernel.contract import Stream
from muniment.kernel.local import local
from muniment.kernel.model import Nothing
from muniment.models.bert import read_bert
from muniment.models.contract import (
    AddEvent,
    AddModel,
    EmbeddingFiles,
    FileRef,
    LlmFiles,
    ModelInfo,
    ModelInfos,
    ModelMissing,
    Models,
    ModelUnavailable,
    Prepare,
    PrepareEvent,
    Preparing,
    RemoveModel,
)
from muniment.models.graph import build_graph


class ReadyModels:
    """A models room that has `files`; with `offline` set it cannot give them."""

    def __init__(self, *files: EmbeddingFiles | LlmFiles) -> None:
        self.files = {f.name: f for f in files}
        self.offline = False

    async def prepare(self, request: Prepare) -> Stream[PrepareEvent]:
        yield Preparing(step="build", done=0, total=None, unit="files")
        if self.offline:
            raise ModelUnavailable("no registry here")
        if request.name not in self.files:
            raise ModelMissing("no such model")
        yield self.files[request.name]

    async def bring(self, request: AddModel) -> Stream[AddEvent]:
        yield await self.add(request)

    async def add(self, request: AddModel) -> ModelInfo:
        raise ModelMissing(request.path)

    async def remove(self, request: RemoveModel) -> Nothing:
        raise ModelMissing(request.name)

    async def list(self, _: Nothing) -> ModelInfos:
        return ModelInfos(items=())


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingFiles:
    folder, files = tmp_path_factory.mktemp("tiny model"), tiny_files()
    bert = read_bert(files["config.json"], files["sentence_bert_config.json"], None)
    onnx.save(build_graph(bert, tiny_weights(), "int8"), folder / "graph.onnx")
    (folder / "tokenizer.json").write_bytes(files["tokenizer.json"])
    return EmbeddingFiles(
        name="tiny",
        revision="int8-tiny",
        dimensions=WIDTH,
        max_tokens=MOST,
        graph=ref_to(folder / "graph.onnx"),
        tokenizer=ref_to(folder / "tokenizer.json"),
    )


def ref_to(path: Path) -> FileRef:
    data = path.read_bytes()
    return FileRef(
        store=path.parent.as_uri(), key=path.name, size_bytes=len(data), sha256=sha256(data).hexdigest()
    )


@pytest.fixture
def models(tiny: EmbeddingFiles) -> ReadyModels:
    return ReadyModels(tiny, LlmFiles(name="talker", revision="1", context_tokens=8, weights=tiny.graph))


@pytest.fixture
async def embedding(models: ReadyModels) -> AsyncIterator[Embedding]:
    settings = EmbeddingSettings(threads=1, batch_tokens=256, waiting_tokens=4096, recent_queries=8)
    async with build(settings, local(Models, models)) as service:  # type: ignore[type-abstract]
        yield local(Embedding, service)  # type: ignore[type-abstract]


@pytest.fixture(scope="session")
def encoder(tiny: EmbeddingFiles) -> Encoder:
    folder = Path(unquote(urlsplit(tiny.graph.store).path))
    return Encoder.load(Parts(folder / tiny.graph.key, folder / tiny.tokenizer.key), max_tokens=MOST, threads=1)
