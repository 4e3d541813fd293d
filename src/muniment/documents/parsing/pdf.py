"""PDF: lines with their place and size on the page, and what the file says about itself."""

import ctypes
import re
from typing import Any

import pypdfium2  # type: ignore[import-untyped]  # it ships none
from pypdfium2 import raw

from muniment.documents.contract import FileBroken, FileEmpty, FileEncrypted, ParserLimit
from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.layout import Line, lay_out
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.parsing.text import normal

MOST_PAGES = 10_000
_NOWHERE = (0.0, 0.0, 0.0, 0.0, False)
_FONT_NAME_BYTES = 96
_FORCE_BOLD = 1 << 18
_BOLD = re.compile(rb"bold|black|heavy", re.IGNORECASE)
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:Z|([+-])(\d\d)'?(\d\d)?)?")
_CONTROLS = re.compile(r"[\x00-\x01\x03-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NO_TITLE = re.compile(
    r"(?:microsoft (?:word|powerpoint|excel) - .*|untitled.*|\S+\.\w{2,4}|title|pii: .*)", re.IGNORECASE
)
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00a0": " ", "\t": " "}
)


def parse_pdf(source: Source) -> Parsed:
    """The pages' text in reading order.

    Raises FileBroken, FileEncrypted, FileEmpty, ParserLimit.
    """
    document = _open(source)
    if len(document) > MOST_PAGES:
        raise ParserLimit(
            f"the PDF has {len(document):,} pages, more than {MOST_PAGES:,}; split it into smaller ones",
            limit="pages",
        )
    pages, unreadable = _pages(document)
    if not pages:
        raise FileBroken("no page of the PDF can be read; export it anew and upload that")
    growing = Growing(source.limits.text_characters)
    spans = lay_out(pages, growing)
    if not growing.length:
        raise FileEmpty(
            "the PDF holds no text: it is probably scanned, and reading pictures (OCR) is not available yet; "
            "upload a copy that went through OCR"
        )
    fields, metadata = sort_fields(_said(document))
    if "title" not in fields and growing.headings and growing.headings[0].start == 0:
        fields["title"] = growing.headings[0].title
    if unreadable:
        metadata["unreadable_pages"] = list(unreadable)
    return Parsed(
        text=growing.text,
        media_type="application/pdf",
        title=str(fields["title"]) if "title" in fields else None,
        pages=tuple(spans),
        sections=sections(growing.headings, growing.length),
        fields=fields,
        metadata=metadata,
        blocks=tuple(growing.blocks),
    )


def _open(source: Source) -> pypdfium2.PdfDocument:
    try:
        document = pypdfium2.PdfDocument(source.path)
        if len(document) == 0:
            raise FileBroken("the PDF has no page; export it anew and upload that")
    except pypdfium2.PdfiumError as failed:
        if raw.FPDF_GetLastError() in {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}:
            raise FileEncrypted("the PDF is protected by a password; upload an unprotected copy") from failed
        raise FileBroken("the PDF is damaged or cut short; export it anew and upload that") from failed
    return document


def _pages(document: pypdfium2.PdfDocument) -> tuple[dict[int, list[Line]], list[int]]:
    """The lines of each page by its number from 1, and the numbers of those that cannot be read."""
    pages: dict[int, list[Line]] = {}
    unreadable = []
    for index in range(len(document)):
        try:
            page = document[index]
            text_page = page.get_textpage()
        except pypdfium2.PdfiumError:
            unreadable.append(index + 1)
            continue
        pages[index + 1] = _lines(text_page)
        text_page.close()
        page.close()
    return pages, unreadable


def _lines(page: pypdfium2.PdfTextPage) -> list[Line]:
    text = page.get_text_range()
    # Places are known by character index, which is the text's only while no character counts twice.
    placed = len(text) == page.count_chars()
    lines, start = [], 0
    for piece in text.split("\n"):
        said = piece.rstrip()
        if lead := len(said) - len(said.lstrip()):
            said = said[lead:]
        if said:
            first, last = start + lead, start + lead + len(said) - 1
            # U+FFFE stands for a hyphen at whose place pdfium put two lines together.
            clean = normal(_CONTROLS.sub(" ", said.replace("\ufffe", ""))).translate(_LIGATURES)
            place = _place(page, first, last) if placed else _NOWHERE
            lines.append(Line(" ".join(clean.split(" ")).strip(), *place))
        start += len(piece) + 1
    return [line for line in lines if line.text]


def _place(page: pypdfium2.PdfTextPage, first: int, last: int) -> tuple[float, float, float, float, bool]:
    """Left, right, base line, height and boldness of a line between two characters."""
    left, bottom, _, top = page.get_charbox(first, loose=True)
    _, _, right, _ = page.get_charbox(last, loose=True)
    bold = _is_bold(page, first) and _is_bold(page, last)
    return left, right, bottom, round(top - bottom, 1), bold


def _is_bold(page: pypdfium2.PdfTextPage, character: int) -> bool:
    name, flags = ctypes.create_string_buffer(_FONT_NAME_BYTES), ctypes.c_int()
    raw.FPDFText_GetFontInfo(page, character, name, _FONT_NAME_BYTES, flags)
    return bool(flags.value & _FORCE_BOLD) or _BOLD.search(name.value) is not None


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
