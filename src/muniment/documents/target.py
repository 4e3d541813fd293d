"""Where a collection's chunks go: its index, and the model and tokenizer they are made for."""

from pathlib import Path
from typing import NamedTuple

from muniment.collections.contract import CollectionRef, Collections, IndexRef, Lookup
from muniment.embedding.contract import Describe, Embedding, EmbeddingModel
from muniment.kernel.blobs import local_file
from muniment.kernel.deadline import MOST_SECONDS, deadline
from muniment.vectors.contract import EnsureIndex, Vectors


class Target(NamedTuple):
    """An index that is there, and what fits into it."""

    index_name: str
    model: str
    language: str | None
    tokenizer: Path
    max_tokens: int
    recipe: str
    collection: CollectionRef


class Targets:
    """Targets by collection; a model is described once, since a process keeps the revision it has loaded."""

    def __init__(self, collections: Collections, embedding: Embedding, vectors: Vectors) -> None:
        self._collections, self._embedding, self._vectors = collections, embedding, vectors
        self._models: dict[str, tuple[EmbeddingModel, Path]] = {}

    async def of(self, collection: str) -> Target | None:
        """The target of the collection of that id, in the index that is searched; none when it is gone."""
        ref = await self.collection(collection)
        return None if ref is None else await self.at(ref, ref.index)

    async def collection(self, collection: str) -> CollectionRef | None:
        """The collection of that id, none when it is gone."""
        refs = (await self._collections.lookup(Lookup(collections=(collection,)))).items
        return refs[0] if refs else None

    async def at(self, ref: CollectionRef, index: IndexRef) -> Target:
        """The target in one of the collection's indexes."""
        name = index.model
        if name not in self._models:
            async with deadline(MOST_SECONDS):  # the model may have to be fetched first
                model = await self._embedding.describe(Describe(model=name))
            self._models[name] = (model, await local_file(model.tokenizer.store, model.tokenizer.key))
        model, tokenizer = self._models[name]
        await self._vectors.ensure(EnsureIndex(index=index.name, dimensions=model.dimensions))
        return Target(index.name, name, ref.language, tokenizer, model.max_tokens, index.recipe, ref)
