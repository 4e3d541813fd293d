"""HTML: what a reader of the page reads, in order."""

import codecs
import re
from collections.abc import Iterator
from typing import cast

from selectolax.lexbor import LexborHTMLParser, LexborNode

from muniment.documents.parsing.decoding import decode
from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.links import with_links
from muniment.documents.parsing.model import BlockKind, Parsed
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.parsing.tables import has_header
from muniment.documents.shapes.problems import ParserLimit

_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]{2,40})", re.IGNORECASE)
_CHARSETS = re.compile(
    r"windows-125\d|cp125\d|iso-?8859-\d+|latin-?1|koi8-[ru]|shift_?jis|euc-(jp|kr)|gb18030|gbk|gb2312|big5"
)
_MOST_META = 8192
_MOST_DEPTH = 10_000
"""The tree's maker takes time with the square of the depth: a second here."""

_NESTING = re.compile(
    r"<(/?)(?:div|span|section|article|blockquote|table|ul|ol|dl|b|i|em|strong|font|a|u|s|small|big|code|svg|g)\b",
    re.IGNORECASE,
)
_MOST_ALT = 1000
_NO_ALT = re.compile(
    r"(?:image|img|icon|logo|photo|picture|figure|banner|avatar)?[\s\d.:-]*|\S+\.\w{2,4}", re.IGNORECASE
)
"""What is written in place of a picture and says nothing of it."""

_HIDDEN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_DROPPED = {
    "script", "style", "template", "noscript", "nav", "svg", "math", "canvas", "iframe", "object", "embed",
    "button", "select", "textarea", "input", "dialog", "head", "audio", "video", "map",
}  # fmt: skip
_DROPPED_ROLES = {"navigation", "search", "contentinfo", "menu", "menubar", "dialog"}
_INLINE = {
    "a", "abbr", "b", "bdi", "bdo", "br", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img", "ins",
    "kbd", "label", "mark", "q", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time",
    "tt", "u", "var", "wbr",
}  # fmt: skip
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_CONTAINERS: dict[str, BlockKind] = {
    **dict.fromkeys(_HEADINGS, "heading"),
    "ul": "list", "ol": "list", "dl": "list", "table": "table", "pre": "code",
}  # fmt: skip
_ROWS = {"li", "dt", "dd", "tr", "caption"}
_METAS = {
    "author": "author", "article:author": "author", "dc.creator": "author",
    "description": "description", "og:description": "description",
    "keywords": "keywords", "date": "created", "dc.date": "created", "article:published_time": "created",
    "last-modified": "modified", "article:modified_time": "modified",
}  # fmt: skip


def declared_charset(data: bytes) -> str | None:
    """The encoding that the page says it is in, if it is a usual one."""
    found = _CHARSET.search(data, 0, 4096)
    name = found[1].decode().lower() if found else ""
    return codecs.lookup(name).name if _CHARSETS.fullmatch(name) else None


def parse_html(source: Source) -> Parsed:
    """A page in a file.

    Raises NotText, ParserLimit.
    """
    return read_html(decode(source.data, declared_charset(source.head)), source.limits.text_characters)


def read_html(page: str, most_characters: int) -> Parsed:
    """The page's text without what only its site needs, and what its head says.

    Raises ParserLimit.
    """
    if _depth(page) > _MOST_DEPTH:
        raise ParserLimit("the page is nested too deeply; save it in a simpler form", limit="nesting")
    tree = LexborHTMLParser(page)
    growing = Growing(most_characters)
    reader = _Reader(growing)
    if tree.body is not None:
        reader.read(tree.body)
    fields, metadata = sort_fields(_said(tree))
    title = _title(cast("str | None", fields.get("title")), growing)
    return Parsed(
        text=growing.text,
        media_type="text/html",
        title=title,
        language=cast("str | None", fields.get("language")),
        sections=sections(growing.headings, growing.length),
        fields={**fields, "title": title} if title else fields,
        metadata=with_links(metadata, reader.links),
        blocks=tuple(growing.blocks),
    )


