"""Tables as people read them in text: a row a line, cells parted by bars."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from muniment.documents.parsing.source import too_much_text
from muniment.documents.parsing.structure import Growing
from muniment.documents.shapes.span import Span

BAR = " | "
_VALUE = re.compile(r"[-+(]?[^\w\s]?\s?\d[\d\s.,:/%’'eE+-]*\)?\s?[^\w\s]?")
_MOST_HEADER = 120


def cell(text: str) -> str:
    """A cell's text on one line, its own bars told from those between cells."""
    line = " ".join(text.split())
    return line.replace(BAR, " / ") if "|" in line else line


def row(cells: Sequence[str]) -> str:
    """A row as a line; cells left empty at its end are not drawn."""
    last = max((place for place, said in enumerate(cells) if said), default=-1)
    return BAR.join(cells[: last + 1]).lstrip(" ")


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns, rather than being data: words in most cells, and no values."""
    if len(rows) < 2 or len(rows[0]) < 2:  # noqa: PLR2004 - one row or one column has nothing to name
        return False
    first = [said for said in rows[0] if said]
    return 2 * len(first) > len(rows[0]) and not any(
        _VALUE.fullmatch(said) or len(said) > _MOST_HEADER for said in first
    )


def add_table(growing: Growing, rows: Sequence[Sequence[str]], header_rows: int | None = None) -> None:
    """Add the rows as a block; `header_rows`: how many of them the file itself calls the header.

    Raises ParserLimit.
    """
    lines = [line for line in map(row, rows) if line]
    if not lines:
        return
    heads = (1 if has_header(rows) else 0) if header_rows is None else min(header_rows, len(lines) - 1)
    growing.add("table", "\n".join(lines), header=len("\n".join(lines[:heads])))


class _Above(NamedTuple):
    """The table before: its columns and header, and whether its rows hold values."""

    columns: tuple[int, ...]
    header: Span
    has_values: bool


class Grid:
    """Rows of a sheet as they come, made into tables where blank rows part them."""

    def __init__(self, growing: Growing, most_characters: int) -> None:
        self._growing, self._most = growing, most_characters
        self._rows: list[tuple[tuple[int, ...], list[str]]] = []
        self._columns: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._characters = 0
        self._above: _Above | None = None

    def add(self, columns: tuple[int, ...], texts: list[str]) -> None:
        """Add a row: the cells that say something, and the columns they stand in. A row of none ends the table.

        Raises ParserLimit.
        """
        if not columns:
            self.end()
            return
        self._characters += sum(map(len, texts)) + len(BAR) * len(texts)
        if self._growing.length + self._characters > self._most + len(BAR):
            raise too_much_text(self._most)
        self._rows.append((self._columns.setdefault(columns, columns), texts))

    def end(self) -> None:
        """Add the table of the rows since the last one. Raises ParserLimit."""
        rows, self._rows, self._characters = self._rows, [], 0
        # Lines of one cell above a table are its title.
        table = next((place for place, (columns, _) in enumerate(rows) if len(columns) > 1), len(rows))
        above, rows = (
            (rows, []) if len(rows) == 1 else (rows[:table], rows[table:]) if rows[table:] else ([], rows)
        )
        for _, texts in above:
            self._growing.add("paragraph", texts[0] if len(texts) == 1 else row(texts))
        if rows:
            self._add(rows)

    def _add(self, rows: list[tuple[tuple[int, ...], list[str]]]) -> None:
        used = tuple(sorted(set().union(*{columns for columns, _ in rows})))
        lines = [row(texts if columns == used else _spread(columns, texts, used)) for columns, texts in rows]
        first = [_spread(columns, texts, used) for columns, texts in rows[:2]]
        above = self._above if self._above is not None and self._above.columns == used else None
        # Words alone after a gap go on with a table of words; where it has values, they are a new header.
        if has_header(first) and (above is None or above.has_values):
            self._growing.add("table", "\n".join(lines), header=len(lines[0]))
        else:
            self._growing.add("table", "\n".join(lines), header=above.header if above is not None else 0)
        header = self._growing.blocks[-1].header
        has_values = any(_VALUE.fullmatch(said) for said in rows[-1][1])
        self._above = _Above(used, header, has_values) if header is not None else None


def _spread(columns: tuple[int, ...], texts: list[str], used: tuple[int, ...]) -> list[str]:
    said = dict(zip(columns, texts, strict=True))
    return [said.get(column, "") for column in used]
