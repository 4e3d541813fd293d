"""What a PDF holds beside its text: bookmarks and links."""

import ctypes
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import pypdfium2  # type: ignore[import-untyped]  # it ships none
from pypdfium2 import raw

from muniment.documents.parsing.paged.place import spelled
from muniment.documents.parsing.structure import MOST_TITLE, Heading
from muniment.documents.shapes.span import PageSpan

MOST_LINKS = 200
_MOST_BOOKMARKS = 5_000
_MOST_ADDRESS = 2_000


class Bookmark(NamedTuple):
    """An entry of the outline: its level from 1, what it says, and the number of the page it leads to."""

    level: int
    title: str
    page: int


def bookmarks(document: pypdfium2.PdfDocument) -> list[Bookmark]:
    """The entries that lead to a page, in their order."""
    found = []
    for entry in islice(document.get_toc(), _MOST_BOOKMARKS):
        target = entry.get_dest()
        index = None if target is None else target.get_index()
        title = spelled(entry.get_title())[:MOST_TITLE]
        if index is not None and title:
            found.append(Bookmark(entry.level + 1, title, index + 1))
    return found


def outlined(marks: Sequence[Bookmark], pages: Sequence[PageSpan], text: str) -> list[Heading]:
    """The bookmarks as headings: where their page says their title, else where it begins."""
    spans = {page.number: page for page in pages}
    plain = text.lower() if len(text.lower()) == len(text) else text
    found: list[Heading] = []
    for mark in marks:
        page = spans.get(mark.page)
        if page is None:
            continue
        after = found[-1].start if found else 0
        start = max(page.start, after)
        said = plain.find(mark.title.lower(), start, page.end)
        if said >= 0:
            start = said
        if start < page.end:
            found.append(Heading(start, mark.level, mark.title))
    return found


def links(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, found: dict[str, None]) -> None:
    """Add the web addresses to which the page links, up to `MOST_LINKS` in all."""
    position, link = ctypes.c_int(0), raw.FPDF_LINK()
    while len(found) < MOST_LINKS and raw.FPDFLink_Enumerate(page, position, link):
        action = raw.FPDFLink_GetAction(link)
        if not action or raw.FPDFAction_GetType(action) != raw.PDFACTION_URI:
            continue
        buffer = ctypes.create_string_buffer(_MOST_ADDRESS)
        size = raw.FPDFAction_GetURIPath(document, action, buffer, _MOST_ADDRESS)
        address = buffer.value.decode("utf-8", errors="replace").strip() if size <= _MOST_ADDRESS else ""
        if address.startswith(("http://", "https://")):
            found.setdefault(address)