def _depth(page: str) -> int:
    """How deep elements lie in one another at most, those left out that close by themselves."""
    deepest = depth = 0
    for tag in _NESTING.finditer(page):
        depth = max(depth - 1, 0) if tag[1] else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _title(said: str | None, growing: Growing) -> str | None:
    """The page's own heading where the title only adds the site's name to it."""
    first = [h.title for h in growing.headings if h.level == 1]
    if len(first) == 1 and (said is None or first[0].casefold() in said.casefold()):
        return first[0]
    return said


def _said(tree: LexborHTMLParser) -> dict[str, object]:
    said: dict[str, object] = {}
    title, root = tree.css_first("head > title"), tree.root
    if title is not None:
        said["title"] = " ".join(title.text().split())[:_MOST_META]
    for meta in tree.css("meta[content]"):
        name = meta.attributes.get("name") or meta.attributes.get("property") or ""
        key, content = _METAS.get(name.lower()), meta.attributes.get("content")
        if key and content and content.strip() and len(content) <= _MOST_META:
            said.setdefault(key, content.strip())
    if root is not None and root.attributes.get("lang"):
        said["lang"] = root.attributes["lang"]
    canonical = tree.css_first('link[rel="canonical"][href]')
    if canonical is not None:
        said["canonical"] = canonical.attributes["href"]
    return {key: value for key, value in said.items() if value}


class _Reader:
    """Walks the tree without recursion (pages nest as deep as their author likes) and adds blocks as it goes."""

    def __init__(self, growing: Growing) -> None:
        self._growing = growing
        self._inline: list[str] = []
        self._rows: list[str] = []
        self._heads, self._cells = 0, ""
        self._container: LexborNode | None = None
        self._kind: BlockKind = "paragraph"
        # For each list that is open its last number; none where its items have none.
        self._lists: list[int | None] = []
        self._mark = "- "
        self.links: list[str] = []

    def read(self, body: LexborNode) -> None:
        for node, entering in _walk(body):
            if node.tag == "-text":
                self._inline.append(node.text_content or "")
            elif entering:
                self._enter(node, node.tag or "")
            else:
                self._leave(node, node.tag or "")
        self._flush()

    def _enter(self, node: LexborNode, tag: str) -> None:
        if tag == "a":
            self.links.append(node.attributes.get("href") or "")
        elif tag == "br":
            self._inline.append("\n" if self._kind == "code" else "\v")
        elif tag == "img":
            self._inline.append(f" {_alternative(node)} ")
        elif self._container is not None:
            self._inside(tag, deeper=1)
            self._begin_item(node, tag)
        elif tag in _CONTAINERS and not (tag == "table" and _is_layout(node)):
            self._flush()
            self._container, self._kind = node, _CONTAINERS[tag]
            self._begin_item(node, tag)
        elif tag not in _INLINE:
            self._flush()

    def _leave(self, node: LexborNode, tag: str) -> None:
        if self._container is not None and self._container == node:
            self._flush()
            self._container, self._kind = None, "paragraph"
            self._lists.clear()
        elif self._container is not None:
            self._inside(tag, deeper=-1)
        elif tag not in _INLINE:
            self._flush()

    def _inside(self, tag: str, *, deeper: int) -> None:
        """The edge of an element within a list, table, heading or code block."""
        in_rows = self._kind in {"list", "table"}
        if in_rows and tag in _ROWS:
            self._end_row()
        elif in_rows and tag in {"ul", "ol"}:
            self._end_row()
            if deeper < 0 and len(self._lists) > 1:
                self._lists.pop()
        elif tag in {"td", "th"} and deeper > 0:
            self._inline.append("\f")
            self._cells += tag[1]
        elif tag not in _INLINE:
            self._inline.append("" if self._kind == "code" else " ")

    def _begin_item(self, node: LexborNode, tag: str) -> None:
        """What stands before the words of the list's next item."""
        if tag in {"ul", "ol"}:
            self._lists.append(_number(node, "start", 1) - 1 if tag == "ol" else None)
        elif tag == "li" and self._lists and (last := self._lists[-1]) is not None:
            self._lists[-1] = number = _number(node, "value", last + 1)
            self._mark = f"{number}. "

    def _end_row(self) -> None:
        raw = "".join(self._inline)
        self._inline.clear()
        if self._kind == "table":
            # Each cell begins with a form feed; what stands before the first is not in a cell.
            cells = [" ".join(cell.split()) for cell in raw.split("\f")]
            row = " | ".join(cells[1:] if len(cells) > 1 and not cells[0] else cells).lstrip(" ")
            if row.strip(" |"):
                # Rows of nothing but header cells at the table's begin are its header.
                self._heads += self._heads == len(self._rows) and set(self._cells) == {"h"}
                self._rows.append(row)
            self._cells = ""
        elif words := " ".join(raw.split()):
            depth = min(len(self._lists) - 1, 8)
            self._rows.append("  " * depth + self._mark + words if self._kind == "list" else words)
            self._mark = "- "

    def _flush(self) -> None:
        if self._kind in {"list", "table"}:
            self._end_row()
            heads = min(self._heads, len(self._rows) - 1) or (
                self._kind == "table" and has_header([row.split(" | ") for row in self._rows[:2]])
            )
            self._growing.add(self._kind, "\n".join(self._rows), header=len("\n".join(self._rows[:heads])))
            self._rows.clear()
            self._heads = 0
            return
        raw = "".join(self._inline)
        self._inline.clear()
        if self._kind == "code":
            self._growing.add("code", raw)
        elif self._kind == "heading":
            assert self._container is not None
            self._growing.add("heading", " ".join(raw.split()), level=int((self._container.tag or "h1")[1]))
        else:
            lines = (" ".join(line.split()) for line in raw.split("\v"))
            self._growing.add("paragraph", "\n".join(line for line in lines if line))


