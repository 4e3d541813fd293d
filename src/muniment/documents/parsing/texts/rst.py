"""reStructuredText, by docutils: it knows the grammar; nothing is included, fetched or executed.

Loaded when first needed: docutils is slow to import.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, cast

from docutils import nodes, utils
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.languages import en

from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.links import with_links
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.parsing.texts.plain import parse_plain
from muniment.documents.shapes.problems import ParserLimit

_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 6,
    "warning_stream": False,
    "line_length_limit": 10_000_000,
    "syntax_highlight": "none",
    "smart_quotes": False,
    "input_encoding": "unicode",
}
_DIRECTIVE = re.compile(r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w+.:-]+?)::(?:\s|$)", re.MULTILINE)
_ROLE = re.compile(r":([A-Za-z][\w+.:-]*):`|`:([A-Za-z][\w+.:-]*):")
_TARGET = re.compile(r"\s*<[^<>]*>\s*\Z")
_MOST_NAMES = 500
_GAP = re.compile(r"\n[ \t]*\n")
_MOST_MARKED = 30_000
"""A paragraph longer than this is data: docutils takes minutes to pair its marks."""

_KNOWN_ROLES = frozenset(
    {
        "abbreviation", "ab", "acronym", "ac", "code", "emphasis", "strong", "literal", "math", "index", "i",
        "pep-reference", "pep", "rfc-reference", "rfc", "subscript", "sub", "superscript", "sup",
        "title-reference", "title", "t", "raw",
    }
)  # fmt: skip
_SILENT = frozenset(
    {"toctree", "include", "literalinclude", "raw", "index", "highlight", "currentmodule", "module"}
)
_CODES = frozenset({"code", "code-block", "sourcecode"})
_SKIPPED = (nodes.Invisible, nodes.system_message, nodes.raw, nodes.docinfo, nodes.meta, nodes.decoration)
_LISTS = (nodes.bullet_list, nodes.enumerated_list)
_PAIRS = (nodes.definition_list, nodes.field_list, nodes.option_list)
_TITLED = (nodes.section, nodes.document)
_ERROR = 3
_MOST_DEPTH = 8


class _Unknown(Directive):
    """A directive of another program (Sphinx, mostly): what it says is read as text."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[Any] = defaultdict(lambda: directives.unchanged, {"class": directives.unchanged})

    def run(self) -> list[nodes.Node]:
        container = nodes.container()
        if self.name in _SILENT:
            return []
        if self.arguments:
            said, messages = self.state.inline_text(self.arguments[0], self.lineno)
            container += nodes.paragraph("", "", *said, *messages)
        self.state.nested_parse(self.content, self.content_offset, container)
        return [container]


class _Code(Directive):
    """Code with whatever options; docutils' own refuses those of Sphinx, and the code with them."""

    has_content = True
    optional_arguments = 1
    option_spec: ClassVar[Any] = _Unknown.option_spec

    def run(self) -> list[nodes.Node]:
        code = "\n".join(self.content)
        return [nodes.literal_block(code, code)]


