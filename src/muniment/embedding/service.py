"""Text to vectors with ONNX Runtime, in threads; models are loaded when first needed."""

import asyncio
from pathlib import Path

import numpy as np
from prometheus_client import Counter

from muniment.embedding.contract import (
    Describe,
    Embedded,
    Embedding,
    EmbeddingModel,
    EmbedPassages,
    EmbedQueries,
    PassageTooLong,
)
from muniment.embedding.encoder import Encoder, checked
from muniment.embedding.lane import Size
from muniment.embedding.loaded import Loaded
from muniment.embedding.recent import Recent, Row
from muniment.kernel.blobs import local_file
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.deadline import clear_deadline
from muniment.kernel.logs import get_logger
from muniment.models.contract import EmbeddingFiles, ModelMissing, Models, ModelUnavailable, Prepare

_log = get_logger(__name__)
_repeated = Counter("muniment_embedding_repeated_queries", "Queries answered from the cache.")


class OnnxEmbedding(Embedding):
    """Embedding models of the models room, run in this process."""

    def __init__(self, models: Models, *, threads: int, passages: Size, recent_queries: int) -> None:
        self._models, self._threads, self._passages = models, threads, passages
        self._recent = Recent(recent_queries)
        self._loads: dict[str, asyncio.Task[Loaded]] = {}

    async def describe(self, request: Describe) -> EmbeddingModel:
        """From its files alone: the model is not loaded for it."""
        files = await self._files(request.model)
        return EmbeddingModel(
            name=files.name,
            revision=files.revision,
            dimensions=files.dimensions,
            max_tokens=files.max_tokens,
            tokenizer=files.tokenizer,
        )

    async def embed_queries(self, request: EmbedQueries) -> Embedded:
        """Those that are new go through the model."""
        rows = {text: self._recent.get(request.model, text) for text in request.texts}
        fresh = [text for text, row in rows.items() if row is None]
        _repeated.inc(len(rows) - len(fresh))
        if fresh:
            loaded = await self._loaded(request.model)
            words = await loaded.words(fresh)
            vectors = await loaded.queries(words)
            for text, ids, vector in zip(fresh, words, vectors, strict=True):
                fresh_row = Row(vector=vector[None], tokens=len(loaded.encoder.marked(ids)))
                rows[text] = fresh_row
                self._recent.put(request.model, text, fresh_row)
        found = [row for text in request.texts if (row := rows[text]) is not None]
        return Embedded(
            vectors=np.concatenate([row.vector for row in found]), tokens=sum(row.tokens for row in found)
        )

    async def embed_passages(self, request: EmbedPassages) -> Embedded:
        """All or none: the first that is too long is refused before anything runs."""
        loaded = await self._loaded(request.model)
        texts = [loaded.encoder.marked(ids) for ids in await loaded.words(request.texts)]
        most = loaded.encoder.max_tokens
        for index, ids in enumerate(texts):
            if len(ids) > most:
                raise PassageTooLong(
                    f"passage {index} has {len(ids)} tokens, and {request.model} reads at most {most}: cut it",
                    index=index,
                    tokens=len(ids),
                    max_tokens=most,
                )
        return Embedded(vectors=await loaded.passages(texts), tokens=sum(map(len, texts)))

    async def close(self) -> None:
        """Unload everything."""
        loads = list(self._loads.values())
        for load in loads:
            load.cancel()
        if loads:
            await asyncio.wait(loads)
        for load in loads:
            if not load.cancelled() and load.exception() is None:
                await load.result().close()

    async def _files(self, name: str) -> EmbeddingFiles:
        files = None
        async for event in self._models.prepare(Prepare(name=name)):
            files = event
        if isinstance(files, EmbeddingFiles):
            return files
        if files is None:
            raise ModelUnavailable(f"the models room did not say where {name} is; ask again", model=name)
        raise ModelMissing(f"{name} is no embedding model", model=name)

    async def _loaded(self, name: str) -> Loaded:
        """The model, loaded once for all callers and for good: an index must not mix two revisions."""
        load = self._loads.get(name)
        if load is None or (load.done() and (load.cancelled() or load.exception())):
            load = self._loads[name] = asyncio.create_task(self._load(name), name=f"load {name}")
        # A caller who gives up does not stop the others' loading.
        return await asyncio.shield(load)

    async def _load(self, name: str) -> Loaded:
        clear_deadline()
        with calling_as(Caller.system("embedding")):
            files = await self._files(name)
        graph, tokenizer = (
            await local_file(files.graph.store, files.graph.key),
            await local_file(files.tokenizer.store, files.tokenizer.key),
        )
        encoder = await asyncio.to_thread(self._encoder, files, graph, tokenizer)
        _log.info("model loaded", model=name, revision=files.revision, threads=self._threads)
        return Loaded(encoder, self._passages)

    def _encoder(self, files: EmbeddingFiles, graph: Path, tokenizer: Path) -> Encoder:
        return Encoder.load(
            checked(files.graph, graph),
            checked(files.tokenizer, tokenizer),
            max_tokens=files.max_tokens,
            threads=self._threads,
        )
