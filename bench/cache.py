"""What is made once and kept under `bench/.cache/`: by the state of the code that made it."""

import ast
from hashlib import sha256
from pathlib import Path

import muniment.vectors

CACHE = Path(__file__).parent / ".cache"
VECTORS = Path(str(muniment.vectors.__file__)).parent
ENGINE = (
    "keywords",
    "bm25",
    *(f"engine/{name}" for name in ("building", "edge_config", "layout", "points", "terms")),
)
"""What of the room of vectors decides how points lie on the disk."""


def state(*sources: str | Path | None) -> str:
    """Of these files and the engine: another one when their code, comments apart, is another."""
    engine = [path for name in ENGINE if (path := VECTORS / f"{name}.py").is_file()]
    texts = [Path(str(source)).read_text() for source in (*sources, *engine)]
    return sha256("".join(ast.dump(ast.parse(text)) for text in texts).encode()).hexdigest()[:8]
