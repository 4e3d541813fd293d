"""Tables in the text of a source: a row a line, cells parted by bars, and the header that names the columns."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from muniment.generation.contract import Source
from muniment.text.sentences import sentences
from muniment.text.terms import terms

LONGEST_ROW = 600
_SHORT_ROW = 200
_BETWEEN = " \u00b7 "
_MOST_NAME = 120
# Lines of two cells without a header may be code, or a menu.
_PLAINLY_CELLS = 3

_LINE = re.compile(r"[^\n]+")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_RULE = re.compile(r"(?=.*-)[\s|:\-]+")
_BAR = re.compile(r"(?:^|\s)\|(?=\s|$)")
_ROW = re.compile(r"^\s*\|.*\||(?:^|\s)\|(?=\s|$)")
_PIPE = re.compile(r"(?<!\\)\|")
_VALUE = re.compile(r"[-+(]?[^\w\s]?\s?\d[\d\s.,:/%'\u2019eE+-]*\)?\s?[^\w\s]?")
_CODE = re.compile(r"[=;{}<>\[\]]|:$")


class Row(NamedTuple):
    """A row [start, end) of a text; `names` of its columns, empty when nothing says them, and where they stand."""

    start: int
    end: int
    cells: tuple[str, ...]
    names: tuple[str, ...] = ()
    header: tuple[int, int] | None = None


class Table(NamedTuple):
    """Lines [start, end) that are rows; the header is none of them."""

    start: int
    end: int
    rows: tuple[Row, ...]


def tables(source: Source) -> list[Table]:
    """The tables of a text, in order."""
    return [table for lines in _runs(source.text) if (table := _table(source, lines)) is not None]


def statements(source: Source) -> Iterator[tuple[int, int, Row | None]]:
    """The sentences [start, end) of a text, and the rows of its tables, in their order."""
    done = 0
    for table in tables(source):
        yield from ((start, end, None) for start, end in sentences(source.text, done, table.start))
        yield from ((row.start, row.end, row) for row in table.rows)
        done = table.end
    yield from ((start, end, None) for start, end in sentences(source.text, done))


def reading(row: Row, asked: Collection[str] | None = None, language: str | None = None) -> str:
    """The row as a person reads it: each cell with its column's name, made of the source's words alone.

    Of a long one, when something is `asked`, the first cell and those that hold it or stand under such a name.
    """
    said = [column for column, cell in enumerate(row.cells) if cell]
    whole = _read(row, said)
    if len(whole) <= _SHORT_ROW or asked is None:
        return whole
    named = {column for column in said if _holds(row.names[column : column + 1], asked, language)}
    held = {column for column in said if _holds((row.cells[column],), asked, language)}
    shorter = [_read(row, sorted({said[0], *columns})) for columns in (named | held, named)] if named else []
    return next((text for text in (*shorter, whole) if len(text) <= LONGEST_ROW), whole)


def as_read(sentence: str, source: Source) -> Row | None:
    """The row that the sentence is a reading of, whichever of its columns it tells."""
    told = [part.rstrip(".") for part in " ".join(sentence.split()).split(_BETWEEN)]
    for table in tables(source):
        for row in table.rows:
            parts = iter([part.rstrip(".") for part in _parts(row, range(len(row.cells)))])
            if row.names and (len(told) > 1 or ": " in told[0]) and all(part in parts for part in told):
                return row
    return None


def _read(row: Row, columns: Sequence[int]) -> str:
    text = _BETWEEN.join(_parts(row, columns))
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _parts(row: Row, columns: Sequence[int]) -> list[str]:
    names = [*row.names, *[""] * len(row.cells)]
    return [f"{names[c]}: {row.cells[c]}" if names[c] else row.cells[c] for c in columns if row.cells[c]]


def _holds(texts: Sequence[str], asked: Collection[str], language: str | None) -> bool:
    return any(term in asked for text in texts for term in terms(text, language))


def _runs(text: str) -> Iterator[list[re.Match[str]]]:
    """Lines with bars that follow each other, outside code."""
    run: list[re.Match[str]] = []
    in_code = False
    for line in _LINE.finditer(text):
        fence = _FENCE.match(line[0]) is not None
        in_code ^= fence
        is_row = not (in_code or fence) and _ROW.search(line[0]) is not None
        if run and not (is_row and line.start() == run[-1].end() + 1):
            yield run
            run = []
        if is_row:
            run.append(line)
    if run:
        yield run


def _table(source: Source, lines: list[re.Match[str]]) -> Table | None:
    """The run as a table, unless its lines may be anything else."""
    is_piped = all(line[0].lstrip().startswith("|") and line[0].rstrip().endswith("|") for line in lines)
    rows = [_row(line, is_piped=is_piped) for line in lines if not _RULE.fullmatch(line[0])]
    begins = not source.text[: lines[0].start()].strip()
    header: Row | None = None
    names: tuple[str, ...] = ()
    if not rows:
        return None
    if begins and source.header.strip():
        above = source.header.strip().splitlines()[0]
        names = _cells(above.strip("|") if is_piped else above, is_piped=False)
    elif len(rows) > 1 and (_RULE.fullmatch(lines[1][0]) or _names_columns(rows, begins=begins)):
        header, *rows = rows
        names = header.cells
    if not names and (len(rows) == 1 or min(len(row.cells) for row in rows) < _PLAINLY_CELLS):
        return None
    place = (header.start, header.end) if header else None
    return Table(lines[0].start(), lines[-1].end(), tuple(r._replace(names=names, header=place) for r in rows))


def _row(line: re.Match[str], *, is_piped: bool) -> Row:
    start, end = line.start() + len(line[0]) - len(line[0].lstrip()), line.start() + len(line[0].rstrip())
    return Row(start, end, _cells(line[0], is_piped=is_piped))


def _cells(line: str, *, is_piped: bool) -> tuple[str, ...]:
    parts = _PIPE.split(line.strip())[1:-1] if is_piped else _BAR.split(line.rstrip())
    return tuple(" ".join(part.split()) for part in parts)


def _names_columns(rows: Sequence[Row], *, begins: bool) -> bool:
    """Whether the first row is a header: words, each another, and no values.

    Where the text begins with it, the table may have begun before: then values below must tell it from them.
    """
    names = [cell for cell in rows[0].cells if cell]
    is_said = len(names) > 1 and 2 * len(names) > len(rows[0].cells) and len(set(names)) == len(names)
    if not is_said or any(_VALUE.fullmatch(n) or _CODE.search(n) or len(n) > _MOST_NAME for n in names):
        return False
    return not begins or any(_tells_numbers(column, rows) for column in range(len(rows[0].cells)))


def _tells_numbers(column: int, rows: Sequence[Row]) -> bool:
    """Whether most cells of a column hold digits, and its first none."""
    first, *others = [row.cells[column] for row in rows if column < len(row.cells)]
    digits = sum(any(character.isdigit() for character in cell) for cell in others)
    return 2 * digits > len(others) and not any(character.isdigit() for character in first)
