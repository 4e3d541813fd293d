"""What AsciiDoc's inline markup and tables say."""

import re
from collections.abc import Mapping, Sequence

from muniment.documents.parsing.links import addresses

TABLE_EDGE = re.compile(r"[|,:!]={3,}[ \t]*$")
_CELL = re.compile(
    r"(?:(?:(?<=\s)|^)(?:(\d+)?(?:\.\d+)?[+*])?[<^>]?(?:\.[<^>])?[aehlmsdv]?)?(?<!\\)\|", re.MULTILINE
)
_SPECIFIED = re.compile(r"[\d+*<^>.aehlmsdv\\]\|")
"""What may stand before a cell's bar and say something of the cell, or that the bar is none."""

_COLUMNS = re.compile(r"cols\s*=\s*\"?([^\]\"]+)")
_HEADER = re.compile(r"%[\w%]*header|options\s*=\s*\"?[\w,]*header")
_MOST_SPAN = 50
_MOST_MARKED = 20_000
"""A paragraph longer than this is data, and stays as it is written: its marks would take long to pair."""

_MARK = re.compile(r"[\[\]{}<>*_`#+:]|\(\(")
_ANCHOR = re.compile(r"\[\[[^\[\]]*\]\]|\(\(\(([^()]*)\)\)\)")
_REFERENCE = re.compile(r"<<([^<>,]*)(?:,\s*([^<>]*))?>>|xref:([^\[\s]*)\[([^\]]*)\]")
_LINK = re.compile(r"(?:link:)?(?:\+\+)?((?:https?://|mailto:|(?<=link:))[^\s\[\]<>]+?)(?:\+\+)?\[([^\]]*)\]")
_MACRO = re.compile(
    r"(?:image|icon|kbd|btn|footnote|pass|stem|latexmath|asciimath|indexterm2?):[\w./-]*\[([^\]]*)\]"
)
_MENU = re.compile(r"menu:([^\[]*)\[([^\]]*)\]")
_ATTRIBUTE = re.compile(r"\{([\w-]+)\}")
_ROLE = re.compile(r"\[[^\[\]\s]*\](?=[#*_`])")
_DOUBLE = re.compile(r"(\*\*|__|``|##|\+\+)(?=\S)(.{1,400}?)(?<=\S)\1")
_SINGLE = re.compile(r"(?<![\w\\*_`#+])([*_`#+])(?=\S)(.{1,400}?)(?<=\S)\1(?![\w*_`#+])")
_KNOWN = {"nbsp": " ", "empty": "", "sp": " ", "blank": "", "cpp": "C++", "apos": "'", "quot": '"', "zwsp": ""}


def plain(text: str, attributes: Mapping[str, str], links: list[str]) -> str:
    """The text without its markup; the addresses in it are added to `links`."""
    if len(text) > _MOST_MARKED or not _MARK.search(text):
        return " ".join(text.split())
    text = _ATTRIBUTE.sub(lambda found: attributes.get(found[1].lower(), _KNOWN.get(found[1], found[0])), text)
    links += addresses(text)
    text = _ANCHOR.sub("", text)
    text = _REFERENCE.sub(lambda found: found[2] or found[4] or found[1] or found[3] or "", text)
    text = _LINK.sub(lambda found: found[2].partition(",")[0].rstrip("^") or found[1], text)
    text = _MENU.sub(lambda found: f"{found[1]} > {found[2]}" if found[2] else found[1], text)
    text = _MACRO.sub(lambda found: found[1].partition(",")[0], text)
    text = _ROLE.sub("", text)
    for pattern in (_DOUBLE, _SINGLE, _SINGLE):
        text = pattern.sub(lambda found: found[2], text)
    return " ".join(text.split())


def rows(lines: Sequence[str], options: str, mark: str) -> tuple[list[list[str]], int]:
    """A table's rows of cells, and how many of them are its header."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return [], 0
    # The first row is a header when a blank line sets it apart.
    begins = next(at for at, line in enumerate(lines) if line.strip())
    is_apart = begins == 0 and len(filled) > 1 and len(lines) > 1 and not lines[1].strip()
    heads = int(is_apart or _HEADER.search(options) is not None)
    if mark in ",:":
        return [[cell.strip(' "') for cell in line.split(mark)] for line in filled], heads
    by_line = [_cells(line) for line in filled]
    said = _COLUMNS.search(options)
    columns = _count(said[1]) if said else len(by_line[0])
    if columns > 1 and all(len(row) > 1 for row in by_line):
        return by_line, heads
    cells, columns = _cells("\n".join(filled)), max(columns, 1)
    return [cells[at : at + columns] for at in range(0, len(cells), columns)], heads


def _cells(text: str) -> list[str]:
    """The cells; one that spans several columns is followed by empty ones."""
    if not _SPECIFIED.search(text):
        before, *plain_cells = (" ".join(cell.split()) for cell in text.split("|"))
        return [before, *plain_cells] if before else plain_cells
    marks = list(_CELL.finditer(text))
    starts = [*(found.start() for found in marks), len(text)]
    before = " ".join(text[: starts[0]].split())
    cells = [before] if before else []
    for found, end in zip(marks, starts[1:], strict=True):
        cells.append(" ".join(text[found.end() : end].replace("\\|", "|").split()))
        cells += [""] * (min(int(found[1] or 1), _MOST_SPAN) - 1)
    return cells


def _count(columns: str) -> int:
    """How many columns `cols` speaks of: "1,2", "3*", "2*,1"."""
    repeats = (re.match(r"\s*(\d+)\*", part) for part in re.split("[,;]", columns))
    return min(sum(int(found[1]) if found else 1 for found in repeats), 1000)
