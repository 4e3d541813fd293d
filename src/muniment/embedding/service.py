"""Text to vectors with ONNX Runtime, in threads; models are loaded when first needed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

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
    Rerank,
    Reranked,
)
from muniment.embedding.courtesy import Courtesy
from muniment.embedding.encoder import Encoder
from muniment.embedding.lane import Size
from muniment.embedding.loaded import Loaded
from muniment.embedding.machine import shared_out
from muniment.embedding.ranker import Ranker
from muniment.embedding.recent import Recent, Row
from muniment.embedding.scorer import Scorer
from muniment.embedding.session import Parts, check
from muniment.embedding.shelf import Shelf
from muniment.kernel.blobs import local_file
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.deadline import clear_deadline
from muniment.kernel.logs import get_logger
from muniment.models.contract import (
    EmbeddingFiles,
    FileRef,
    ModelBroken,
    ModelMissing,
    Models,
    ModelUnavailable,
    Prepare,
    RerankerFiles,
)

F = TypeVar("F", EmbeddingFiles, RerankerFiles)

_log = get_logger(__name__)
_repeated = Counter("muniment_embedding_repeated_queries", "Queries answered from the cache.")


class OnnxEmbedding(Embedding):
    """Embedding models and rerankers of the models room, run in this process."""

    def __init__(
        self, models: Models, *, threads: int, passages: Size, recent_queries: int, memory_bytes: int
    ) -> None:
        self._models, self._threads, self._passages = models, threads, passages
        self._recent = Recent(recent_queries)
        self._courtesy = Courtesy()
        self._shelf: Shelf[Loaded | Ranker] = Shelf(memory_bytes)
        self._revisions: dict[str, str] = {}

    async def describe(self, request: Describe) -> EmbeddingModel:
        """From its files alone: the model is not loaded for it."""
        files = await self._files(request.model, EmbeddingFiles, "embedding model")
        return EmbeddingModel(
            name=files.name,
            revision=files.revision,
            dimensions=files.dimensions,
            max_tokens=files.max_tokens - files.prefix_tokens,
            tokenizer=files.tokenizer,
        )

    async def embed_queries(self, request: EmbedQueries) -> Embedded:
        """Those that are new go through the model."""
        rows = {text: self._recent.get(request.model, text) for text in request.texts}
        fresh = [text for text, row in rows.items() if row is None]
        _repeated.inc(len(rows) - len(fresh))
        if fresh:
            async with self._embedder(request.model) as loaded:
                words = await loaded.words(fresh, loaded.encoder.query_prefix)
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
        async with self._embedder(request.model) as loaded:
            encoder = loaded.encoder
            words = await loaded.words(request.texts, encoder.passage_prefix)
            texts = [encoder.marked(ids) for ids in words]
            for index, ids in enumerate(texts):
                if len(ids) > encoder.max_tokens:
                    raise PassageTooLong(
                        f"passage {index} has {len(ids)} tokens, and {request.model} reads at most "
                        f"{encoder.max_tokens}: cut it",
                        index=index,
                        tokens=len(ids),
                        max_tokens=encoder.max_tokens,
                    )
            return Embedded(vectors=await loaded.passages(texts), tokens=sum(map(len, texts)))

    async def rerank(self, request: Rerank) -> Reranked:
        """Before passages that wait to be embedded: a person waits for it."""
        with self._courtesy.asking():
            async with self._shelf.using(request.model, partial(self._load_ranker, request.model)) as ranker:
                if not isinstance(ranker, Ranker):
                    raise ModelMissing(f"{request.model} is no reranker", model=request.model)
                scores, tokens = await ranker.scores(request.query, request.passages)
        return Reranked(scores=tuple(scores), tokens=tokens)

    async def close(self) -> None:
        """Unload everything."""
        await self._shelf.close()

    async def _files(self, name: str, kind: type[F], what: str) -> F:
        files = None
        async for event in self._models.prepare(Prepare(name=name)):
            files = event
        if isinstance(files, kind):
            return files
        if files is None:
            raise ModelUnavailable(f"the models room did not say where {name} is; ask again", model=name)
        raise ModelMissing(f"{name} is no {what}", model=name)

    @asynccontextmanager
    async def _embedder(self, name: str) -> AsyncIterator[Loaded]:
        async with self._shelf.using(name, partial(self._load, name)) as loaded:
            if not isinstance(loaded, Loaded):
                raise ModelMissing(f"{name} is no embedding model", model=name)
            yield loaded

    async def _load(self, name: str) -> Loaded:
        files = await self._own_files(name, EmbeddingFiles, "embedding model")
        # What was embedded is compared with what is embedded now: an index must not mix two revisions.
        if self._revisions.setdefault(name, files.revision) != files.revision:
            raise ModelBroken(
                f"{name} is another model than this process began with; reindex with it, then start again",
                model=name,
            )
        parts = await self._parts(files)
        runs, threads = shared_out(self._threads, parts.size_bytes)
        encoder = await asyncio.to_thread(
            Encoder.load,
            parts,
            max_tokens=files.max_tokens,
            threads=threads,
            query_prefix=files.query_prefix,
            passage_prefix=files.passage_prefix,
        )
        _log.info("model loaded", model=name, revision=files.revision, batches_at_once=runs, threads=threads)
        return Loaded(encoder, self._passages, self._courtesy, runs=runs, size_bytes=parts.size_bytes)

    async def _load_ranker(self, name: str) -> Ranker:
        files = await self._own_files(name, RerankerFiles, "reranker")
        parts = await self._parts(files)
        scorer = await asyncio.to_thread(Scorer.load, parts, max_tokens=files.max_tokens, threads=self._threads)
        _log.info("reranker loaded", model=name, revision=files.revision, threads=self._threads)
        return Ranker(scorer, parts.size_bytes)

    async def _own_files(self, name: str, kind: type[F], what: str) -> F:
        """For the house, not for whoever asked first: neither their time nor their rights bound it."""
        clear_deadline()
        with calling_as(Caller.system("embedding")):
            return await self._files(name, kind, what)

    async def _parts(self, files: EmbeddingFiles | RerankerFiles) -> Parts:
        async def found(ref: FileRef) -> Path:
            path = await local_file(ref.store, ref.key)
            await asyncio.to_thread(check, ref, path)
            return path

        return Parts(
            await found(files.graph),
            await found(files.tokenizer),
            await found(files.data) if files.data else None,
        )
