"""CSV and its kin: rows of a table, whatever parts their cells."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath

from muniment.documents.parsing.formats import MEDIA_TYPES
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing
from muniment.documents.parsing.tables import Grid, cell
from muniment.documents.shapes.problems import FileBroken

_DELIMITERS = ",;\t|"
_SAID = re.compile(r"sep=(.)\n", re.IGNORECASE)
_LOOKED_AT = 65_536
_ROWS_LOOKED_AT = 200
_MOST_LINES = 50
"""A cell of more lines is a quotation mark that was not meant as one."""


def parse_csv(source: Source) -> Parsed:
    """A .csv or .tsv.

    Raises NotText, FileBroken, ParserLimit.
    """
    text = source.text()
    said = _SAID.match(text)
    delimiter = said[1] if said else _delimiter(text[:_LOOKED_AT], source.name)
    text = text[said.end() :] if said else text
    csv.field_size_limit(source.limits.text_characters)
    growing = Growing(source.limits.text_characters)
    grid = Grid(growing, source.limits.text_characters)
    try:
        is_quoted = text.count('"') % 2 == 0 or not _runs_away(text, delimiter)
        for cells in _rows(text, delimiter, is_quoted=is_quoted):
            said_cells = [(place, words) for place, words in enumerate(map(cell, cells)) if words]
            grid.add(tuple(place for place, _ in said_cells), [words for _, words in said_cells])
    except csv.Error as failed:
        raise FileBroken(f"the table cannot be read: {failed}; save it anew as CSV") from failed
    grid.end()
    return Parsed(text=growing.text, media_type=MEDIA_TYPES["csv"], blocks=tuple(growing.blocks))


def _rows(text: str, delimiter: str, *, is_quoted: bool = True) -> Iterator[list[str]]:
    lines = io.StringIO(text)
    if not is_quoted:
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _runs_away(text: str, delimiter: str) -> bool:
    return any(words.count("\n") > _MOST_LINES for cells in _rows(text, delimiter) for words in cells)


def _delimiter(head: str, name: str | None) -> str:
    """What parts the first rows most evenly."""
    best, most = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = Counter(len(cells) for cells in islice(_rows(head, delimiter), _ROWS_LOOKED_AT) if cells)
        width, count = max(widths.items(), key=lambda found: (found[1], found[0]), default=(1, 0))
        score = (
            count / widths.total() + (PurePath(name or "").suffix.lower() == ".tsv" and delimiter == "\t"),
            width,
        )
        if width > 1 and score > most:
            best, most = delimiter, score
    return best
