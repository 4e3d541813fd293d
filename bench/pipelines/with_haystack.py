"""Haystack in its own environment: the pipelines of its tutorial on hybrid retrieval, joined by reciprocal ranks.

Chunks are counted in words, its own unit that needs nothing from the net; three words are about four tokens.
"""

import os

from haystack import Document, Pipeline  # type: ignore[import-not-found]
from haystack.components.joiners import DocumentJoiner  # type: ignore[import-not-found]
from haystack.components.preprocessors import RecursiveDocumentSplitter  # type: ignore[import-not-found]
from haystack.components.retrievers.in_memory import (  # type: ignore[import-not-found]
    InMemoryBM25Retriever,
    InMemoryEmbeddingRetriever,
)
from haystack.components.writers import DocumentWriter  # type: ignore[import-not-found]
from haystack.document_stores.in_memory import InMemoryDocumentStore  # type: ignore[import-not-found]
from haystack.document_stores.types import DuplicatePolicy  # type: ignore[import-not-found]
from haystack.utils import ComponentDevice  # type: ignore[import-not-found]
from haystack_integrations.components.embedders.sentence_transformers import (  # type: ignore[import-not-found]
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)
from protocol import CANDIDATES, first_of_each, serve

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"


class Haystack:
    """Titles are embedded with the text, as its embedder offers; its BM25 reads the text alone."""

    def __init__(self, weights: str, tokens: int) -> None:
        self._store = InMemoryDocumentStore(embedding_similarity_function="cosine")
        told = {"model": weights, "device": ComponentDevice.from_str("cpu"), "progress_bar": False}
        splitter = RecursiveDocumentSplitter(split_length=tokens * 3 // 4, separators=["\n\n", "\n", ".", " "])
        self._indexing = Pipeline()
        self._indexing.add_component("splitter", splitter)
        embedder = SentenceTransformersDocumentEmbedder(meta_fields_to_embed=["title"], **told)
        self._indexing.add_component("embedder", embedder)
        self._indexing.add_component("writer", DocumentWriter(self._store, policy=DuplicatePolicy.SKIP))
        self._indexing.connect("splitter", "embedder")
        self._indexing.connect("embedder", "writer")
        self._searching = Pipeline()
        self._searching.add_component("embedder", SentenceTransformersTextEmbedder(**told))
        self._searching.add_component("dense", InMemoryEmbeddingRetriever(self._store, top_k=CANDIDATES))
        self._searching.add_component("bm25", InMemoryBM25Retriever(self._store, top_k=CANDIDATES))
        joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=CANDIDATES, sort_by_score=True)
        self._searching.add_component("joiner", joiner)
        self._searching.connect("embedder.embedding", "dense.query_embedding")
        self._searching.connect("dense", "joiner")
        self._searching.connect("bm25", "joiner")
        self._indexing.warm_up()
        self._searching.warm_up()

    def ingest(self, documents: list[dict[str, str]]) -> int:
        """Split, embed, write."""
        self._store.delete_all_documents()
        made = [Document(content=d["text"], meta={"of": d["id"], "title": d["title"]}) for d in documents]
        written: int = self._indexing.run({"splitter": {"documents": made}})["writer"]["documents_written"]
        return written

    def search(self, query: str) -> list[str]:
        """Both retrievers, joined."""
        joined = self._searching.run({"bm25": {"query": query}, "embedder": {"text": query}})["joiner"]
        return first_of_each(found.meta["of"] for found in joined["documents"])


if __name__ == "__main__":
    serve(Haystack)
