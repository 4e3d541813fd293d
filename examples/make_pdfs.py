#!/usr/bin/env python3
"""Write the handbook's PDF files from the plain sources in `pdf_sources/`.

Run `python examples/make_pdfs.py` after changing a source; the files are committed. The same
sources always give the same bytes: nothing is compressed, because libraries differ in how they do
it. A source has a head (title, author, date, folder, columns), a line `---`, and blocks parted by
blank lines: `# ` and `## ` headings, `- ` lists, `|` tables, fenced code, paragraphs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
WIDTH, HEIGHT, MARGIN, GUTTER = 595, 842, 68, 24
FONTS = {"F1": "Helvetica", "F2": "Helvetica-Bold", "F3": "Courier"}
COURIER_WIDTH = 600
# Advance widths of Helvetica for the characters 32 to 126, in thousandths of the font size.
HELVETICA = """
    278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556
    556 556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778
    667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556
    556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584
"""
HELVETICA_WIDTHS = [int(width) for width in HELVETICA.split()]


class Style(NamedTuple):
    """How a kind of block is set."""

    font: str
    size: float
    space_above: float


STYLES = {
    "title": Style("F2", 22, 0),
    "#": Style("F2", 17, 20),
    "##": Style("F2", 14, 16),
    "-": Style("F1", 12, 4),
    "|": Style("F1", 10.5, 4),
    "```": Style("F3", 10, 9),
    "": Style("F1", 12, 10),
}


class Block(NamedTuple):
    """One heading, paragraph, list item, table row or listing; each cell has its x and its lines."""

    kind: str
    cells: list[tuple[float, list[str]]]

    @property
    def height(self) -> float:
        """The height of its lines, without the space above."""
        return max(len(lines) for _, lines in self.cells) * STYLES[self.kind].size * 1.35


class Page(NamedTuple):
    """What is drawn on a page, and the headings on it as (level, text, y)."""

    drawing: list[str]
    headings: list[tuple[int, str, float]]


def text_width(text: str, style: Style) -> float:
    """The width of `text` in points."""
    if style.font == "F3":
        return len(text) * COURIER_WIDTH * style.size / 1000
    units = sum(HELVETICA_WIDTHS[ord(c) - 32] if " " <= c <= "~" else 556 for c in text)
    # Bold letters are up to a tenth wider; one table and this reserve serve both weights.
    return units * style.size / 1000 * (1.1 if style.font == "F2" else 1)


def wrap(text: str, style: Style, width: float) -> list[str]:
    """Break `text` at spaces into lines of at most `width` points."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", style) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def column_width(columns: int) -> float:
    """The width of each of a page's columns."""
    return (WIDTH - 2 * MARGIN - (columns - 1) * GUTTER) / columns


def blocks(source: str, width: float) -> Iterator[Block]:
    """The blocks of a source's body, wrapped to `width`."""
    for part in source.strip().split("\n\n"):
        kind = part.split(maxsplit=1)[0]
        if kind.startswith("```"):
            yield Block("```", [(MARGIN + 12, part.splitlines()[1:-1])])
        elif kind == "|":
            for row in part.splitlines():
                cells = [cell.strip() for cell in row.strip("| ").split("|")]
                step = width / len(cells)
                yield Block(
                    "|",
                    [(MARGIN + i * step, wrap(cell, STYLES["|"], step - 8)) for i, cell in enumerate(cells)],
                )
        elif kind == "-":
            for item in part.splitlines():
                lines = wrap(item, STYLES["-"], width - 12)
                yield Block("-", [(MARGIN + 12, lines)])
        elif kind in {"#", "##"}:
            yield Block(kind, [(MARGIN, wrap(part[len(kind) :], STYLES[kind], width))])
        else:
            yield Block("", [(MARGIN, wrap(part, STYLES[""], width))])


def title_block(title: str) -> Block:
    """The title at the top of the first page; it is no bookmark."""
    return Block("title", [(MARGIN, wrap(title, STYLES["title"], WIDTH - 2 * MARGIN))])


def literal(text: str) -> str:
    """`text` as a PDF string in the encoding of the standard fonts, every byte printable."""
    encoded = text.encode("cp1252").decode("latin-1")
    return "(" + "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):03o}" for c in encoded) + ")"


