"""The rules of the house, read off the source: each function yields one line for every breach."""

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "muniment"
MOST_LINES, SMELLING_LINES, MOST_FUNCTION_LINES, MOST_KERNEL_LINES = 600, 400, 60, 2000
WEB = {"fastapi", "starlette", "httpx", "uvicorn", "aiohttp", "requests", "urllib3"}
MAY_USE_WEB = {"kernel", "gateway", "sdk", "app.py", "process.py"}
WEB_EXCEPTIONS = {
    "generation/openai.py": "the adapter to an outside system: OpenAI-compatible servers speak HTTP",
    "models/hub.py": "the adapter to an outside system: model hubs speak HTTP",
    "retrieval/reranking/over_http.py": "the adapter to an outside system: rerank services speak HTTP",
}
LONG_FILES: dict[str, str] = {}
SHARED_FLOORS = {"kernel", "text"}
PROGRAMS = {"app.py", "process.py", "cli", "sdk"}
HEAVY_FOR = {
    "documents/parsing/child/__main__.py": {
        "muniment.documents.contract", "muniment.identity", "muniment.kernel.blobs", "muniment.kernel.settings",
        "sqlalchemy",
    },
    "cli/main.py": {"sqlalchemy", "alembic", "starlette", "uvicorn", "onnxruntime", "qdrant_edge"},
}  # fmt: skip
"""What starts often, and what would take it as long again."""
EVERYTHING = {"Exception", "BaseException"}
ROOM_WORDS = {"collection", "retrieval", "embedding", "gateway", "conversation", "footnote"}


