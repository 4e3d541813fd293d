"""The embedding room with a memory on disk, for benches that embed the same sets again and again."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from hashlib import blake2b

import numpy as np
from bench.cache import CACHE

from muniment.embedding.build import EmbeddingSettings
from muniment.embedding.build import build as build_embedding
from muniment.embedding.contract import (
    Describe,
    Embedded,
    Embedding,
    EmbeddingModel,
    EmbedPassages,
    EmbedQueries,
    Rerank,
    Reranked,
)
from muniment.models.contract import Models

FILE = CACHE / "passages.db"


class KeptEmbedding:
    """What a revision of a model made of a passage once is not computed again."""

    def __init__(self, room: Embedding, kept: sqlite3.Connection) -> None:
        self._room, self._kept = room, kept
        kept.execute("CREATE TABLE IF NOT EXISTS passages (key BLOB PRIMARY KEY, vector BLOB NOT NULL)")

    @staticmethod
    @asynccontextmanager
    async def building(settings: EmbeddingSettings, models: Models) -> AsyncIterator[Embedding]:
        """Builds it in the room's place."""
        FILE.parent.mkdir(exist_ok=True)
        async with build_embedding(settings, models) as room:
            with closing(sqlite3.connect(FILE, timeout=60, isolation_level=None)) as kept:
                kept.execute("PRAGMA journal_mode=WAL")
                kept.execute("PRAGMA synchronous=OFF")
                yield KeptEmbedding(room, kept)

    async def describe(self, request: Describe) -> EmbeddingModel:
        """As the room."""
        return await self._room.describe(request)

    async def embed_queries(self, request: EmbedQueries) -> Embedded:
        """As the room."""
        return await self._room.embed_queries(request)

    async def rerank(self, request: Rerank) -> Reranked:
        """As the room."""
        return await self._room.rerank(request)

    async def embed_passages(self, request: EmbedPassages) -> Embedded:
        """Those that are new go through the model; `tokens` counts these alone."""
        revision = (await self._room.describe(Describe(model=request.model))).revision
        keys = {text: blake2b(f"{revision}\n{text}".encode(), digest_size=16).digest() for text in request.texts}
        rows = {text: vector for text, key in keys.items() if (vector := self._get(key)) is not None}
        fresh = tuple(text for text in keys if text not in rows)
        tokens = 0
        if fresh:
            made = await self._room.embed_passages(EmbedPassages(model=request.model, texts=fresh))
            tokens = made.tokens
            rows |= dict(zip(fresh, made.vectors, strict=True))
            new = [(keys[text], rows[text].tobytes()) for text in fresh]
            self._kept.executemany("INSERT OR REPLACE INTO passages VALUES (?, ?)", new)
        return Embedded(vectors=np.stack([rows[text] for text in request.texts]), tokens=tokens)

    def _get(self, key: bytes) -> "np.ndarray[tuple[int], np.dtype[np.float32]] | None":
        row = self._kept.execute("SELECT vector FROM passages WHERE key = ?", (key,)).fetchone()
        return None if row is None else np.frombuffer(row[0], np.float32)