def lay_out(title: Block, body: list[Block], columns: int) -> list[Page]:
    """Place the blocks in columns and on pages; none is split, and no heading stands last in a column."""
    pages = [Page([], [])]
    top: float = HEIGHT - MARGIN
    y, column = top, 0
    for block, following in zip([title, *body], [*body, None], strict=True):
        style = STYLES[block.kind]
        needed = style.space_above + block.height
        if block.kind in {"#", "##"} and following is not None:
            needed += STYLES[following.kind].space_above + following.height
        if y - needed < MARGIN:
            column += 1
            if column == columns:
                pages.append(Page([], []))
                top, column = HEIGHT - MARGIN, 0
            y = top
        y -= style.space_above
        shift = column * (column_width(columns) + GUTTER)
        if block.kind in {"#", "##"}:
            pages[-1].headings.append((len(block.kind), " ".join(block.cells[0][1]), y))
        for x, lines in block.cells:
            for number, line in enumerate(lines):
                baseline = y - style.size * (1 + 1.35 * number)
                pages[-1].drawing.append(
                    f"BT /{style.font} {style.size} Tf {x + shift:.1f} {baseline:.1f} Td {literal(line)} Tj ET"
                )
        y -= block.height
        if block is title:
            top = y
    return pages


def outline(pages: list[Page], first: int, page_ids: list[int]) -> list[str]:
    """The bookmark objects, numbered from `first`: the root, then a flat or nested entry per heading."""
    found = [(level, text, page_ids[n], y) for n, page in enumerate(pages) for level, text, y in page.headings]
    parents: list[int] = []
    chapter = 0
    for index, (level, *_) in enumerate(found):
        chapter = index + 1 if level == 1 else chapter
        parents.append(0 if level == 1 else chapter)
    children = {p: [i + 1 for i, parent in enumerate(parents) if parent == p] for p in range(len(found) + 1)}

    def family(node: int) -> str:
        mine = children[node]
        return f" /First {first + mine[0]} 0 R /Last {first + mine[-1]} 0 R /Count {len(mine)}" if mine else ""

    objects = [f"<< /Type /Outlines{family(0)} >>"]
    for index, (_, text, page, y) in enumerate(found):
        siblings = children[parents[index]]
        place = siblings.index(index + 1)
        links = f" /Prev {first + siblings[place - 1]} 0 R" if place else ""
        links += f" /Next {first + siblings[place + 1]} 0 R" if place + 1 < len(siblings) else ""
        objects.append(
            f"<< /Title {literal(text)} /Parent {first + parents[index]} 0 R{links}{family(index + 1)}"
            f" /Dest [{page} 0 R /XYZ {MARGIN} {y:.0f} 0] >>"
        )
    return objects


def pdf(head: dict[str, str], body: str) -> bytes:
    """A whole PDF file: catalog, page tree, fonts, information, pages with contents, bookmarks."""
    columns = int(head.get("columns", "1"))
    pages = lay_out(title_block(head["title"]), list(blocks(body, column_width(columns))), columns)
    fonts = " ".join(f"/{name} {4 + n} 0 R" for n, name in enumerate(FONTS))
    page_ids = [7 + 2 * n for n in range(len(pages))]
    outline_id = 7 + 2 * len(pages)
    kids = " ".join(f"{page} 0 R" for page in page_ids)
    created = head["date"].replace("-", "")
    objects: list[bytes] = [
        f"<< /Type /Catalog /Pages 2 0 R /Outlines {outline_id} 0 R /Lang (en) >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        f"<< /Title {literal(head['title'])} /Author {literal(head['author'])}"
        f" /CreationDate (D:{created}090000Z) >>".encode(),
    ]
    objects += [
        f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>".encode()
        for font in FONTS.values()
    ]
    for page_id, page in zip(page_ids, pages, strict=True):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}]"
            f" /Resources << /Font << {fonts} >> >> /Contents {page_id + 1} 0 R >>".encode()
        )
        content = "\n".join(page.drawing).encode("ascii")
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    objects += [item.encode() for item in outline(pages, outline_id, page_ids)]
    return assemble(objects)


def assemble(objects: list[bytes]) -> bytes:
    """Number the objects from 1 and add the cross-reference table and the trailer."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    table = [b"0000000000 65535 f \n"]
    for number, item in enumerate(objects, start=1):
        table.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, item)
    start = len(out)
    out += b"xref\n0 %d\n%b" % (len(table), b"".join(table))
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 3 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(table), start)
    return bytes(out)


def read_source(path: Path) -> tuple[dict[str, str], str]:
    """A source's head and body."""
    top, body = path.read_text(encoding="utf-8").split("\n---\n", 1)
    return dict(line.split(": ", 1) for line in top.splitlines()), body


def made() -> Iterator[tuple[Path, bytes]]:
    """Each PDF: where it belongs, and its bytes."""
    for path in sorted((HERE / "pdf_sources").glob("*.txt")):
        head, body = read_source(path)
        yield HERE / "handbook" / head["folder"] / f"{path.stem}.pdf", pdf(head, body)


def main() -> None:
    """Write each source's PDF into its folder of the handbook."""
    for target, data in made():
        target.write_bytes(data)


if __name__ == "__main__":
    main()
