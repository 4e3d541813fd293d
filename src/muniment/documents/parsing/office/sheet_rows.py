"""The rows of a sheet, read mark by mark: sheets have millions of cells."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from muniment.documents.parsing.office.cell_values import Shown, general
from muniment.documents.parsing.office.opc import whole
from muniment.documents.parsing.office.safe_xml import scan
from muniment.documents.parsing.source import too_much_text
from muniment.documents.parsing.tables import cell
from muniment.documents.shapes.problems import ParserLimit

_SPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_NAMES = {f"{space}}}{name}": name for space in _SPACES for name in ("row", "c", "v", "t", "rPh", "si")}

_MOST_IN_CELL = 1_000_000


class Row(NamedTuple):
    """A row that says something: its number, the columns of its cells, and what they say."""

    number: int
    columns: tuple[int, ...]
    texts: list[str]


def strings(pieces: Iterable[bytes], most_characters: int) -> list[str]:
    """The strings that cells refer to by their place. Raises FileBroken, ParserLimit."""
    reader = _Strings()
    for _ in scan(pieces, reader.start, reader.text):
        if reader.characters > most_characters:
            raise too_much_text(most_characters)
    reader.end()
    return reader.found


def rows(pieces: Iterable[bytes], shared: Sequence[str], formats: Sequence[Shown]) -> Iterator[Row]:
    """The rows that are not empty. Raises FileBroken, ParserLimit."""
    reader = _Rows(shared, formats)
    for _ in scan(pieces, reader.start, reader.text):
        yield from reader.found
        reader.found.clear()
    reader.end()
    yield from reader.found


class _Strings:
    """Collects strings, without the reading aids of Japanese."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.characters = 0
        self._said = ""
        self._is_taking = self._is_aid = self._is_open = False

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        kind = _NAMES.get(name)
        if kind == "si":
            self.end()
            self._is_open, self._is_aid = True, False
        self._is_aid = self._is_aid or kind == "rPh"
        self._is_taking = kind == "t" and not self._is_aid

    def text(self, said: str) -> None:
        self.characters += len(said)
        if self._is_taking:
            self._said += said

    def end(self) -> None:
        if self._is_open:
            self.found.append(cell(self._said))
        self._said, self._is_open = "", False


class _Rows:
    """Collects rows: a mark ends the cell or row before it."""

    def __init__(self, shared: Sequence[str], formats: Sequence[Shown]) -> None:
        self.found: list[Row] = []
        self._shared, self._formats = shared, formats
        self._number = 0
        self._columns: list[int] = []
        self._texts: list[str] = []
        self._known: dict[str, int] = {}
        self._cell: dict[str, str] | None = None
        self._column = 0
        self._said = ""
        self._is_taking = self._is_aid = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        kind = _NAMES.get(name)
        if kind == "v":
            self._is_taking = True
        elif kind == "c":
            if self._cell is not None:
                self._end_cell(self._cell)
            self._cell = attributes
            self._is_taking = self._is_aid = False
        elif kind == "row":
            self.end()
            self._number, self._column = max(whole(attributes.get("r"), self._number + 1), 1), 0
        else:
            self._is_aid = self._is_aid or kind == "rPh"
            self._is_taking = kind == "t" and not self._is_aid

    def text(self, said: str) -> None:
        if self._is_taking:
            self._said += said
            if len(self._said) > _MOST_IN_CELL:
                raise ParserLimit("a cell of the sheet holds a million characters; split it", limit="text")

    def end(self) -> None:
        """End the row."""
        if self._cell is not None:
            self._end_cell(self._cell)
        self._cell, self._is_taking = None, False
        if self._columns:
            self.found.append(Row(self._number, tuple(self._columns), self._texts))
            self._columns, self._texts = [], []

    def _end_cell(self, attributes: dict[str, str]) -> None:
        place = attributes.get("r")
        self._column = self._column_of(place) if place else self._column + 1
        said = self._said.strip()
        if said:
            self._said = ""
            shown = self._shown(said, attributes)
            if shown:
                self._columns.append(self._column)
                self._texts.append(shown)

    def _shown(self, said: str, attributes: dict[str, str]) -> str:
        kind = attributes.get("t", "n")
        if kind == "n":
            return self._number_shown(said, attributes.get("s"))
        if kind == "s":
            place = whole(said, -1)
            return self._shared[place] if 0 <= place < len(self._shared) else ""
        if kind == "b":
            return "FALSE" if said == "0" else "TRUE"
        return cell(said)

    def _number_shown(self, said: str, style: str | None) -> str:
        place = int(style) if style is not None and style.isdecimal() else 0
        show = self._formats[place] if place < len(self._formats) else general
        try:
            if show is general:
                return said if said.isdecimal() else general(float(said))
            return cell(show(float(said))) or said
        except (ValueError, OverflowError):
            return cell(said)

    def _column_of(self, place: str) -> int:
        letters = place.rstrip("0123456789")
        column = self._known.get(letters)
        if column is None:
            column = 0
            for letter in letters.upper()[:3]:
                column = column * 26 + ord(letter) - 64
            self._known[letters] = column
        return column
