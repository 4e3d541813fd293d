"""Runs in the environment of LlamaIndex: the seconds its ingestion pipeline takes for a file of documents."""

import json
import sys
import time
from pathlib import Path

from llama_index.core import Document  # type: ignore[import-not-found]
from llama_index.core.ingestion import IngestionPipeline  # type: ignore[import-not-found]
from llama_index.core.node_parser import SentenceSplitter  # type: ignore[import-not-found]
from llama_index.core.vector_stores import SimpleVectorStore  # type: ignore[import-not-found]
from llama_index.embeddings.huggingface import HuggingFaceEmbedding  # type: ignore[import-not-found]
from transformers import AutoTokenizer  # type: ignore[import-not-found]


def main() -> None:
    """`model folder`, `documents.json` and the chunk size in tokens are the arguments."""
    folder, file, tokens = sys.argv[1:]
    words = AutoTokenizer.from_pretrained(folder)
    splitter = SentenceSplitter(
        chunk_size=int(tokens),
        chunk_overlap=0,
        tokenizer=lambda text: words(text, add_special_tokens=False).input_ids,
    )
    model = HuggingFaceEmbedding(model_name=folder, device="cpu", embed_batch_size=32)
    model.get_text_embedding_batch(["warm"] * 8)
    documents = [Document(text=text) for text in json.loads(Path(file).read_text())]
    for _ in sys.stdin:
        pipeline = IngestionPipeline(transformations=[splitter, model], vector_store=SimpleVectorStore())
        start = time.perf_counter()
        nodes = pipeline.run(documents=documents, show_progress=False)
        print(json.dumps({"seconds": time.perf_counter() - start, "chunks": len(nodes)}), flush=True)


if __name__ == "__main__":
    main()
