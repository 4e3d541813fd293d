"""Markdown: the text is what people wrote, without the front matter."""

import re
from typing import cast

import yaml
from markdown_it import MarkdownIt
from pydantic import JsonValue

from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.model import Block, BlockKind, Parsed
from muniment.documents.parsing.plain import paragraphs
from muniment.documents.parsing.structure import MOST_TITLE, Heading, sections

_FRONT = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_MOST_FRONT = 65_536
_KINDS: dict[str, BlockKind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "blockquote_open": "paragraph",
    "html_block": "paragraph",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
}


class _FrontMatter(yaml.SafeLoader):
    """YAML without aliases: a few hundred bytes of them unfold to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def parse_markdown(source: str) -> Parsed:
    r"""The text, its sections and blocks, and what the front matter says; lines of `source` end with `\n`."""
    said, text = front_matter(source)
    fields, metadata = sort_fields(said)
    blocks, headings = _blocks(text)
    title = fields.get("title") or _first_title(headings, blocks)
    return Parsed(
        text=text,
        media_type="text/markdown",
        title=cast("str | None", title),
        language=cast("str | None", fields.get("language")),
        sections=sections(headings, len(text)),
        fields=fields,
        metadata=metadata,
        blocks=tuple(blocks),
    )


def front_matter(source: str) -> tuple[dict[str, JsonValue], str]:
    """What the front matter says, and the text behind it; one that is broken is text."""
    found = _FRONT.match(source, 0, _MOST_FRONT)
    if found is None:
        return {}, source
    try:
        said = yaml.load(found[1], _FrontMatter)  # noqa: S506 - it is a SafeLoader, without aliases
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError):
        return {}, source
    if not isinstance(said, dict):
        return {}, source
    return {str(key): value for key, value in said.items()}, source[found.end() :].lstrip("\n")


def _first_title(headings: list[Heading], blocks: list[Block]) -> str | None:
    """The heading of level 1 that the text begins with."""
    if headings and headings[0].level == 1 and headings[0].start == blocks[0].start:
        return headings[0].title or None
    return None


def _blocks(text: str) -> tuple[list[Block], list[Heading]]:
    markdown = MarkdownIt("commonmark").enable("table").disable("inline")
    starts, inline = _line_starts(text), MarkdownIt("commonmark")
    blocks, headings = [], []
    tokens = markdown.parse(text)
    for at, token in enumerate(tokens):
        kind = _KINDS.get(token.type)
        if kind is None or token.level or token.map is None:
            continue
        start, end = _trimmed(text, starts[token.map[0]], starts[token.map[1]], kind)
        if start >= end:
            continue
        if kind == "heading":
            headings.append(Heading(start, int(token.tag[1:]), _plain(tokens[at + 1].content, inline)))
        if token.type == "paragraph_open":
            blocks += paragraphs(text, start, end)
        else:
            blocks.append(Block(kind=kind, start=start, end=end))
    return blocks, headings


def _line_starts(text: str) -> list[int]:
    """Where each line starts, as markdown-it counts lines, and the text's end."""
    starts = [0] + [found.end() for found in re.finditer("\n", text)]
    return [*starts, len(text), len(text)]


def _trimmed(text: str, start: int, end: int, kind: BlockKind) -> tuple[int, int]:
    piece = text[start:end]
    end = start + len(piece.rstrip())
    # A code block's first line keeps its indentation.
    return (start, end) if kind == "code" else (end - len(piece.strip()), end)


def _plain(heading: str, markdown: MarkdownIt) -> str:
    """What a heading says without its markup."""
    rendered = markdown.parseInline(heading[: 2 * MOST_TITLE])
    words = [child.content for token in rendered for child in token.children or () if child.type != "html_inline"]
    return " ".join("".join(words).split())[:MOST_TITLE]
