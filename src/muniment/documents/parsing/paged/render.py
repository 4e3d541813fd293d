"""Pages as pictures: a PDF's drawn, an image's frames as they are."""

import math
from io import BytesIO
from typing import Any

import pypdfium2  # type: ignore[import-untyped]  # it ships none
from pypdfium2 import raw

from muniment.documents.parsing.formats import tell
from muniment.documents.parsing.model import Picture
from muniment.documents.parsing.paged.image import frame, opened
from muniment.documents.parsing.paged.place import open_pdf
from muniment.documents.parsing.source import Source
from muniment.documents.shapes.problems import FileBroken, PageMissing
from muniment.kernel.problems import NotAvailable

_MOST_PIXELS = 24_000_000
_MOST_DEPTH = 4
_QUICKLY = 3
"""The level of compression: half of the time of the usual one, for pictures a tenth larger."""


def picture(source: Source, number: int, width: int) -> Picture:
    """A page as PNG, `width` pixels wide; narrower where the page is very tall, or the image has fewer pixels.

    Raises PageMissing, NotAvailable for formats without pages, FileBroken, FileEncrypted, ParserLimit.
    """
    form = tell(source)
    if form == "pdf":
        image = _drawn(source, number, width)
    elif form == "image":
        image = _shrunk(source, number, width)
    else:
        raise NotAvailable(f"pages of {form} files cannot be shown as pictures; those of PDF and images can")
    out = BytesIO()
    image.save(out, "PNG", compress_level=_QUICKLY)
    return Picture.model_construct(png=out.getvalue())


def _drawn(source: Source, number: int, width: int) -> Any:
    document = open_pdf(source.path)
    if number > len(document):
        raise no_page(number, len(document))
    try:
        page = document[number - 1]
        return render(page, width / max(page.get_width(), 1), _MOST_PIXELS).to_pil().convert("RGB")
    except pypdfium2.PdfiumError as failed:
        raise FileBroken(f"page {number} of the PDF cannot be drawn: it is damaged") from failed


def render(page: pypdfium2.PdfPage, scale: float, most_pixels: int, **options: Any) -> pypdfium2.PdfBitmap:
    """The page at `scale` pixels for a point, or fewer so that it stays within its bound."""
    width, height = max(page.get_width(), 1), max(page.get_height(), 1)
    most = math.sqrt(most_pixels / (width * height))
    # A bitmap is at least a pixel wide and high, however thin the page is.
    most = min(most, most_pixels / max(width, height))
    return page.render(scale=min(scale, most), **options)


def has_picture(page: pypdfium2.PdfPage) -> bool:
    """Whether an image is drawn on the page."""
    return next(page.get_objects(filter=(raw.FPDF_PAGEOBJ_IMAGE,), max_depth=_MOST_DEPTH), None) is not None


def _shrunk(source: Source, number: int, width: int) -> Any:
    with opened(source) as image:
        frames = getattr(image, "n_frames", 1)
        if number > frames:
            raise no_page(number, frames)
        page = frame(image, number).convert("RGB")
    scale = min(width / page.width, 1.0, math.sqrt(_MOST_PIXELS / (page.width * page.height)))
    if scale == 1:
        return page
    return page.resize((max(round(page.width * scale), 1), max(round(page.height * scale), 1)))


def no_page(number: int, pages: int) -> PageMissing:
    """The problem of a page that is not there."""
    return PageMissing(f"there is no page {number}: the document has {pages}", number=number, pages=pages)
