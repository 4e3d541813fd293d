"""AsciiDoc: the text without its markup; includes and conditions are not followed."""

import re
from typing import cast

from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.links import with_links
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.parsing.texts.asciidoc_text import TABLE_EDGE, plain, rows

_TITLE = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_ATTRIBUTE = re.compile(r":(!?[\w][\w-]*!?):(?:[ \t]+(.*))?$")
_AUTHOR = re.compile(r"[^\W\d][\w.'-]*(?: [\w.'-]+){0,2}(?: <[^<>]+>)?(?:; .*)?$")
_REVISION = re.compile(r"(?:v?[\d.]+,[ \t]*)?(\d{4}-\d\d-\d\d)(?::.*)?$|v[\d.]+(?:,.*)?$")
_BLOCK_ATTRIBUTES = re.compile(r"\[(?:\[.*\]|[^\[\]].*|)\][ \t]*$")
_CAPTION = re.compile(r"\.(?![ .])(\S.*)")
_VERBATIM = re.compile(r"(-{4,}|\.{4,}|`{3,}[\w+-]*|\+{4,}|/{4,})[ \t]*$")
_CONTAINER = re.compile(r"(?:={4,}|\*{4,}|_{4,}|--|<<<|'''|\+)[ \t]*$")
_DIRECTIVE = re.compile(r"(?:include|ifdef|ifndef|ifeval|endif|toc|video|audio)::|//(?!/)")
_IMAGE = re.compile(r"image::[^\[\s]*\[(.*)\][ \t]*$")
_ITEM = re.compile(r"[ \t]*(\*{1,6}|-|\.{1,6}|\d{1,4}\.|[a-zA-Z]\.|<[\d.]+>)[ \t]+(\S.*)")
_TERM = re.compile(r"[ \t]*(\S.*?)(?::{2,4}|;;)(?:[ \t]+(.*))?$")
_LABEL = re.compile(r"\[(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\b")
_SETTINGS = frozenset(
    {"toc", "toclevels", "icons", "sectnums", "doctype", "experimental", "imagesdir", "numbered", "idprefix",
     "source-highlighter", "idseparator", "xrefstyle", "sectanchors", "sectlinks", "stylesheet", "linkcss"}
)  # fmt: skip
"""Attributes that say how a document looks, not what it is."""

_MOST_DEPTH = 8
_MOST_VALUE = 200
_NAMES = {"revdate": "date", "revnumber": "version", "docdate": "date"}


def parse_asciidoc(source: Source) -> Parsed:
    """The document's text, sections, and what its header says of it.

    Raises NotText, ParserLimit.
    """
    reader = _Reader(source.text().split("\n"), Growing(source.limits.text_characters))
    reader.read()
    growing = reader.growing
    fields, metadata = sort_fields(reader.said)
    first = growing.headings[0] if growing.headings and growing.headings[0].level == 1 else None
    title = cast("str | None", fields.get("title")) or (first.title if first is not None else None)
    return Parsed(
        text=growing.text,
        media_type="text/asciidoc",
        title=title,
        language=cast("str | None", fields.get("language")),
        sections=sections(growing.headings, growing.length),
        fields=fields,
        metadata=with_links(metadata, reader.links),
        blocks=tuple(growing.blocks),
    )


