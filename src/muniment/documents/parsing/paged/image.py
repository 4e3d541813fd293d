"""Images: their frames, upright and within bounds, and the text that is seen in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.paged.layout import lay_out
from muniment.documents.parsing.paged.ocr import Reading, require_tesseract
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.shapes.problems import FileBroken, FileEmpty, ParserLimit
from muniment.kernel.extras import late

MOST_FRAMES = 2_000
_KINDS = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")
_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, ArithmeticError)
"""What Pillow raises for images that are not what they claim to be."""


def parse_image(source: Source) -> Parsed:
    """The text in a picture; each page of a TIFF is a page, of moving pictures only the first is read.

    Raises OcrMissing, FileEmpty, FileBroken, ParserLimit.
    """
    require_tesseract("the file is a picture")
    reading = Reading(source)
    with opened(source) as image:
        media_type = f"image/{image.format.lower()}"
        pages = {number: reading.lines(page) for number, page in enumerate(_frames(image), start=1)}
    growing = Growing(source.limits.text_characters)
    laid = lay_out(pages, growing)
    if not growing.length:
        raise FileEmpty("no text can be seen in the picture; upload a sharper or larger one")
    return Parsed(
        text=growing.text,
        media_type=media_type,
        pages=laid.pages,
        sections=sections(growing.headings, growing.length),
        metadata=reading.metadata,
        blocks=tuple(growing.blocks),
        lines=laid.lines,
    )


@contextmanager
def opened(source: Source) -> Iterator[Any]:
    """The image, not yet decoded.

    Raises FileBroken, or ParserLimit for one of too many pixels.
    """
    pillow: Any = late("PIL.Image")
    pillow.MAX_IMAGE_PIXELS = None  # Bounded here, by our own setting.
    try:
        image = pillow.open(source.path, formats=_KINDS)
    except _UNREADABLE as failed:
        raise _broken() from failed
    with image:
        image.most_pixels = source.limits.pixels
        _bounded(image, source.limits.pixels)
        yield image


def frame(image: Any, number: int) -> Any:
    """A frame by its number from 1, as it is to be seen.

    Raises FileBroken, ParserLimit.
    """
    try:
        if number > 1:
            image.seek(number - 1)
        _bounded(image, image.most_pixels)
        upright = late("PIL.ImageOps").exif_transpose(image)
        upright.load()
        return _on_white(upright)
    except _UNREADABLE as failed:
        raise _broken() from failed


def _frames(image: Any) -> Iterator[Any]:
    count = image.n_frames if image.format == "TIFF" else 1
    if count > MOST_FRAMES:
        raise ParserLimit(
            f"the picture has {count:,} pages, more than {MOST_FRAMES:,}; split it into smaller ones",
            limit="pages",
        )
    for number in range(1, count + 1):
        yield frame(image, number)


def _on_white(image: Any) -> Any:
    """Without transparency, which most pictures of text mean as paper."""
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode not in {"RGBA", "LA", "PA"}:
        return image
    image = image.convert("RGBA")
    paper = late("PIL.Image").new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _bounded(image: Any, most_pixels: int) -> None:
    width, height = image.size
    if width * height > most_pixels:
        raise ParserLimit(
            f"the picture has {width:,} x {height:,} pixels, more than {most_pixels:,} in all; make it smaller",
            limit="pixels",
        )


def _broken() -> FileBroken:
    return FileBroken("the picture is damaged or cut short; save it anew and upload that")