def _unknown_role(
    name: str, rawtext: str, text: str, lineno: int, inliner: object, options: object = None, content: object = ()
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """What a role of another program says: its title, or the name that it points to."""
    del name, lineno, inliner, options, content
    said = _TARGET.sub("", utils.unescape(text)).lstrip("~!")
    return [nodes.inline(rawtext, said or text)], []


def parse_rst(source: Source) -> Parsed:
    """The document without its markup, its sections, and what its field list says of it.

    Raises NotText, ParserLimit.
    """
    text = source.text()
    if any(len(part) > _MOST_MARKED for part in _GAP.split(text)):
        return parse_plain(text).model_copy(update={"media_type": "text/x-rst"})
    _register(text)
    growing = Growing(source.limits.text_characters)
    try:
        tree = publish_doctree(text, settings_overrides=_SETTINGS)
        _Reader(growing).read(tree)
    except RecursionError as deep:
        raise ParserLimit("the document is nested too deep to be read; flatten it", limit="nesting") from deep
    fields, metadata = sort_fields(dict(_said(tree)))
    first = growing.headings[0] if growing.headings and growing.headings[0].level == 1 else None
    title = cast("str | None", fields.get("title")) or (first.title if first is not None else None)
    links = (str(link["refuri"]) for link in tree.findall(nodes.reference) if "refuri" in link)
    return Parsed(
        text=growing.text,
        media_type="text/x-rst",
        title=title,
        language=cast("str | None", fields.get("language")),
        sections=sections(growing.headings, growing.length),
        fields=fields,
        metadata=with_links(metadata, links),
        blocks=tuple(growing.blocks),
    )


def _register(text: str) -> None:
    """Give docutils a reading of the directives and roles in the text that it does not know."""
    blank = utils.new_document("")
    for name in sorted({found[1].lower() for found in _DIRECTIVE.finditer(text)})[:_MOST_NAMES]:
        known, _ = directives.directive(name, en, blank)  # type: ignore[arg-type]  # a module, as docutils does
        if name in _CODES:
            directives.register_directive(name, _Code)
        elif known is None or name in _SILENT:
            directives.register_directive(name, _Unknown)
    for name in sorted({(found[1] or found[2]).lower() for found in _ROLE.finditer(text)})[:_MOST_NAMES]:
        if name not in _KNOWN_ROLES:
            roles.register_local_role(name, _unknown_role)  # type: ignore[arg-type]  # its stub is too narrow


def _said(tree: nodes.document) -> Iterator[tuple[str, str]]:
    """The bibliographic fields at the document's top."""
    for info in tree.findall(nodes.docinfo):
        for field in info.children:
            if isinstance(field, nodes.field):
                yield field[0].astext(), field[1].astext()
            elif isinstance(field, nodes.authors):
                yield "author", ", ".join(author.astext() for author in field.children)
            elif isinstance(field, nodes.Element):
                yield field.tagname, field.astext()


class _Reader:
    """Walks the tree and adds blocks."""

    def __init__(self, growing: Growing) -> None:
        self._growing = growing

    def read(self, tree: nodes.document) -> None:
        self._walk(tree, 1)

    def _walk(self, above: nodes.Element, level: int) -> None:
        for node in above.children:
            if isinstance(node, nodes.title | nodes.subtitle) and isinstance(
                above, nodes.section | nodes.document
            ):
                self._growing.add("heading", _words(node), level=level)
                # A document's own title stands above its sections.
                level += isinstance(above, nodes.document)
            elif isinstance(node, nodes.section):
                self._walk(node, level if isinstance(above, nodes.document) else level + 1)
            elif isinstance(node, nodes.system_message) and node["level"] >= _ERROR:
                # What docutils could not make sense of is read as it stands.
                for literal in node.findall(nodes.literal_block):
                    self._growing.add("code", literal.astext())
            elif not isinstance(node, _SKIPPED):
                self._block(node, level)

    def _block(self, node: nodes.Node, level: int) -> None:
        add = self._growing.add
        if isinstance(node, nodes.FixedTextElement):
            add("code", node.astext())
        elif isinstance(node, _LISTS):
            add("list", "\n".join(_items(node, 0)))
        elif isinstance(node, _PAIRS):
            add("list", "\n".join(_pairs(node)))
        elif isinstance(node, nodes.table):
            self._table(node)
        elif isinstance(node, nodes.image):
            add("paragraph", str(node.get("alt", "")))
        elif isinstance(node, nodes.Admonition) and not isinstance(node, nodes.admonition):
            label = f"{type(node).__name__.capitalize()}: "
            add("paragraph", label + "\n".join(_words(child) for child in node.children))
        elif isinstance(node, nodes.footnote | nodes.citation):
            label, *rest = (_words(child) for child in node.children)
            add("paragraph", f"[{label}] " + " ".join(rest))
        elif isinstance(node, nodes.TextElement | nodes.line_block):
            add("paragraph", "\n".join(" ".join(line.split()) for line in _lines(node)))
        elif isinstance(node, nodes.Element):
            self._walk(node, level)

    def _table(self, table: nodes.table) -> None:
        for title in table.findall(nodes.title):
            self._growing.add("paragraph", _words(title))
        heads = [_row(row) for head in table.findall(nodes.thead) for row in head.children]
        rows = [_row(row) for body in table.findall(nodes.tbody) for row in body.children]
        self._growing.add("table", "\n".join([*heads, *rows]), header=len("\n".join(heads)))


def _words(node: nodes.Node) -> str:
    """What the node says, in one line."""
    return " ".join(node.astext().split())


def _lines(node: nodes.Node) -> list[str]:
    """Lines that are meant as such; those of a paragraph are one."""
    return node.astext().split("\n") if isinstance(node, nodes.line_block) else [node.astext()]


def _row(row: nodes.Node) -> str:
    return " | ".join(_words(cell) for cell in row.children)


def _items(items: nodes.Node, depth: int) -> Iterator[str]:
    ordered = isinstance(items, nodes.enumerated_list)
    for number, item in enumerate(items.children, 1):
        mark = f"{number}." if ordered else "-"
        indent = "  " * min(depth, _MOST_DEPTH)
        for part in item.children:
            if isinstance(part, _LISTS):
                yield from _items(part, depth + 1)
            elif isinstance(part, _PAIRS):
                yield from (f"{indent}  {line}" for line in _pairs(part))
            elif not isinstance(part, _SKIPPED):
                said = part.astext() if isinstance(part, nodes.FixedTextElement) else _words(part)
                if said:
                    yield f"{indent}{mark} {said}"
                    mark = " " * len(mark)


def _pairs(pairs: nodes.Node) -> Iterator[str]:
    """Terms, fields or options, and what is said about each."""
    said: Callable[[nodes.Node], str] = _words
    for pair in pairs.children:
        *terms, about = [said(part) for part in pair.children] or [""]
        yield f"{', '.join(terms)}: {about}" if terms else about