def _alternative(picture: LexborNode) -> str:
    """What is written in place of a picture, where that says something."""
    said = " ".join((picture.attributes.get("alt") or "").split())
    return "" if len(said) > _MOST_ALT or _NO_ALT.fullmatch(said) else said


def _number(node: LexborNode, name: str, otherwise: int) -> int:
    """A list's or an item's own number."""
    said = node.attributes.get(name) or ""
    return int(said) if re.fullmatch(r"-?[0-9]{1,6}", said) else otherwise


def _walk(body: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Each node when it is entered, elements once more when they are left; what is not shown is left out."""
    stack: list[tuple[LexborNode, bool]] = [(body, True)]
    while stack:
        node, entering = stack.pop()
        if node.next is not None and entering and node is not body:
            stack.append((node.next, True))
        tag = node.tag
        if tag == "-text":
            yield node, True
            continue
        if not entering:
            yield node, False
            continue
        if tag is None or tag.startswith("-") or tag in _DROPPED or not _is_shown(node, tag):
            continue
        yield node, True
        stack.append((node, False))
        if node.child is not None:
            stack.append((node.child, True))


def _is_shown(node: LexborNode, tag: str) -> bool:
    above = node.parent.tag if node.parent is not None else None
    if tag == "footer" and above not in {"article", "section", "blockquote"}:
        return False
    if tag == "header" and above == "body" and node.css_first("h1, h2, h3") is None:
        return False
    attributes = node.attributes
    if not attributes:
        return True
    return not (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or (attributes.get("role") or "").lower() in _DROPPED_ROLES
        or _HIDDEN.search(attributes.get("style") or "") is not None
    )


def _is_layout(table: LexborNode) -> bool:
    """Whether the table only arranges a page: there are headings or further tables within."""
    return table.css_first("table table, h1, h2, h3, h4") is not None
