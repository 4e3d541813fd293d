"""Markdown: the text is what people wrote, without the front matter."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import JsonValue

from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.links import addresses, with_links
from muniment.documents.parsing.model import Block, BlockKind, Parsed
from muniment.documents.parsing.structure import MOST_TITLE, Heading, sections
from muniment.documents.parsing.texts.plain import paragraphs
from muniment.documents.shapes.span import Span

_FRONT = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_MOST_FRONT = 65_536
_MOST_ABOVE_TITLE = 5000
_MOST_INLINE = 200_000
"""Characters with links whose marks are paired; in what comes after them, addresses are told by their looks."""

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


_BADGE = re.compile(
    r"<!--.*?-->|<[^>]*>|!?\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\](?:\([^)]*\)|\[[^\]]*\])", re.DOTALL
)
"""A comment, a tag, an image or a link: what may stand above a title."""


class Body(NamedTuple):
    """The structure of a Markdown text without front matter."""

    blocks: list[Block]
    headings: list[Heading]
    links: list[str]


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
    blocks, headings, links = read_body(text)
    title = fields.get("title") or first_title(text, headings)
    return Parsed(
        text=text,
        media_type="text/markdown",
        title=cast("str | None", title),
        language=cast("str | None", fields.get("language")),
        sections=sections(headings, len(text)),
        fields=fields,
        metadata=with_links(metadata, links),
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


def first_title(text: str, headings: Sequence[Heading]) -> str | None:
    """The heading of level 1 that the text begins with; comments and badges may stand above it."""
    if not headings or headings[0].level > 1 or headings[0].start > _MOST_ABOVE_TITLE:
        return None
    return None if _BADGE.sub("", text[: headings[0].start]).strip() else headings[0].title or None


def read_body(text: str) -> Body:
    """The blocks, headings and links of a text without front matter."""
    markdown = MarkdownIt("commonmark").enable("table").disable("inline")
    starts, inline = _line_starts(text), MarkdownIt("commonmark")
    body = Body([], [], [])
    said: dict[str, Any] = {}
    tokens = markdown.parse(text, said)
    for at, token in enumerate(tokens):
        kind = _KINDS.get(token.type)
        if kind is None or token.level or token.map is None:
            continue
        start, end = _trimmed(text, starts[token.map[0]], starts[token.map[1]], kind)
        if start >= end:
            continue
        if kind == "heading":
            level, title = int(token.tag[1:]), _plain(tokens[at + 1].content, inline)
            body.headings.append(Heading(start, level, title))
        if token.type == "paragraph_open":
            body.blocks.extend(paragraphs(text, start, end))
        else:
            header = Span(start=start, end=text.find("\n", start, end)) if kind == "table" else None
            body.blocks.append(Block(kind=kind, start=start, end=end, header=header))
    return body._replace(links=list(_links(tokens, inline, said)))


def _links(tokens: Sequence[Token], inline: MarkdownIt, said: dict[str, Any]) -> Iterator[str]:
    """Addresses that are linked to or stand bare, in order; `said` holds what reference links refer to."""
    has_references, room = bool(said.get("references")), _MOST_INLINE
    for token in tokens:
        if token.type == "html_block" or (token.type == "inline" and len(token.content) > room):
            yield from addresses(token.content)
        elif token.type == "inline" and ("://" in token.content or (has_references and "[" in token.content)):
            room -= len(token.content)
            for parsed in inline.parseInline(token.content, said):
                for child in parsed.children or ():
                    if child.type == "link_open":
                        yield str(child.attrGet("href"))
                    elif child.type in {"text", "html_inline"}:
                        yield from addresses(child.content)


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
