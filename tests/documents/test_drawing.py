"""Where spans of a document's text are drawn, and pictures of its pages."""

from collections.abc import Iterator
from io import BytesIO

import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdfium2 import raw

from kit.office import Office
from kit.pdf import make_pdf, prose
from muniment.documents.contract import (
    DocumentMissing,
    NewDocument,
    OfVersion,
    Options,
    PageMissing,
    PageOf,
    Rectangle,
    SpanOf,
)
from muniment.kernel.problems import Invalid, NotAvailable

LEFT = (
    "The \256rst chain begins where the crop is",
    "harvested, and it ends where it is o\256-",
    "cially eaten by those who ordered it.",
)
RIGHT = (
    "Probes are there\256re read every minute,",
    "and what they say is kept for ten years.",
    "A driver who sees the red lamp stops.",
)
COLUMNS = [
    *prose(60, 600, *LEFT),
    *prose(330, 600, *RIGHT),
    *prose(60, 500, "The lamp stands over the front door, at seven feet, where everybody can see it."),
]
TURNED = [(size, x, y, text) for size, x, y, text in COLUMNS]
FILES = {
    "plain": make_pdf([COLUMNS, prose(60, 700, "It goes on here with one more page.")]),
    "turned": make_pdf([TURNED], page="/Rotate 90"),
    "upside": make_pdf([TURNED], page="/Rotate 180"),
    "cropped": make_pdf([COLUMNS], page="/CropBox [40 400 560 760]"),
    "cropped and turned": make_pdf([COLUMNS], page="/CropBox [40 400 560 760] /Rotate 270"),
}
SCALE = 100_000
_known: dict[int, dict[str, tuple[str, str]]] = {}


async def uploaded(office: Office, name: str) -> tuple[str, str]:
    """The id and the text of one of the files."""
    known = _known.setdefault(id(office), {})
    if name not in known:
        known[name] = await put(office, FILES[name], f"{name}.pdf", "application/pdf")
    return known[name]


async def put(office: Office, data: bytes, name: str, media_type: str) -> tuple[str, str]:
    content = await office.staged(data)
    document = NewDocument(content=content, name=name, media_type=media_type, options=Options(key=name))
    result = await office.upload("ada", document)
    run = await office.over("ada", result.run)
    assert run.state == "succeeded", run.problem
    id_ = result.documents[0].id or ""
    with office.asking("ada") as room:
        return id_, (await room.text(OfVersion(id=id_))).text


def found_within(data: bytes, rectangles: tuple[Rectangle, ...]) -> str:
    """The text whose middle pdfium sees within the rectangles, in the order of these."""
    document = pypdfium2.PdfDocument(data)
    return "".join(c for place in rectangles for c in characters(document[place.page - 1], place))


def characters(page: pypdfium2.PdfPage, place: Rectangle) -> Iterator[str]:
    x0, y0 = on_page(page, place.x0, place.y0)
    x1, y1 = on_page(page, place.x1, place.y1)
    text = page.get_textpage()
    for i in range(text.count_chars()):
        left, bottom, right, top = text.get_charbox(i)
        x, y = (left + right) / 2, (bottom + top) / 2
        if min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1):
            yield chr(raw.FPDFText_GetUnicode(text, i))


def on_page(page: pypdfium2.PdfPage, x: float, y: float) -> tuple[float, float]:
    """A fraction of what is seen as a point of the page's plane, as pdfium reckons it."""
    at = raw.c_double(), raw.c_double()
    raw.FPDF_DeviceToPage(page, 0, 0, SCALE, SCALE, 0, round(x * SCALE), round(y * SCALE), *at)
    return at[0].value, at[1].value


def letters(text: str) -> str:
    return "".join(c for c in text.replace("ﬁ", "fi") if c.isalnum())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(FILES)), ends=st.tuples(st.floats(0, 1), st.floats(0, 1)))
async def test_the_words_lie_in_the_rectangles(
    sqlite_office: Office, name: str, ends: tuple[float, float]
) -> None:
    id_, text = await uploaded(sqlite_office, name)
    start, end = (round(at * len(text)) for at in sorted(ends))
    # The parts of a ligature are drawn as one.
    start -= text[start - 1 : start + 1] == "fi"
    end += text[end - 1 : end + 1] == "fi"
    with sqlite_office.asking("ada") as room:
        found = (await room.rectangles(SpanOf(id=id_, start=start, end=end))).rectangles
    assert letters(found_within(FILES[name], found)) == letters(text[start:end])


async def test_one_rectangle_for_each_line(sqlite_office: Office) -> None:
    id_, text = await uploaded(sqlite_office, "plain")
    with sqlite_office.asking("ada") as room:
        start, end = text.index("where it is"), text.index("are therefire")
        found = (await room.rectangles(SpanOf(id=id_, start=start, end=end))).rectangles
        assert [round(place.x0 * 600) for place in found][1:] == [60, 330]
        assert (await room.rectangles(SpanOf(id=id_, start=5, end=5))).rectangles == ()
        with pytest.raises(Invalid):
            await room.rectangles(SpanOf(id=id_, start=0, end=len(text) + 1))
        with pytest.raises(Invalid):
            await room.rectangles(SpanOf(id=id_, start=3, end=2))
    with sqlite_office.asking("eve") as room, pytest.raises(DocumentMissing):
        await room.rectangles(SpanOf(id=id_, start=0, end=1))


async def test_an_older_version_is_still_drawn_and_text_has_no_places(office: Office) -> None:
    first, text = await put(office, FILES["cropped"], "a.pdf", "application/pdf")
    await put(office, FILES["turned"], "a.pdf", "application/pdf")
    with office.asking("ada") as room:
        found = (await room.rectangles(SpanOf(id=first, version=1, start=4, end=9))).rectangles
        now = (await room.rectangles(SpanOf(id=first, start=0, end=9))).rectangles
    assert letters(found_within(FILES["cropped"], found)) == letters(text[4:9]) == "first"
    assert len(now) == 1
    plain, _ = await put(office, b"Only text.", "a.txt", "text/plain")
    with office.asking("ada") as room:
        assert (await room.rectangles(SpanOf(id=plain, start=0, end=4))).rectangles == ()


async def picture(office: Office, **asked: object) -> Image.Image:
    with office.asking("ada") as room:
        content = await room.page(PageOf.model_validate(asked))
    data = b"".join([piece async for piece in office.blobs.stream(content.blob)])
    assert len(data) == content.size_bytes
    assert content.media_type == "image/png"
    return Image.open(BytesIO(data))


async def test_pages_as_pictures(sqlite_office: Office) -> None:
    id_, _ = await uploaded(sqlite_office, "turned")
    shown = await picture(sqlite_office, id=id_, number=1, width=400)
    assert (shown.format, shown.width, shown.height) == ("PNG", 400, 300)
    with sqlite_office.asking("ada") as room:
        with pytest.raises(PageMissing):
            await room.page(PageOf(id=id_, number=2))
        plain, _ = await put(sqlite_office, b"Only text.", "b.txt", "text/plain")
        with pytest.raises(NotAvailable):
            await room.page(PageOf(id=plain, number=1))
    with sqlite_office.asking("eve") as room, pytest.raises(DocumentMissing):
        await room.page(PageOf(id=id_, number=1))
