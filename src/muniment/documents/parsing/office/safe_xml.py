"""XML of strangers: bounded, without entities, and read element by element."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLPullParser
from xml.parsers import expat

from muniment.documents.shapes.problems import FileBroken, ParserLimit

MOST_DEPTH = 256
MOST_ELEMENTS = 2_000_000
"""Held at one time; each takes about 200 bytes."""

_MOST_PROLOG = 65_536
_SPACES = (
    ("w", "http://schemas.openxmlformats.org/wordprocessingml/2006/main"),
    ("w", "http://purl.oclc.org/ooxml/wordprocessingml/main"),
    ("a", "http://schemas.openxmlformats.org/drawingml/2006/main"),
    ("a", "http://purl.oclc.org/ooxml/drawingml/main"),
    ("m", "http://schemas.openxmlformats.org/officeDocument/2006/math"),
    ("m", "http://purl.oclc.org/ooxml/officeDocument/math"),
    ("r", "http://schemas.openxmlformats.org/officeDocument/2006/relationships"),
    ("r", "http://purl.oclc.org/ooxml/officeDocument/relationships"),
    ("p", "http://schemas.openxmlformats.org/presentationml/2006/main"),
    ("p", "http://purl.oclc.org/ooxml/presentationml/main"),
    ("c", "http://schemas.openxmlformats.org/drawingml/2006/chart"),
    ("c", "http://purl.oclc.org/ooxml/drawingml/chart"),
    ("dgm", "http://schemas.openxmlformats.org/drawingml/2006/diagram"),
    ("dgm", "http://purl.oclc.org/ooxml/drawingml/diagram"),
    ("x", "http://schemas.openxmlformats.org/spreadsheetml/2006/main"),
    ("x", "http://purl.oclc.org/ooxml/spreadsheetml/main"),
    ("mc", "http://schemas.openxmlformats.org/markup-compatibility/2006"),
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("dcterms", "http://purl.org/dc/terms/"),
    ("opf", "http://www.idpf.org/2007/opf"),
)
_PREFIXES = {space: prefix for prefix, space in _SPACES}


def elements(pieces: Iterable[bytes], depth: int) -> Iterator[Element]:
    """Each element that stands `depth` levels below the root when it is complete; it is dropped afterwards.

    Names are written `prefix:name`, the prefix being that of the namespace in `_SPACES` whatever the file calls
    it, and without a prefix elsewhere. Raises FileBroken, ParserLimit.
    """
    parser: Any = XMLPullParser(("start", "end"))  # its stub cannot say what these two events bring
    path: list[Element] = []
    held = before = 0
    try:
        for piece in chain(_without_entities(pieces), (None,)):
            if piece is None:
                parser.close()
            else:
                parser.feed(piece)
            for event, element in parser.read_events():
                if event == "start":
                    before = held if len(path) == depth else before
                    path.append(element)
                    held += 1
                    if len(path) > MOST_DEPTH or held > MOST_ELEMENTS:
                        raise _too_much(len(path))
                    continue
                path.pop()
                _shorten(element)
                if len(path) == depth:
                    yield element
                    held = before
                    if path:
                        path[-1].remove(element)
    except (ParseError, expat.ExpatError, ValueError, LookupError) as failed:
        raise _damaged() from failed


def tree(pieces: Iterable[bytes]) -> Element:
    """The root with all that is in it, named as `elements` does it.

    Raises FileBroken, ParserLimit.
    """
    for root in elements(pieces, 0):
        return root
    raise FileBroken("the XML in the file is empty; save it anew and upload that")


def scan(
    pieces: Iterable[bytes], start: Callable[[str, dict[str, str]], None], text: Callable[[str], None]
) -> Iterator[None]:
    """Call `start` with each element's name and attributes, and `text` with what stands between marks.

    Builds nothing, so it is for what is large. Names are those in the file, `space}name`; it stops after each
    piece of the content. Raises FileBroken.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = start
    parser.CharacterDataHandler = text
    parser.buffer_text = True
    try:
        for piece in pieces:
            parser.Parse(piece, False)
            yield
        parser.Parse(b"", True)
        yield
    except (expat.ExpatError, ValueError, LookupError) as failed:
        raise _damaged() from failed


@lru_cache(maxsize=4096)
def _name(given: str) -> str:
    """A name as it is looked up here, by that which the parser gives."""
    space, _, local = given[1:].rpartition("}") if given.startswith("{") else ("", "", given)
    prefix = _PREFIXES.get(space)
    return local if prefix is None else f"{prefix}:{local}"


def _shorten(element: Element) -> None:
    element.tag = _name(element.tag)
    # Asked for its attributes, an element that has none makes room for them.
    if (names := element.keys()) and "{" in "".join(names):
        said = {_name(name): value for name, value in element.items()}
        element.attrib.clear()
        element.attrib.update(said)


def _without_entities(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces, once it is known that no entities are declared: that is said before the first element."""
    prolog = expat.ParserCreate()
    over: list[bool] = []

    def end(_name: str, _attributes: object) -> None:
        over.append(True)

    prolog.StartDoctypeDeclHandler = _refuse
    prolog.StartElementHandler = end
    seen = 0
    for piece in pieces:
        for at in range(0, len(piece), 4096):
            if over:
                break
            if seen > _MOST_PROLOG:
                raise FileBroken("the XML in the file does not begin; save it anew and upload that")
            prolog.Parse(piece[at : at + 4096], False)
            seen += 4096
        yield piece


def _refuse(_name: str, _system: str | None, _public: str | None, internal: int) -> None:
    if internal:
        raise FileBroken("the XML in the file declares entities, which are not read; save it anew")


def _damaged() -> FileBroken:
    return FileBroken("the XML in the file is damaged; save it anew and upload that")


def _too_much(depth: int) -> ParserLimit:
    if depth > MOST_DEPTH:
        return ParserLimit("the file is nested too deeply to be read; simplify it", limit="nesting")
    return ParserLimit(
        f"a part of the file has more than {MOST_ELEMENTS:,} elements; split the file into smaller ones",
        limit="memory",
    )
