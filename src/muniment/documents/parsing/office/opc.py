"""Office files as packages: parts, what they refer to, and what the file says of itself."""

import posixpath
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from pydantic import JsonValue

from muniment.documents.parsing.archive import Archive
from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.office.safe_xml import elements, tree

MOST_LINKS = 200
_PROPERTIES = {
    "dc:title": "title", "dc:creator": "author", "dc:subject": "subject", "dc:language": "language",
    "dc:description": "description", "dcterms:created": "created", "dcterms:modified": "modified",
    "keywords": "keywords", "category": "category", "contentStatus": "status",
    "lastModifiedBy": "last_modified_by",
}  # fmt: skip
_MADE_UP = re.compile(
    r"(?:microsoft )?(?:word|powerpoint|excel)(?: document| presentation)?|(?:power ?point )?presentation|"
    r"untitled.*|document ?\d*|slide ?\d+|dokument ?\d*|generated (?:by|using) python-\w+|python-docx|openpyxl|"
    r"microsoft (?:word|powerpoint) - .*",
    re.IGNORECASE,
)
"""What programs write where the author wrote nothing."""


class Relation(NamedTuple):
    """What one part refers to: the last word of the relation's type, and a part's name or an address."""

    kind: str
    target: str
    is_outside: bool


class Package:
    """The parts of an Office file."""

    def __init__(self, archive: Archive, main: str) -> None:
        """`main`: the main part where the package does not name it."""
        self._archive = archive
        self._relations: dict[str, dict[str, Relation]] = {}
        self.main = next(iter(self.related("", "officeDocument")), main)

    @property
    def has_macros(self) -> bool:
        """Whether programs come with the file; they are never looked at."""
        return any(name.lower().endswith("vbaproject.bin") for name in self._archive.names)

    def tree(self, part: str) -> Element:
        """A part as a whole. Raises FileBroken, FileEncrypted, ParserLimit."""
        return tree(self._archive.pieces(part))

    def pieces(self, part: str) -> Iterator[bytes]:
        """A part as it stands. Raises FileBroken, FileEncrypted, ParserLimit."""
        return self._archive.pieces(part)

    def elements(self, part: str, depth: int) -> Iterator[Element]:
        """The elements of a part, `depth` below its root. Raises FileBroken, FileEncrypted, ParserLimit."""
        return elements(self._archive.pieces(part), depth)

    def relations(self, part: str) -> dict[str, Relation]:
        """What the part refers to, by id; those outside that are web addresses are noted as links."""
        if part not in self._relations:
            folder, name = posixpath.split(part)
            path = posixpath.join(folder, "_rels", f"{name}.rels")
            found = {}
            for said in self._archive_elements(path):
                kind = said.get("Type", "").rpartition("/")[2]
                target, is_outside = said.get("Target", ""), said.get("TargetMode") == "External"
                place = target if is_outside else _absolute(folder, target)
                found[said.get("Id", "")] = Relation(kind, place, is_outside)
            self._relations[part] = found
        return self._relations[part]

    def related(self, part: str, *kinds: str) -> list[str]:
        """The parts that the part refers to in these ways, and that are there."""
        targets = (r.target for r in self.relations(part).values() if r.kind in kinds and not r.is_outside)
        return [target for target in targets if target in self._archive]

    def target(self, part: str, id_: str | None) -> str | None:
        """The part that an id in a part stands for, if it is there."""
        relation = self.relations(part).get(id_ or "")
        found = relation is not None and not relation.is_outside and relation.target in self._archive
        return relation.target if relation is not None and found else None

    def metadata(self) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
        """Known fields and the rest, as the file's properties and its parts read so far say them."""
        fields, metadata = sort_fields(self._said())
        if self.has_macros:
            metadata["macros"] = True
        links = dict.fromkeys(
            relation.target
            for relations in self._relations.values()
            for relation in relations.values()
            if relation.kind == "hyperlink" and relation.target.startswith(("http://", "https://"))
        )
        if links:
            metadata["links"] = [*islice(links, MOST_LINKS)]
        return fields, metadata

    def _said(self) -> dict[str, object]:
        said: dict[str, object] = {}
        for part in self.related("", "core-properties", "coreProperties"):
            for element in self.elements(part, 1):
                key = _PROPERTIES.get(element.tag)
                value = (element.text or "").strip()
                if key and value and not _MADE_UP.fullmatch(value):
                    said[key] = value
        for part in self.related("", "custom-properties", "customProperties"):
            for element in self.elements(part, 1):
                value = "".join(element.itertext()).strip()
                if element.get("name") and value:
                    said.setdefault(element.get("name", ""), value)
        return said

    def _archive_elements(self, path: str) -> Iterator[Element]:
        return self.elements(path, 1) if path in self._archive else iter(())


def _absolute(folder: str, target: str) -> str:
    joined = posixpath.normpath(posixpath.join("/", folder, unquote(target)))
    return joined.lstrip("/")


def at(element: Element | None, path: str) -> Element | None:
    """The first element at each step of a path of names, or None."""
    for name in path.split("/"):
        element = element.find(name) if element is not None else None
    return element


def is_on(element: Element | None, attribute: str = "w:val") -> bool:
    """Whether a switch is there and not turned off."""
    return element is not None and element.get(attribute, "1").lower() not in {"0", "false", "off", "none"}


def whole(number: str | None, default: int = 0) -> int:
    """A number that a file says; the default where it is none."""
    try:
        return int(number or default)
    except ValueError:
        return default


def chosen(alternatives: Element) -> Element | None:
    """The one of several forms of the same thing that is read."""
    for name in ("mc:Choice", "mc:Fallback"):
        form = alternatives.find(name)
        if form is not None:
            return form
    return None
