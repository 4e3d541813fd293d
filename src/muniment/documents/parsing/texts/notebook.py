"""Jupyter notebooks: their prose, their code, and the text that the code put out."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from pydantic import JsonValue

from muniment.documents.parsing.decoding import normal
from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.links import with_links
from muniment.documents.parsing.model import Block, BlockKind, Parsed
from muniment.documents.parsing.source import Source, too_much_text
from muniment.documents.parsing.structure import Heading, sections
from muniment.documents.parsing.texts.markdown import read_body
from muniment.documents.shapes.problems import FileBroken

MOST_OUTPUT = 2000
"""How much of a cell's output is kept, in characters: a log says little after its first lines."""

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_])")
_CURE = "open it in Jupyter, save it, and upload that"


def parse_notebook(source: Source) -> Parsed:
    """Markdown cells with their headings, code cells, and short text outputs.

    Raises NotText, FileBroken, ParserLimit.
    """
    notebook = _notebook(source.text())
    growing = _Cells(source.limits.text_characters)
    for cell in _cells(notebook):
        growing.add_cell(cell)
    said = notebook.get("metadata")
    fields, metadata = _said(said if isinstance(said, dict) else {})
    first = growing.headings[0] if growing.headings else None
    title = fields.get("title") or (first.title if first is not None else None)
    return Parsed(
        text=growing.text,
        media_type="application/x-ipynb+json",
        title=cast("str | None", title),
        language=cast("str | None", fields.get("language")),
        sections=sections(growing.headings, len(growing.text)),
        fields=fields,
        metadata=with_links(metadata, growing.links),
        blocks=tuple(growing.blocks),
    )


def _notebook(text: str) -> dict[str, Any]:
    try:
        notebook = json.loads(text)
    except json.JSONDecodeError as broken:
        raise FileBroken(
            f"the notebook is no whole JSON (line {broken.lineno}, column {broken.colno}: {broken.msg}); {_CURE}"
        ) from broken
    except (RecursionError, ValueError) as broken:
        raise FileBroken(f"the notebook's JSON cannot be read; {_CURE}") from broken
    if not isinstance(notebook, dict) or not {"cells", "worksheets"} & notebook.keys():
        raise FileBroken(f"the file is JSON, but no notebook: it has no cells; {_CURE}, or name it .json")
    return notebook


def _cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The cells; nbformat 3 keeps them in worksheets."""
    sheets = _objects(notebook.get("worksheets")) if "cells" not in notebook else [notebook]
    for sheet in sheets:
        yield from _objects(sheet.get("cells"))


def _said(metadata: dict[str, Any]) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    kernel, language = (
        value if isinstance(value, dict) else {}
        for value in (metadata.get("kernelspec"), metadata.get("language_info"))
    )
    authors = [str(author["name"]) for author in _objects(metadata.get("authors")) if author.get("name")]
    said = {
        "title": metadata.get("title"),
        "author": ", ".join(authors),
        "programming_language": language.get("name") or kernel.get("language"),
        "kernel": kernel.get("display_name") or kernel.get("name"),
    }
    return sort_fields({name: value for name, value in said.items() if isinstance(value, str) and value})


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _joined(value: object) -> str:
    """Text that may be kept as a list of its lines."""
    if isinstance(value, list):
        value = "".join(str(line) for line in value)
    return normal(value) if isinstance(value, str) else ""


class _Cells:
    """The notebook's text, growing cell by cell."""

    def __init__(self, most_characters: int) -> None:
        self._most = most_characters
        self._parts: list[str] = []
        self._length = 0
        self.blocks: list[Block] = []
        self.headings: list[Heading] = []
        self.links: list[str] = []

    @property
    def text(self) -> str:
        return "\n\n".join(self._parts)

    def add_cell(self, cell: dict[str, Any]) -> None:
        kind = cell.get("cell_type")
        said = _joined(cell.get("source", cell.get("input")))
        if kind == "heading":
            level = cell.get("level")
            said = "#" * min(max(level if isinstance(level, int) else 1, 1), 6) + " " + " ".join(said.split())
        if kind in {"markdown", "heading"}:
            self._markdown(said)
        else:
            self._plain("code" if kind == "code" else "paragraph", said)
        for output in _objects(cell.get("outputs")):
            self._plain("code", _output(output))

    def _markdown(self, said: str) -> None:
        body = read_body(said)
        start = self._grown(said)
        self.blocks += [replace(b, start=b.start + start, end=b.end + start) for b in body.blocks]
        self.headings += [h._replace(start=h.start + start) for h in body.headings]
        self.links += body.links

    def _plain(self, kind: BlockKind, said: str) -> None:
        said = said.strip("\n").rstrip()
        if said.strip():
            start = self._grown(said)
            self.blocks.append(Block(kind=kind, start=start, end=start + len(said)))

    def _grown(self, said: str) -> int:
        start = self._length + 2 if self._parts else 0
        self._parts.append(said)
        self._length = start + len(said)
        if self._length > self._most:
            raise too_much_text(self._most)
        return start


def _output(output: dict[str, Any]) -> str:
    """An output's text, cut when it is long; pictures and other data have none."""
    kind, data = output.get("output_type"), output.get("data")
    if kind == "stream":
        said = _joined(output.get("text"))
    elif kind in {"error", "pyerr"}:
        name, value = _joined(output.get("ename")), _joined(output.get("evalue"))
        trace = "\n".join(map(str, output["traceback"])) if isinstance(output.get("traceback"), list) else ""
        said = trace or f"{name}: {value}".strip(": ")
    else:
        said = _joined(data.get("text/plain") if isinstance(data, dict) else output.get("text"))
    said = normal(_ANSI.sub("", said)).strip("\n").rstrip()
    if len(said) <= MOST_OUTPUT:
        return said
    cut = said.rfind("\n", MOST_OUTPUT // 2, MOST_OUTPUT)
    return said[: cut if cut > 0 else MOST_OUTPUT] + "\n…"
