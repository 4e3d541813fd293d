"""Chunks into vectors and points; a chunk that stood in the version before keeps its vector."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np

from muniment.documents.chunking.recipe import embedded_text
from muniment.documents.pieces import Piece, point_id, unchanged
from muniment.documents.target import Target
from muniment.embedding.contract import Embedding, EmbedPassages
from muniment.kernel.deadline import MOST_SECONDS, deadline
from muniment.kernel.model import Matrix
from muniment.vectors.contract import FetchVectors, Payload, Point, Upsert, Vectors


class Embedder:
    """Asks the embedding room for what is new, and the index for what is not."""

    def __init__(self, embedding: Embedding, vectors: Vectors) -> None:
        self._embedding, self._vectors = embedding, vectors

    async def vectors(
        self, target: Target, title: str, pieces: Sequence[Piece], known: Mapping[str, UUID]
    ) -> tuple[tuple[str, ...], Matrix]:
        """What is embedded of each piece, and its vector; `known` are points by hash."""
        texts = texts_of(title, pieces)
        kept = await self._kept(target, unchanged(pieces, known))
        fresh = [place for place in range(len(pieces)) if place not in kept]
        rows = dict(kept)
        if fresh:
            wanted = EmbedPassages(model=target.model, texts=tuple(texts[place] for place in fresh))
            async with deadline(MOST_SECONDS):  # others may stand in line before us
                made = (await self._embedding.embed_passages(wanted)).vectors
            rows |= dict(zip(fresh, made, strict=True))
        return texts, np.stack([rows[place] for place in range(len(pieces))])

    async def _kept(self, target: Target, points: Mapping[int, UUID]) -> dict[int, Matrix]:
        if not points:
            return {}
        wanted = FetchVectors(index=target.index_name, ids=tuple(dict.fromkeys(points.values())))
        fetched = await self._vectors.fetch(wanted)
        stored = dict(zip(fetched.ids, fetched.vectors, strict=True))
        return {place: stored[point] for place, point in points.items() if point in stored}

    async def upsert(
        self,
        target: Target,
        version: str,
        pieces: Sequence[Piece],
        *,
        texts: Sequence[str],
        vectors: Matrix,
        payload: Payload,
    ) -> None:
        """Put the pieces into the index; the same again replaces them."""
        points = points_of(version, pieces, texts, language=target.language, payload=payload)
        async with deadline(MOST_SECONDS):
            await self._vectors.upsert(Upsert(index=target.index_name, points=points, vectors=vectors))


def texts_of(title: str, pieces: Sequence[Piece]) -> tuple[str, ...]:
    """What is embedded of each piece."""
    return tuple(embedded_text(title, piece.section, piece.text, piece.header) for piece in pieces)


def points_of(
    version: str, pieces: Sequence[Piece], texts: Sequence[str], *, language: str | None, payload: Payload
) -> tuple[Point, ...]:
    """The points of the pieces, wherever they are put; in the document's language, else in `language`."""
    own = payload.get("language")
    spoken = own if isinstance(own, str) else language
    return tuple(
        Point(
            id=point_id(version, piece.number),
            text=text,
            language=spoken,
            payload=payload | {"version": version, "chunk": piece.number},
        )
        for piece, text in zip(pieces, texts, strict=True)
    )
