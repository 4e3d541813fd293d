#!/usr/bin/env python3
"""Write the handbook's office, book, mail and picture files from the plain sources in `office_sources/`.

Run `python examples/make_office.py` after changing a source; the files are committed. The same sources always give
the same bytes (the picture: the same with the same Pillow): times are fixed, entries sorted, nothing compressed.
A source has a head, a line `---`, and blocks parted by blank lines: `# ` and `## ` headings (a slide, a sheet, a
chapter), `- ` lists, `|` tables, `> ` a speaker's notes, paragraphs. Its name says what becomes of it.
"""

import base64
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from make_pdfs import pdf, read_source
from office_parts import (
    DOCX_STYLES,
    NUMBERING,
    OFFICE,
    PRESENTATION_PARTS,
    RELATIONS,
    SHAPES,
    SPREADSHEET,
    WORD,
    XLSX_STYLES,
    XML,
    relations,
)
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
SOURCES = HERE / "office_sources"
PICTURE = HERE / "pictures" / "dock-7-sign.png"
SIGN = (
    "DOCK 7",
    "Refrigerated goods only",
    "Doors may stay open for 4 minutes at most",
    "Emergency stop: telephone 5577",
)
NUMBER = re.compile(r"\d+(\.\d+)?")
Head = dict[str, str]
Files = dict[str, str]


class Block(NamedTuple):
    """A heading, list, table, notes or paragraph: its mark, and its lines without it."""

    mark: str
    lines: list[str]

    @property
    def rows(self) -> list[list[str]]:
        """A table's cells."""
        return [[cell.strip() for cell in line.removesuffix("|").split("|")] for line in self.lines]


def blocks(body: str) -> list[Block]:
    """The blocks of a source's body."""
    found = []
    for part in body.strip().split("\n\n"):
        mark = part.split(" ", 1)[0]
        mark = mark if mark in {"#", "##", "-", "|", ">"} else ""
        found.append(Block(mark, [line.removeprefix(mark).strip() for line in part.splitlines()]))
    return found


def parts_of(body: str) -> list[tuple[str, list[Block]]]:
    """The body cut at its `# ` headings: each heading with the blocks below it."""
    cut: list[tuple[str, list[Block]]] = []
    for block in blocks(body):
        if block.mark == "#":
            cut.append((block.lines[0], []))
        else:
            cut[-1][1].append(block)
    return cut


