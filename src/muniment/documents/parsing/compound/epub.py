"""EPUB: the chapters of a book, in the order in which they are read."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from pydantic import JsonValue

from muniment.documents.parsing.archive import Archive, opened
from muniment.documents.parsing.compound.grafting import graft
from muniment.documents.parsing.compound.mime import as_text
from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.formats import MEDIA_TYPES
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.office import safe_xml
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.parsing.texts.html import declared_charset, read_html
from muniment.documents.shapes.problems import FileBroken, FileEncrypted

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Fonts disguised so, which are no obstacle to reading."""

_PAGES = {"application/xhtml+xml", "text/html", "application/x-dtbook+xml"}
_EMPTY = re.compile(r"<([A-Za-z][\w:-]*)((?:\s[^<>]*)?)/>")
_VOID = {"br", "hr", "img", "meta", "link", "input", "col", "area", "base", "source", "wbr", "embed", "track"}
_MOST_SAID = 4000
_MOST_LISTED = 100
_METAS = {
    "title": "title", "language": "language", "date": "created_at", "description": "description",
    "publisher": "publisher", "identifier": "identifier", "rights": "rights",
}  # fmt: skip


class _Item(NamedTuple):
    """A file that the book's list names."""

    path: str
    media_type: str
    properties: str


def parse_epub(source: Source) -> Parsed:
    """The book's chapters, each under a heading, and what the book says of itself.

    Raises FileBroken, FileEncrypted, ParserLimit.
    """
    with opened(source) as archive:
        _require_open(archive)
        path = _package_path(archive)
        package = safe_xml.tree(archive.pieces(path))
        items = _items(package, posixpath.dirname(path))
        titles = _titles(archive, items)
        growing = Growing(source.limits.text_characters)
        skipped: list[str] = []
        links: dict[str, None] = {}
        for item in _spine(package, items, skipped):
            page = _page(archive, item, source.limits.text_characters)
            if page is None:
                skipped.append(item.path)
                continue
            links |= dict.fromkeys(_links(page))
            _add(growing, page, titles.get(item.path))
    said = _said(package) | {"skipped": skipped[:_MOST_LISTED], "links": list(links)[:200]}
    fields, metadata = sort_fields({name: value for name, value in said.items() if value})
    return Parsed(
        text=growing.text,
        media_type=MEDIA_TYPES["epub"],
        title=cast("str | None", fields.get("title")),
        language=cast("str | None", fields.get("language")),
        sections=sections(growing.headings, growing.length),
        fields=fields,
        metadata=metadata,
        blocks=tuple(growing.blocks),
    )


def _require_open(archive: Archive) -> None:
    """Raises FileEncrypted for a book whose text only its seller's program can read."""
    if _ENCRYPTION not in archive:
        return
    methods = [
        element.get("Algorithm", "")
        for data in safe_xml.tree(archive.pieces(_ENCRYPTION)).iter()
        if _local(data) == "EncryptedData"
        for element in data
        if _local(element) == "EncryptionMethod"
    ]
    if any(method not in _FONTS for method in methods):
        raise FileEncrypted("the book is protected against copying (DRM); upload an unprotected copy")


def _package_path(archive: Archive) -> str:
    for element in safe_xml.tree(archive.pieces(_CONTAINER)).iter():
        path = element.get("full-path")
        if _local(element) == "rootfile" and path:
            return path
    raise FileBroken("the book does not say where its contents are; save it anew and upload that")


def _items(package: Element, folder: str) -> dict[str, _Item]:
    return {
        element.get("id", ""): _Item(
            _resolved(folder, element.get("href", "")),
            element.get("media-type", ""),
            element.get("properties", ""),
        )
        for element in package.iter()
        if _local(element) == "item"
    }


def _spine(package: Element, items: Mapping[str, _Item], skipped: list[str]) -> Iterator[_Item]:
    """What is read, in order; what is named but not listed is skipped."""
    seen: set[str] = set()
    for element in package.iter():
        if _local(element) != "itemref":
            continue
        name = element.get("idref", "")
        item = items.get(name)
        if item is None:
            skipped.append(name)
        elif item.path not in seen and "nav" not in item.properties.split():
            seen.add(item.path)
            if item.media_type in _PAGES:
                yield item


def _page(archive: Archive, item: _Item, most_characters: int) -> Parsed | None:
    """The chapter; None when it is missing or damaged."""
    if item.path not in archive:
        return None
    try:
        data = archive.read(item.path)
    except FileBroken:
        return None
    return read_html(_EMPTY.sub(_opened, as_text(data, declared_charset(data))), most_characters)


def _opened(empty: re.Match[str]) -> str:
    """An element that XHTML may close where it opens, as HTML has it: a title left open holds all that follows."""
    name, attributes = empty[1], empty[2]
    return empty[0] if name.lower() in _VOID else f"<{name}{attributes}></{name}>"


def _add(growing: Growing, page: Parsed, title: str | None) -> None:
    """Add a chapter, under the title that the table of contents gives it where it has no heading itself."""
    headings = [block for block in page.blocks if block.kind == "heading"]
    if title and page.text.strip() and not headings:
        growing.add("heading", title, level=1)
    graft(growing, page, below=0)


def _titles(archive: Archive, items: Mapping[str, _Item]) -> dict[str, str]:
    """Titles by path, as the table of contents gives them."""
    found: dict[str, str] = {}
    for item in items.values():
        is_nav = "nav" in item.properties.split()
        if (is_nav or item.media_type == "application/x-dtbncx+xml") and item.path in archive:
            try:
                root = safe_xml.tree(archive.pieces(item.path))
            except FileBroken:
                continue  # the headings of the chapters must do
            folder = posixpath.dirname(item.path)
            for target, title in _links_of(root) if is_nav else _points_of(root):
                found.setdefault(_resolved(folder, target), " ".join(title.split()))
    return found


def _links_of(root: Element) -> Iterator[tuple[str, str]]:
    for element in root.iter():
        if _local(element) == "a" and element.get("href"):
            yield element.get("href", ""), "".join(element.itertext())


def _points_of(root: Element) -> Iterator[tuple[str, str]]:
    for point in root.iter():
        if _local(point) != "navPoint":
            continue
        by_name = {_local(element): element for element in point}
        label, content = by_name.get("navLabel"), by_name.get("content")
        if label is not None and content is not None:
            yield content.get("src", ""), "".join(label.itertext())


def _said(package: Element) -> dict[str, object]:
    said: dict[str, object] = {}
    authors: list[str] = []
    for element in package.iter():
        prefix, _, name = str(element.tag).partition(":")
        text = " ".join("".join(element.itertext()).split())[:_MOST_SAID]
        if prefix != "dc" or not text:
            continue
        if name == "creator":
            authors.append(text)
        elif name in _METAS:
            said.setdefault(_METAS[name], text)
    if authors:
        said["author"] = ", ".join(authors)
    modified = next((e.text for e in package.iter() if e.get("property") == "dcterms:modified"), None)
    return said | ({"modified_at": modified} if modified else {})


def _links(page: Parsed) -> list[str]:
    links: JsonValue = page.metadata.get("links")
    return [str(link) for link in links] if isinstance(links, list) else []


def _resolved(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0]))).lstrip("/")


def _local(element: Element) -> str:
    return str(element.tag).rpartition(":")[2]
