"""txtai in its own environment: `Embeddings(hybrid=True, content=True)`, as its page on hybrid search has it."""

from pathlib import Path

from protocol import CANDIDATES, first_of_each, serve
from tokenizers import Tokenizer
from txtai import Embeddings  # type: ignore[import-not-found]
from txtai.pipeline import Segmentation  # type: ignore[import-not-found]

APART = "\x1f"


class Txtai:
    """Chunks of its Segmentation; a title stands before the text of each."""

    def __init__(self, weights: str, tokens: int) -> None:
        words = Tokenizer.from_file(str(Path(weights) / "tokenizer.json"))
        words.no_truncation()
        words.no_padding()
        self._segments = Segmentation(chunker="recursive", tokenizer=words, chunk_size=tokens)
        self._embeddings = Embeddings(path=weights, hybrid=True, content=True, gpu=False)
        self._embeddings.index([("warm", "warm", None)])

    def ingest(self, documents: list[dict[str, str]]) -> int:
        """Split, embed, index."""
        chunks = [
            (f"{document['id']}{APART}{number}", f"{document['title']}\n\n{text}".strip(), None)
            for document in documents
            for number, text in enumerate(self._segments(document["text"]))
        ]
        self._embeddings.index(chunks)
        return len(chunks)

    def search(self, query: str) -> list[str]:
        """As it weighs both, half and half."""
        hits = self._embeddings.search(query, limit=CANDIDATES)
        return first_of_each(hit["id"].partition(APART)[0] for hit in hits)


if __name__ == "__main__":
    serve(Txtai)
