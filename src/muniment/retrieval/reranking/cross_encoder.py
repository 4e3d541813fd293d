"""A cross-encoder of the models room, run by the embedding room."""

from collections.abc import Sequence

from muniment.embedding.contract import Embedding, Rerank


class CrossEncoder:
    """The model called `name`."""

    def __init__(self, embedding: Embedding, name: str, candidates: int) -> None:
        self.name, self.candidates = name, candidates
        self._embedding = embedding

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        """As the model judges."""
        reply = await self._embedding.rerank(Rerank(model=self.name, query=query, passages=tuple(passages)))
        return list(reply.scores)