@dataclass(frozen=True)
class Source:
    """One file of the package, parsed. `place` is its first folder, or its name at the top."""

    at: str
    text: str

    @property
    def place(self) -> str:
        return self.at.split("/", 1)[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def imports(self, node: ast.AST | None = None) -> Iterator[tuple[int, str]]:
        for found in ast.walk(node or self.tree):
            if isinstance(found, ast.Import):
                yield from ((found.lineno, alias.name) for alias in found.names)
            elif isinstance(found, ast.ImportFrom) and found.module and not found.level:
                yield from ((found.lineno, f"{found.module}.{alias.name}") for alias in found.names)
            elif isinstance(found, ast.ImportFrom):
                yield found.lineno, "." * found.level

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def strings(self) -> Iterator[tuple[int, str]]:
        """String literals that are not docstrings."""
        docs = {
            id(node.value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield node.lineno, node.value


def sources(root: Path) -> list[Source]:
    return [
        Source(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in sorted(root.rglob("*.py"))
    ]


def rooms(house: list[Source]) -> set[str]:
    return {source.place for source in house if source.at.endswith("/contract.py")} - SHARED_FLOORS


def walls(house: list[Source]) -> Iterator[str]:
    """Rule 1: a room imports itself, the shared floors and other rooms' contracts; the floors import no room."""
    known = rooms(house)
    for source in house:
        for line, name in source.imports():
            if name.startswith("."):
                yield f"{source.at}:{line}: relative import; name the module in full"
            parts = name.split(".")
            if parts[0] != PACKAGE or len(parts) == 1 or source.place == parts[1]:
                continue
            target = parts[1]
            if source.place in SHARED_FLOORS and target not in SHARED_FLOORS:
                yield f"{source.at}:{line}: the {source.place} knows no room, yet imports {target}"
            elif source.place in known and target in known and parts[2:3] != ["contract"]:
                yield f"{source.at}:{line}: {name} is inside another room; import its contract"
            elif source.place in known and target not in known | SHARED_FLOORS:
                yield f"{source.at}:{line}: a room does not import {target}"


def circles(house: list[Source]) -> Iterator[str]:
    """Rule 1: rooms form no circle."""
    known = rooms(house)
    needs: dict[str, set[str]] = {room: set() for room in known}
    for source in house:
        if source.place in known:
            for _, name in source.imports():
                parts = name.split(".")
                if parts[0] == PACKAGE and len(parts) > 1 and parts[1] in known - {source.place}:
                    needs[source.place].add(parts[1])
    for room in sorted(needs):
        seen, todo = set[str](), set(needs[room])
        while todo:
            seen |= todo
            todo = {n for t in todo for n in needs[t]} - seen
        if room in seen:
            yield f"{room}: needs itself, through {', '.join(sorted(needs[room]))}"


def web(house: list[Source]) -> Iterator[str]:
    """Rule 2: only the edges speak HTTP."""
    for source in house:
        if source.place in MAY_USE_WEB or source.at in WEB_EXCEPTIONS:
            continue
        for line, name in source.imports():
            if name.split(".")[0] in WEB:
                yield f"{source.at}:{line}: {name.split('.')[0]} in {source.place}; rooms do not speak HTTP"


def data(house: list[Source]) -> Iterator[str]:
    """Rule 3: a room opens its own database only, and foreign keys stay among its own tables."""
    tables: dict[str, set[str]] = {}
    keys: list[tuple[Source, int, str]] = []
    for source in house:
        for call in (n for n in ast.walk(source.tree) if isinstance(n, ast.Call)):
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            first = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
            if not isinstance(first, str) or source.place not in rooms(house):
                continue
            if name in {"Table", "create_table"}:
                tables.setdefault(source.place, set()).add(first)
            elif name == "ForeignKey":
                keys.append((source, call.lineno, first.split(".")[0]))
            elif name == "database" and first != source.place:
                yield f"{source.at}:{call.lineno}: opens the database of {first}"
    for source, line, table in keys:
        if table not in tables.get(source.place, ()):
            yield f"{source.at}:{line}: a foreign key to {table}, which is no table of {source.place}"


def imports_on_top(house: list[Source]) -> Iterator[str]:
    """Rule 5: no import inside a function."""
    for source in house:
        for function in source.functions():
            yield from (
                f"{source.at}:{line}: import inside {function.name}" for line, _ in source.imports(function)
            )


def light_starts(house: list[Source]) -> Iterator[str]:
    """Rule 5: what starts often imports nothing heavy, neither itself nor through others."""
    files = {source.at: source for source in house}
    for first, heavy in HEAVY_FOR.items():
        seen, todo = set[str](), {first} & set(files)
        while todo:
            seen |= todo
            reached = [(at, line, name) for at in sorted(todo) for line, name in _at_run_time(files[at])]
            for at, line, name in reached:
                if any(f"{name}.".startswith(f"{module}.") for module in heavy):
                    yield f"{at}:{line}: {name} is too heavy for {first}"
            todo = {at for _, _, name in reached for at in _files_of(name)} & set(files) - seen


def _at_run_time(source: Source) -> list[tuple[int, str]]:
    typing = [node for node in source.tree.body if isinstance(node, ast.If)]
    only_typed = {
        found for node in typing if ast.unparse(node.test) == "TYPE_CHECKING" for found in source.imports(node)
    }
    return [found for found in source.imports() if found not in only_typed]


def _files_of(name: str) -> set[str]:
    """Where a name that is imported may stand: it is a module's, or a module."""
    _, _, path = name.replace(".", "/").partition(f"{PACKAGE}/")
    return {f"{at}{ending}" for at in (path, path.rpartition("/")[0]) for ending in (".py", "/__init__.py")}


def nothing_at_import(house: list[Source]) -> Iterator[str]:
    """Rule 5: a module's top level declares; it calls nothing for its effect, opens nothing, awaits nothing."""
    effects = {
        "open",
        "open_database",
        "connect",
        "create_engine",
        "run",
        "read_text",
        "read_bytes",
        "get_event_loop",
    }
    for source in house:
        if "/migrations/" in source.at:
            continue
        for node in source.tree.body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and source.place != "cli":
                yield f"{source.at}:{node.lineno}: a call at import"
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                for call in (n for n in ast.walk(node.value) if isinstance(n, ast.Call)):
                    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
                    if name in effects:
                        yield f"{source.at}:{node.lineno}: {name}() at import"


def sizes(house: list[Source], exceptions: Mapping[str, str] = LONG_FILES) -> Iterator[str]:
    """Rule 7: files and functions stay short."""
    for source in house:
        lines = source.text.count("\n")
        if lines > MOST_LINES or (lines > SMELLING_LINES and source.at not in exceptions):
            yield f"{source.at}: {lines} lines"
        for function in source.functions():
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > MOST_FUNCTION_LINES and "/migrations/" not in source.at:
                yield f"{source.at}:{function.lineno}: {function.name} has {length} lines"


def catches(house: list[Source]) -> Iterator[str]:
    """`except Exception` stands once, in the kernel."""
    for source in house:
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            broad = any(c is None or (isinstance(c, ast.Name) and c.id in EVERYTHING) for c in caught)
            if broad and source.at != "kernel/guard.py":
                yield f"{source.at}:{node.lineno}: catches everything"


def kernel_words(house: list[Source]) -> Iterator[str]:
    """No room's word in the kernel."""
    for source in house:
        if source.place != "kernel":
            continue
        names = [(n.lineno, n.id) for n in ast.walk(source.tree) if isinstance(n, ast.Name)]
        names += [(n.lineno, n.attr) for n in ast.walk(source.tree) if isinstance(n, ast.Attribute)]
        names += [(f.lineno, f.name) for f in source.functions()]
        for line, text in [*names, *source.strings()]:
            if word := next((w for w in ROOM_WORDS if w in text.lower()), None):
                yield f"{source.at}:{line}: {word} is a room's word"


def kernel_size(house: list[Source]) -> Iterator[str]:
    """The kernel is small: lines of code, without blank lines, comments and docstrings."""
    total = sum(_code_lines(source) for source in house if source.place == "kernel")
    if total >= MOST_KERNEL_LINES:
        yield f"kernel: {total} lines of code"


def _code_lines(source: Source) -> int:
    quiet = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type not in quiet:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


RULES = (
    walls,
    circles,
    web,
    data,
    imports_on_top,
    light_starts,
    nothing_at_import,
    sizes,
    catches,
    kernel_words,
    kernel_size,
)
