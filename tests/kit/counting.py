"""Which lines of Muniment run, noted by the lines themselves: to trace them takes as long again as to run them.

With `COUNT_LINES` set, a note of its line is compiled in before each statement of `src`, into bytecode beside the
one that is kept anyway; `save` writes what was noted for coverage.py to combine and report. Houses in processes of
their own are not counted.
"""

import ast
import os
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from coverage import CoverageData

SOURCES = Path(__file__).parents[2] / "src"
COUNTING = bool(os.environ.get("COUNT_LINES"))
SEEN: dict[str, dict[int, int]] = {}


class _Notes(ast.NodeTransformer):
    """Puts `__lines__[n] = 1` before what stands at line n."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, [part for place in enumerate(block) for part in _noted(*place)])
        if isinstance(node, ast.ExceptHandler):
            node.body.insert(0, _note(node, node.lineno))
        elif isinstance(node, ast.match_case):
            node.body.insert(0, _note(node.pattern, node.pattern.lineno))
        return node


def _noted(place: int, statement: ast.stmt) -> list[ast.stmt]:
    if place == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return [statement]  # a docstring
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        return [statement, _note(statement, statement.lineno)]
    lines = (*(d.lineno for d in getattr(statement, "decorator_list", [])), statement.lineno)
    return [*(_note(statement, line) for line in lines), statement]


def _note(where: ast.AST, line: int) -> ast.stmt:
    (note,) = ast.parse(f"__lines__[{line}] = 1").body
    for node in ast.walk(note):
        ast.copy_location(node, where)
    return note


class Counting(SourceFileLoader):
    """Loads a module with its notes, from bytecode of its own where there is some."""

    def source_to_code(self, data: Any, path: Any) -> CodeType:
        return super().source_to_code(_Notes().visit(ast.parse(data)), path)

    def get_data(self, path: str) -> bytes:
        return super().get_data(_own(path))

    def _cache_bytecode(self, source_path: str, bytecode_path: str, data: bytes) -> None:
        super()._cache_bytecode(source_path, _own(bytecode_path), data)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__lines__"] = SEEN.setdefault(self.path, {})
        super().exec_module(module)


def _own(path: str) -> str:
    return path.removesuffix(".pyc") + ".counting.pyc" if path.endswith(".pyc") else path


def _finder(folder: str) -> FileFinder:
    if not Path(folder).is_relative_to(SOURCES):
        raise ImportError(folder)
    return FileFinder(folder, (Counting, SOURCE_SUFFIXES))


def save() -> None:
    """For `coverage combine`: what this process has run, and that there is more."""
    data = CoverageData(suffix=True)
    data.add_lines({path: list(lines) for path, lines in SEEN.items()})
    data.touch_files(str(path) for path in (SOURCES / "muniment").rglob("*.py") if path.parent.name != "versions")
    data.write()


if COUNTING:
    sys.path_hooks.insert(0, _finder)
    sys.path_importer_cache.clear()
