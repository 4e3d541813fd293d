"""Pictures and scans: the pictures are drawn here, by pdfium, from PDFs made by hand."""

import shutil
from io import BytesIO
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageChops

from kit.parsing import parsed
from kit.pdf import make_pdf, prose
from muniment.documents.contract import FileBroken, FileEmpty, OcrMissing, ParserLimit
from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.paged.ocr import lines_of, words_of
from muniment.documents.parsing.pool import parsers

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
WORDS = ("The refrigerated truck leaves the dock at five", "and the driver reports the temperature hourly.")
FLOW = " ".join(WORDS)


def drawn(*lines: str) -> Image.Image:
    page = pypdfium2.PdfDocument(make_pdf([prose(50, 700, *lines, size=14, leading=18)]))[0]
    return page.render(scale=2, crop=(0, 560, 0, 0), grayscale=True).to_pil()


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def scanned(*images: Image.Image) -> bytes:
    return saved(images[0], "PDF", resolution=144, save_all=True, append_images=images[1:])


def mixed() -> bytes:
    """A page of text, and one that is a picture."""
    document = pypdfium2.PdfDocument(make_pdf([prose(50, 700, "This page has its own text.")]))
    document.import_pages(pypdfium2.PdfDocument(scanned(drawn(*WORDS))))
    out = BytesIO()
    document.save(out)
    return out.getvalue()


@needs_tesseract
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_pictures_of_text(kind: str) -> None:
    found = parsed(saved(drawn(*WORDS), kind), name=None)
    assert found.text == FLOW
    assert found.media_type == f"image/{kind.lower()}"
    assert found.metadata["ocr"] is True
    assert 80 < float(str(found.metadata["ocr_confidence"])) <= 100


@needs_tesseract
def test_each_word_has_its_place() -> None:
    image = drawn(*WORDS)
    found = parsed(saved(image, "PNG"), name=None)
    assert [found.text[line.start : line.end] for line in found.lines] == FLOW.split()
    ink = ImageChops.invert(image)
    for line in found.lines:
        box = (line.x0 * image.width, line.y0 * image.height, line.x1 * image.width, line.y1 * image.height)
        assert ink.crop(tuple(round(edge) for edge in box)).getbbox() is not None


@needs_tesseract
def test_every_page_of_a_tiff_is_read_upright() -> None:
    turned = drawn("A photograph taken on its side.").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    assert parsed(saved(turned, "JPEG", exif=exif), name=None).text == "A photograph taken on its side."
    pages = [drawn(*WORDS), drawn("The second page is short.")]
    found = parsed(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]), name=None)
    assert [found.text[p.start : p.end] for p in found.pages] == [FLOW, "The second page is short."]


@needs_tesseract
def test_scanned_pages_are_read_and_others_are_not_touched() -> None:
    found = parsed(mixed(), name="a.pdf")
    assert [found.text[p.start : p.end] for p in found.pages] == ["This page has its own text.", FLOW]
    assert found.metadata["ocr"] is True
    assert {line.first is None for line in found.lines if line.page == 2} == {True}
    assert parsed(scanned(drawn(*WORDS)), name="a.pdf").text == FLOW


@needs_tesseract
async def test_the_confined_child_reads_pictures(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    path.write_bytes(scanned(drawn(*WORDS)))
    async with parsers(ParserSettings(parser_processes=1)) as pool:
        assert (await pool.parse(path, name="a.pdf", media_type=None)).text == FLOW


@needs_tesseract
def test_a_language_that_is_not_installed() -> None:
    with pytest.raises(OcrMissing, match="xyz"):
        parsed(saved(drawn(*WORDS), "PNG"), name=None, ocr_languages="xyz")


@needs_tesseract
def test_a_picture_without_text_and_one_that_takes_too_long() -> None:
    with pytest.raises(FileEmpty):
        parsed(saved(Image.new("L", (300, 200), "white"), "PNG"), name=None)
    with pytest.raises(ParserLimit) as limit:
        parsed(saved(drawn(*WORDS), "PNG"), name=None, ocr_seconds=-1)
    assert limit.value.extra["limit"] == "time"


def test_without_tesseract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for data in (saved(drawn(*WORDS), "PNG"), scanned(drawn(*WORDS))):
        with pytest.raises(OcrMissing, match="apt install tesseract-ocr"):
            parsed(data, name=None)
    found = parsed(mixed(), name="a.pdf")
    assert found.text == "This page has its own text."
    assert found.metadata["pages_without_text"] == [2]


def test_pictures_that_are_too_large_or_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.documents.parsing.paged.image.require_tesseract", lambda _: None)
    with pytest.raises(ParserLimit) as limit:
        parsed(saved(Image.new("1", (10_000, 10_001)), "PNG"), name=None)
    assert limit.value.extra["limit"] == "pixels"
    whole = saved(drawn(*WORDS), "PNG")
    for data in (whole[: len(whole) // 2], whole[:8] + b"\x00" * 100):
        with pytest.raises(FileBroken):
            parsed(data, name="a.png")


def test_words_in_doubt_are_dropped() -> None:
    head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
    rows = ["5\t1\t1\t1\t1\t1\t10\t10\t40\t12\t96.5\tSure", "5\t1\t1\t1\t1\t2\t60\t10\t40\t12\t12.0\t~;",
            "4\t1\t1\t1\t1\t0\t10\t10\t90\t12\t-1\t", "5\t1\t1\t1\t1\t3\t110\t10\t40\t12\t91.0\tword"]  # fmt: skip
    words = words_of(head + "\n".join(rows))
    assert [word.text for word in words] == ["Sure", "word"]
    (line,) = lines_of(words, 200, 100)
    assert (line.text, line.marks[1].start, line.marks[1].box) == ("Sure word", 5, (0.55, 0.1, 0.75, 0.22))