def packed(files: Files) -> bytes:
    """A ZIP archive, its entries in order of their names, `mimetype` first."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        for name in sorted(files, key=lambda name: (name != "mimetype", name)):
            entry = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def package(head: Head, main: tuple[str, str], files: Files, types: Files) -> bytes:
    """An Office file: the main part with its content type, further parts, and what the file says of itself."""
    kinds = {
        f"/{main[0]}": main[1],
        "/docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
    }
    overrides = "".join(f'<Override PartName="{p}" ContentType="{t}"/>' for p, t in (kinds | types).items())
    core = OFFICE + "/package/2006/metadata/core-properties"
    return packed(
        files
        | {
            "[Content_Types].xml": f'{XML}<Types xmlns="{OFFICE}/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>',
            "_rels/.rels": f'{XML}<Relationships xmlns="{OFFICE}/package/2006/relationships">'
            f'<Relationship Id="rId1" Type="{RELATIONS}/officeDocument" Target="{main[0]}"/>'
            f'<Relationship Id="rId2" Type="{OFFICE}/package/2006/relationships/metadata/core-properties"'
            ' Target="docProps/core.xml"/></Relationships>',
            "docProps/core.xml": f'{XML}<cp:coreProperties xmlns:cp="{core}"'
            ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            f"<dc:title>{escape(head['title'])}</dc:title><dc:creator>{escape(head['author'])}</dc:creator>"
            f"<dc:description>{escape(head['summary'])}</dc:description>"
            f"<cp:keywords>{escape(head['keywords'])}</cp:keywords><dc:language>en-GB</dc:language>"
            f'<dcterms:created xsi:type="dcterms:W3CDTF">{head["date"]}T09:00:00Z</dcterms:created>'
            "</cp:coreProperties>",
        }
    )


def docx(head: Head, body: str) -> bytes:
    """A Word document."""

    def paragraph(text: str, style: str = "", numbered: str = "") -> str:
        said = f'<w:pStyle w:val="{style}"/>{numbered}' if style else ""
        return f'<w:p><w:pPr>{said}</w:pPr><w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'

    def table(rows: list[list[str]]) -> str:
        grid = '<w:gridCol w:w="2400"/>' * len(rows[0])
        lines = "".join(
            "<w:tr>"
            + ("<w:trPr><w:tblHeader/></w:trPr>" if n == 0 else "")
            + "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row)
            + "</w:tr>"
            for n, row in enumerate(rows)
        )
        style = '<w:tblPr><w:tblStyle w:val="TableGrid"/></w:tblPr>'
        return f"<w:tbl>{style}<w:tblGrid>{grid}</w:tblGrid>{lines}</w:tbl>"

    bullet = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    made = [paragraph(head["title"], "Title")]
    for block in blocks(body):
        if block.mark == "|":
            made += [table(block.rows), paragraph("")]
        elif block.mark == "-":
            made += [paragraph(line, "ListBullet", bullet) for line in block.lines]
        else:
            made.append(paragraph(" ".join(block.lines), {"#": "Heading1", "##": "Heading2"}.get(block.mark, "")))
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    return package(
        head,
        ("word/document.xml", f"{kind}.document.main+xml"),
        {
            "word/document.xml": f'{XML}<w:document xmlns:w="{WORD}"><w:body>{"".join(made)}<w:sectPr/></w:body>'
            "</w:document>",
            "word/_rels/document.xml.rels": relations(("styles", "styles.xml"), ("numbering", "numbering.xml")),
            "word/styles.xml": DOCX_STYLES,
            "word/numbering.xml": NUMBERING,
        },
        {"/word/styles.xml": f"{kind}.styles+xml", "/word/numbering.xml": f"{kind}.numbering+xml"},
    )


def xlsx(head: Head, body: str) -> bytes:
    """A workbook, a sheet for each heading; what looks like a number is one."""

    def cell(text: str, row: int, column: int) -> str:
        at = f'r="{chr(65 + column)}{row}"' + (' s="1"' if row == 1 else "")
        if NUMBER.fullmatch(text):
            return f"<c {at}><v>{text}</v></c>"
        return f'<c {at} t="inlineStr"><is><t>{escape(text)}</t></is></c>' if text else ""

    files: Files = {"xl/styles.xml": XLSX_STYLES}
    names = []
    for number, (name, (table,)) in enumerate(parts_of(body), start=1):
        rows = "".join(
            f'<row r="{n}">{"".join(cell(text, n, c) for c, text in enumerate(row))}</row>'
            for n, row in enumerate(table.rows, start=1)
        )
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f'{XML}<worksheet xmlns="{SPREADSHEET}"><sheetData>{rows}</sheetData></worksheet>'
        )
        names.append(f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>')
    files["xl/workbook.xml"] = (
        f'{XML}<workbook xmlns="{SPREADSHEET}" xmlns:r="{RELATIONS}"><sheets>{"".join(names)}</sheets></workbook>'
    )
    sheets = [("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(names) + 1)]
    files["xl/_rels/workbook.xml.rels"] = relations(*sheets, ("styles", "styles.xml"))
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    types = {f"/xl/{target}": f"{kind}.worksheet+xml" for _, target in sheets}
    types["/xl/styles.xml"] = f"{kind}.styles+xml"
    return package(head, ("xl/workbook.xml", f"{kind}.sheet.main+xml"), files, types)


def pptx(head: Head, body: str) -> bytes:
    """A presentation, a slide for each heading, with the speaker's notes."""
    files, types = dict(PRESENTATION_PARTS.files), dict(PRESENTATION_PARTS.types)
    kind = "application/vnd.openxmlformats-officedocument.presentationml"
    deck = parts_of(body)
    for number, (title, below) in enumerate(deck, start=1):
        shapes, notes = [SHAPES.title(title)], ""
        for block in below:
            if block.mark == ">":
                notes = " ".join(block.lines)
            else:
                shapes.append(SHAPES.table(block.rows) if block.mark == "|" else SHAPES.body(block.lines))
        slide = f"ppt/slides/slide{number}.xml"
        files[slide] = SHAPES.slide("sld", shapes)
        types[f"/{slide}"] = f"{kind}.slide+xml"
        links = [("slideLayout", "../slideLayouts/slideLayout1.xml")]
        if notes:
            notes_slide = f"ppt/notesSlides/notesSlide{number}.xml"
            files[notes_slide] = SHAPES.slide("notes", [SHAPES.body([notes])])
            files[f"ppt/notesSlides/_rels/notesSlide{number}.xml.rels"] = relations(
                ("notesMaster", "../notesMasters/notesMaster1.xml"), ("slide", f"../slides/slide{number}.xml")
            )
            types[f"/{notes_slide}"] = f"{kind}.notesSlide+xml"
            links.append(("notesSlide", f"../notesSlides/notesSlide{number}.xml"))
        files[f"ppt/slides/_rels/slide{number}.xml.rels"] = relations(*links)
    slides = [("slide", f"slides/slide{n}.xml") for n in range(1, len(deck) + 1)]
    files["ppt/_rels/presentation.xml.rels"] = relations(
        ("slideMaster", "slideMasters/slideMaster1.xml"), ("notesMaster", "notesMasters/notesMaster1.xml"), *slides
    )
    files["ppt/presentation.xml"] = SHAPES.presentation(len(slides))
    return package(head, ("ppt/presentation.xml", f"{kind}.presentation.main+xml"), files, types)