class _Reader:
    """Goes through the lines and adds blocks."""

    def __init__(self, lines: list[str], growing: Growing) -> None:
        self._lines, self._at = lines, 0
        self.growing = growing
        self.links: list[str] = []
        self.said: dict[str, object] = {}
        self._attributes: dict[str, str] = {}
        self._paragraph: list[str] = []
        self._items: list[str] = []
        self._in_item = False
        self._options = ""

    def read(self) -> None:
        while self._at < len(self._lines):
            line = self._lines[self._at].rstrip()
            self._at += 1
            if not line:
                self._end_paragraph()
                self._in_item = False
            elif not (self._skipped(line) or self._structured(line) or self._listed(line)):
                self._go_on(line)
        self._end()

    def _skipped(self, line: str) -> bool:
        """Lines that say something about the document, or nothing."""
        attribute = _ATTRIBUTE.match(line) if not self._paragraph else None
        if attribute is not None:
            self._set(attribute[1], (attribute[2] or "").strip())
        elif _BLOCK_ATTRIBUTES.match(line) and not self._paragraph:
            self._options = line
        elif _CONTAINER.match(line):
            self._end_paragraph()
            self._in_item = line == "+" and bool(self._items)
        elif not _DIRECTIVE.match(line):
            return False
        return True

    def _structured(self, line: str) -> bool:
        """Headings, captions and delimited blocks."""
        title = _TITLE.match(line) if not self._paragraph else None
        image, caption = _IMAGE.match(line), _CAPTION.match(line) if not self._paragraph else None
        if title is not None:
            self._heading(len(title[1]), title[2])
        elif _VERBATIM.match(line):
            self._verbatim(line)
        elif TABLE_EDGE.match(line):
            self._end()
            self._table(self._until(line), line[0])
        elif line.startswith("|") and not self._paragraph:
            self._end()
            self._at -= 1
            self._table(self._while("|"), "|")
        elif image is not None:
            self._end_paragraph()
            self._go_on(image[1].partition(",")[0].strip('" '))
            self._end_paragraph()
        elif caption is not None:
            self._end()
            self.growing.add("paragraph", self._plain(caption[1]))
        else:
            return False
        return True

    def _heading(self, level: int, title: str) -> None:
        self._end()
        first = not self.growing.blocks
        self.growing.add("heading", self._plain(title), level=level)
        if first and level == 1:
            self._header()

    def _header(self) -> None:
        """The lines right below the title: authors, revision, attributes."""
        for pattern, name in ((_AUTHOR, "author"), (_REVISION, "date"), (None, "")):
            while self._at < len(self._lines) and (
                _ATTRIBUTE.match(self._lines[self._at]) or self._lines[self._at].startswith("//")
            ):
                self._skipped(self._lines[self._at])
                self._at += 1
            found = pattern.match(self._lines[self._at]) if pattern and self._at < len(self._lines) else None
            if found is not None:
                names = [part.partition("<")[0].strip() for part in found[0].split(";")]
                value = ", ".join(names) if name == "author" else found[1]
                self._at += 1
                if value:
                    self.said.setdefault(name, value)

    def _set(self, name: str, value: str) -> None:
        self._attributes[name.lower()] = value[:_MOST_VALUE]
        is_header = len(self.growing.blocks) <= 1
        if is_header and value and name.lower() not in _SETTINGS and not name.startswith(("!", "_")):
            self.said[_NAMES.get(name.lower(), name)] = value

    def _verbatim(self, edge: str) -> None:
        self._end_paragraph()
        lines = self._until("```" if edge.startswith("```") else edge)
        if not edge.startswith("//"):
            self._end()
            self.growing.add("code", "\n".join(lines))

    def _until(self, edge: str) -> list[str]:
        """The lines up to the one that ends the block."""
        start = self._at
        while self._at < len(self._lines) and self._lines[self._at].rstrip() != edge:
            self._at += 1
        self._at += 1
        return self._lines[start : self._at - 1]

    def _while(self, mark: str) -> list[str]:
        start = self._at
        while self._at < len(self._lines) and self._lines[self._at].startswith(mark):
            self._at += 1
        return self._lines[start : self._at]

    def _table(self, lines: list[str], mark: str) -> None:
        table, heads = rows(lines, self._options, mark)
        said = [" | ".join(self._plain(cell) for cell in row) for row in table]
        self._options = ""
        self.growing.add("table", "\n".join(said), header=len("\n".join(said[:heads])))

    def _listed(self, line: str) -> bool:
        item = _ITEM.match(line) if not self._paragraph else None
        term = _TERM.match(line) if not self._paragraph else None
        if item is not None:
            marks = len(item[1]) if item[1][0] in "*." else 1
            depth = max(marks - 1, (len(line) - len(line.lstrip())) // 2)
            self._items.append("  " * min(depth, _MOST_DEPTH) + "- " + self._plain(item[2]))
        elif term is not None:
            self._items.append(f"{self._plain(term[1])}: {self._plain(term[2] or '')}".rstrip())
        else:
            return False
        self._in_item = True
        return True

    def _go_on(self, line: str) -> None:
        """A line of an item, or of a paragraph."""
        if self._in_item:
            said = self._plain(line)
            self._items[-1] = f"{self._items[-1]} {said}" if said else self._items[-1]
            return
        if self._items:
            self._end()
        self._paragraph.append(line)

    def _end_paragraph(self) -> None:
        if not self._paragraph:
            return
        said = self._plain(" ".join(line.removesuffix(" +").strip() for line in self._paragraph))
        label = _LABEL.match(self._options)
        self._paragraph.clear()
        self._options = ""
        self.growing.add("paragraph", f"{label[1]}: {said}" if label and said else said)

    def _end(self) -> None:
        self._end_paragraph()
        self.growing.add("list", "\n".join(self._items))
        self._items.clear()
        self._in_item = False

    def _plain(self, text: str) -> str:
        return plain(text, self._attributes, self.links)
