"""Runs in the environment of sentence-transformers: the seconds it takes to embed a file of texts."""

import json
import sys
import time
from pathlib import Path

from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]


def main() -> None:
    """`model folder` and `texts.json` are the arguments; each line read embeds all texts once."""
    folder, texts = sys.argv[1:]
    model = SentenceTransformer(folder, device="cpu")
    loaded = json.loads(Path(texts).read_text())
    model.encode(loaded[:8])
    for _ in sys.stdin:
        start = time.perf_counter()
        model.encode(loaded, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