def epub(head: Head, body: str) -> bytes:
    """A book, a chapter for each heading."""
    xhtml = f'{XML}<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en">'
    chapters = parts_of(body)
    files: Files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": f'{XML}<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"'
        ' version="1.0"><rootfiles><rootfile full-path="book/package.opf"'
        ' media-type="application/oebps-package+xml"/></rootfiles></container>',
    }
    items, spine, entries = [], [], []
    for number, (title, below) in enumerate(chapters, start=1):
        paragraphs = "".join(f"<p>{escape(' '.join(block.lines))}</p>" for block in below)
        name = f"chapter{number}.xhtml"
        files[f"book/{name}"] = (
            f"{xhtml}<head><title>{escape(title)}</title></head>"
            f"<body><h1>{escape(title)}</h1>{paragraphs}</body></html>"
        )
        items.append(f'<item id="c{number}" href="{name}" media-type="application/xhtml+xml"/>')
        spine.append(f'<itemref idref="c{number}"/>')
        entries.append(f'<li><a href="{name}">{escape(title)}</a></li>')
    files["book/nav.xhtml"] = (
        f'{xhtml}<head><title>Contents</title></head><body><nav epub:type="toc"><ol>{"".join(entries)}</ol></nav>'
        "</body></html>"
    )
    files["book/package.opf"] = (
        f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="id">urn:brackenfold:{head["date"]}</dc:identifier>'
        f"<dc:title>{escape(head['title'])}</dc:title>"
        f"<dc:creator>{escape(head['author'])}</dc:creator><dc:description>{escape(head['summary'])}</dc:description>"
        f"<dc:language>en</dc:language><dc:date>{head['date']}</dc:date>"
        f'<meta property="dcterms:modified">{head["date"]}T09:00:00Z</meta></metadata>'
        '<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        f"{''.join(items)}</manifest><spine>{''.join(spine)}</spine></package>"
    )
    return packed(files)


def eml(head: Head, body: str) -> bytes:
    """A message with the files that its head names attached."""
    boundary = "=_brackenfold"
    parts = [f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{body.strip()}\n"]
    for name in head["attach"].split(", "):
        source = SOURCES / f"{name}.txt"
        data = pdf(*read_source(source)) if source.exists() else (SOURCES / name).read_bytes()
        media_type = "application/pdf" if name.endswith(".pdf") else "text/csv; charset=utf-8"
        parts.append(
            f'Content-Type: {media_type}; name="{name}"\nContent-Disposition: attachment; filename="{name}"\n'
            f"Content-Transfer-Encoding: base64\n\n{base64.encodebytes(data).decode()}"
        )
    top = (
        f"From: {head['author']}\nTo: {head['to']}\nCc: {head['cc']}\nSubject: {head['title']}\n"
        f"Date: {head['date']}\n"
        f'Message-ID: {head["id"]}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{boundary}"\n\n'
    )
    return (top + "".join(f"--{boundary}\n{part}\n" for part in parts) + f"--{boundary}--\n").encode()


def picture() -> bytes:
    """A photograph of a sign would do as well: black letters, of which Tesseract makes text."""
    image = Image.new("L", (900, 330), 255)
    draw = ImageDraw.Draw(image)
    draw.rectangle((8, 8, 891, 321), outline=0, width=5)
    for number, line in enumerate(SIGN):
        draw.text((50, 36 + number * 68), line, fill=0, font=ImageFont.load_default(54 if number == 0 else 38))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


MAKERS: dict[str, Callable[[Head, str], bytes]] = {
    ".docx": docx,
    ".pptx": pptx,
    ".xlsx": xlsx,
    ".epub": epub,
    ".eml": eml,
}


def made() -> Iterator[tuple[Path, bytes]]:
    """Each file but the picture: where it belongs, and its bytes."""
    for source in sorted(SOURCES.glob("*.txt")):
        head, body = read_source(source)
        if "folder" in head:
            target = HERE / head["folder"] / source.stem
            yield target, MAKERS[target.suffix](head, body)


def main() -> None:
    """Write all files."""
    for target, data in (*made(), (PICTURE, picture())):
        target.write_bytes(data)


if __name__ == "__main__":
    main()
