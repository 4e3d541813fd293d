"""What is made once and kept under `bench/.cache/`: by the state of the code that made it."""

import ast
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from muniment.vectors import bm25, keywords
from muniment.vectors.engine import builder, building, edge, edge_config, layout, points

CACHE = Path(__file__).parent / ".cache"
ENGINE = (keywords, bm25, builder, building, edge, edge_config, layout, points)
"""What decides how points lie on the disk."""


def state(*modules: ModuleType) -> str:
    """Another one when their code, comments apart, is another."""
    sources = [Path(str(module.__file__)).read_text() for module in modules]
    return sha256("".join(ast.dump(ast.parse(source)) for source in sources).encode()).hexdigest()[:8]
