"""LlamaIndex in its own environment: VectorStoreIndex and BM25Retriever, fused by QueryFusionRetriever.

As its page on reciprocal rerank fusion has it, without questions made up by a language model (`num_queries=1`).
"""

from llama_index.core import Document, MockEmbedding, Settings, VectorStoreIndex  # type: ignore[import-not-found]
from llama_index.core.ingestion import IngestionPipeline  # type: ignore[import-not-found]
from llama_index.core.llms import MockLLM  # type: ignore[import-not-found]
from llama_index.core.node_parser import SentenceSplitter  # type: ignore[import-not-found]
from llama_index.core.retrievers import QueryFusionRetriever  # type: ignore[import-not-found]
from llama_index.embeddings.huggingface import HuggingFaceEmbedding  # type: ignore[import-not-found]
from llama_index.retrievers.bm25 import BM25Retriever  # type: ignore[import-not-found]
from protocol import CANDIDATES, first_of_each, serve
from transformers import AutoTokenizer  # type: ignore[import-not-found]


class LlamaIndex:
    """Titles are metadata, which it puts before the text that it embeds and indexes."""

    def __init__(self, weights: str, tokens: int) -> None:
        words = AutoTokenizer.from_pretrained(weights)
        self._splitter = SentenceSplitter(
            chunk_size=tokens,
            chunk_overlap=0,
            tokenizer=lambda text: words(text, add_special_tokens=False).input_ids,
        )
        self._model = HuggingFaceEmbedding(model_name=weights, device="cpu", embed_batch_size=32)
        self._model.get_text_embedding_batch(["warm"] * 8)
        Settings.llm, Settings.embed_model = MockLLM(), MockEmbedding(embed_dim=1)  # neither is asked

    def ingest(self, documents: list[dict[str, str]]) -> int:
        """Split, embed, index."""
        made = [
            Document(id_=d["id"], text=d["text"], metadata={"title": d["title"]} if d["title"] else {})
            for d in documents
        ]
        nodes = IngestionPipeline(transformations=[self._splitter, self._model]).run(documents=made)
        index = VectorStoreIndex(nodes, embed_model=self._model)
        self._retriever = QueryFusionRetriever(
            [
                index.as_retriever(similarity_top_k=CANDIDATES),
                BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=CANDIDATES),
            ],
            similarity_top_k=CANDIDATES,
            num_queries=1,
            mode="reciprocal_rerank",
            use_async=False,
        )
        return len(nodes)

    def search(self, query: str) -> list[str]:
        """As it fuses."""
        return first_of_each(found.node.ref_doc_id for found in self._retriever.retrieve(query))


if __name__ == "__main__":
    serve(LlamaIndex)
