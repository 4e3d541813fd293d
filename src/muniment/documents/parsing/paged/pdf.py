"""PDF: text in reading order with its places, and what the file says about itself."""

import re
from collections.abc import Sequence
from typing import Any

import pypdfium2  # type: ignore[import-untyped]  # it ships none
from pydantic import JsonValue

from muniment.documents.parsing.decoding import normal
from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.paged.columns import arrange, notes_last
from muniment.documents.parsing.paged.layout import Line, lay_out
from muniment.documents.parsing.paged.ocr import Reading, require_tesseract, tesseract
from muniment.documents.parsing.paged.outline import bookmarks, links, outlined
from muniment.documents.parsing.paged.place import Characters, View, open_pdf
from muniment.documents.parsing.paged.render import has_picture, render
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.shapes.problems import FileBroken, FileEmpty, ParserLimit

MOST_PAGES = 10_000
_FEW_CHARACTERS, _SAMPLE_CHARACTERS = 10, 500
_UNREADABLE = re.compile("[\ufffd\ue000-\uf8ff\U000f0000-\U0010fffd]")
_OCR_SCALE = 200 / 72
_OCR_PIXELS = 20_000_000
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:Z|([+-])(\d\d)'?(\d\d)?)?")
_END, _TABLE = re.compile(rb"startxref\s+(\d{1,12})\b"), re.compile(rb"xref|\d\s+obj\b")
_MOST_JUNK = 2048
"""What may stand before the PDF in its file, and shifts all places in it."""

_NO_TITLE = re.compile(
    r"(?:microsoft (?:word|powerpoint|excel) - .*|untitled.*|\S+\.\w{2,4}|title|pii: .*)", re.IGNORECASE
)


def parse_pdf(source: Source) -> Parsed:
    """The pages' text in reading order; pages that are pictures are read as such where Tesseract is installed.

    Raises FileBroken, FileEncrypted, FileEmpty, OcrMissing, ParserLimit.
    """
    if source.size_bytes > source.limits.file_bytes and not _has_an_end(source):
        # It would be searched from end to end for what may be left of it.
        raise FileBroken("the PDF is cut short: it has no end; export it anew and upload that")
    document = open_pdf(source.path)
    if len(document) > MOST_PAGES:
        raise ParserLimit(
            f"the PDF has {len(document):,} pages, more than {MOST_PAGES:,}; split it into smaller ones",
            limit="pages",
        )
    pages = _Pages()
    pages.read(document)
    if not pages.lines:
        raise FileBroken("no page of the PDF can be read; export it anew and upload that")
    if len(pages.scans) == len(pages.lines):
        require_tesseract("the PDF is a scan")
    pages.read_scans(document, Reading(source))
    growing = Growing(source.limits.text_characters)
    laid = lay_out(pages.lines, growing)
    if not growing.length:
        raise FileEmpty("the PDF holds no text")
    fields, metadata = sort_fields(_said(document))
    if "title" not in fields and growing.headings and growing.headings[0].start == 0:
        fields["title"] = growing.headings[0].title
    text = growing.text
    headings = growing.headings or outlined(bookmarks(document), laid.pages, text)
    return Parsed(
        text=text,
        media_type="application/pdf",
        title=str(fields["title"]) if "title" in fields else None,
        pages=laid.pages,
        sections=sections(headings, growing.length),
        fields=fields,
        metadata={**metadata, **pages.metadata},
        blocks=tuple(growing.blocks),
        lines=laid.lines,
    )


def _has_an_end(source: Source) -> bool:
    """Whether the file's last words lead to its table of objects."""
    said = _END.findall(source.tail)
    if not said:
        return False
    with source.path.open("rb") as file:
        file.seek(int(said[-1]))
        return _TABLE.search(file.read(_MOST_JUNK)) is not None


class _Pages:
    """The pages of a document as they are read, by their number from 1."""

    def __init__(self) -> None:
        self.lines: dict[int, list[Line]] = {}
        self.scans: list[int] = []
        self.metadata: dict[str, JsonValue] = {}

    def read(self, document: pypdfium2.PdfDocument) -> None:
        """The text of all pages; those that are pictures are noted."""
        unreadable: list[JsonValue] = []
        addresses: dict[str, None] = {}
        for number in range(1, len(document) + 1):
            try:
                page = document[number - 1]
                text_page = page.get_textpage()
            except pypdfium2.PdfiumError:
                unreadable.append(number)
                continue
            lines = arrange(list(Characters(text_page).pieces()), View.of(page))
            if _says_little(lines) and has_picture(page):
                self.scans.append(number)
            self.lines[number] = notes_last(lines)
            links(document, page, addresses)
            text_page.close()
            page.close()
        if unreadable:
            self.metadata["unreadable_pages"] = unreadable
        if addresses:
            self.metadata["links"] = list(addresses)

    def read_scans(self, document: pypdfium2.PdfDocument, reading: Reading) -> None:
        """The text of the pages that are pictures, or that they have none.

        Raises OcrMissing, ParserLimit.
        """
        if not self.scans:
            return
        if tesseract() is None:
            self.metadata["pages_without_text"] = list(self.scans)
            return
        for number in self.scans:
            page = document[number - 1]
            self.lines[number] = reading.lines(render(page, _OCR_SCALE, _OCR_PIXELS, grayscale=True).to_pil())
            page.close()
        self.metadata |= reading.metadata


def _says_little(lines: Sequence[Line]) -> bool:
    """Whether there is next to no text, or what there is cannot be read."""
    text = "".join(line.text for line in lines).replace(" ", "")
    sample = text[:_SAMPLE_CHARACTERS]
    return len(text) < _FEW_CHARACTERS or 2 * len(_UNREADABLE.findall(sample)) > len(sample)


def _said(document: pypdfium2.PdfDocument) -> dict[str, object]:
    info = {key: normal(value).strip() for key, value in document.get_metadata_dict().items()}
    title = info.get("Title", "")
    said: dict[str, Any] = {
        "title": None if _NO_TITLE.fullmatch(title) else title,
        "author": info.get("Author"),
        "summary": info.get("Subject"),
        "tags": re.split(r"[,;]", info.get("Keywords", "")) if info.get("Keywords") else None,
        "created_at": instant(info.get("CreationDate", "")),
        "modified_at": instant(info.get("ModDate", "")),
    }
    return {key: value for key, value in said.items() if value}


def instant(written: str) -> str | None:
    """A PDF date as RFC 3339 writes it."""
    found = _DATE.match(written)
    if found is None:
        return None
    year, month, day, hour, minute, second, sign, hours, minutes = found.groups()
    zone = f"{sign}{hours}:{minutes or '00'}" if sign else "+00:00"
    return f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}{zone}"
