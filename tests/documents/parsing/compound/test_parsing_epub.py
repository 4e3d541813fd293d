"""Books as EPUB: in order, with their chapters' titles, whole where a chapter is not."""

import io
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from kit.parsing import parsed
from muniment.documents.contract import FileBroken, FileEmpty, FileEncrypted, ParserLimit
from muniment.documents.parsing.model import Parsed

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
    '<rootfiles><rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)
SAID = (
    "<dc:title>The Vault</dc:title><dc:creator>Ada L</dc:creator><dc:creator>Ben M</dc:creator>"
    "<dc:language>en-GB</dc:language><dc:date>2024-05-06</dc:date><dc:publisher>Press</dc:publisher>"
    "<dc:identifier>urn:isbn:1</dc:identifier><dc:description>On leases.</dc:description>"
)
NCX = (
    '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>'
    '<navPoint><navLabel><text>First  things</text></navLabel><content src="text/one.xhtml"/></navPoint>'
    '<navPoint><navLabel><text>Ignored</text></navLabel><content src="text/two.xhtml#x"/></navPoint>'
    "</navMap></ncx>"
)
NAV = (
    '<html xmlns="http://www.w3.org/1999/xhtml"><body><nav><ol><li><a href="text/one.xhtml">First <b>things'
    "</b></a></li></ol></nav></body></html>"
)
PAGES = {
    "text/one.xhtml": "<p>The vault renews each lease.</p>",
    "text/two.xhtml": "<h1>Second</h1><h2>Part</h2><p>The probe warns the driver.</p>",
}


def xhtml(body: str) -> str:
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head>'
    )
    return f"{head}<body>{body}</body></html>"


def book(
    pages: Mapping[str, str] = PAGES,
    *,
    spine: str = '<itemref idref="i0"/><itemref idref="i1"/>',
    items: str = '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>',
    files: Mapping[str, str | bytes] | None = None,
    said: str = SAID,
) -> bytes:
    listed = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(pages)
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">{said}</metadata>'
        f"<manifest>{listed}{items}</manifest><spine>{spine}</spine></package>"
    )
    held: dict[str, str | bytes] = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER}
    held |= {"OPS/book.opf": package, "OPS/toc.ncx": NCX}
    held |= {f"OPS/{name}": xhtml(body) for name, body in pages.items()} | dict(files or {})
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, data in held.items():
            archive.writestr(name, data)
    return out.getvalue()


def read(data: bytes, **limits: int) -> Parsed:
    return parsed(data, name="a.epub", **limits)


def test_chapters_are_read_in_order_under_their_titles() -> None:
    found = read(book(spine='<itemref idref="i1"/><itemref idref="i0"/>'))
    assert found.text == (
        "Second\n\nPart\n\nThe probe warns the driver.\n\nFirst things\n\nThe vault renews each lease."
    )
    assert [section.path for section in found.sections] == [("Second",), ("Second", "Part"), ("First things",)]
    assert found.title == "The Vault"
    assert found.language == "en"
    assert found.fields == {
        "title": "The Vault",
        "author": "Ada L, Ben M",
        "language": "en",
        "created_at": "2024-05-06T00:00:00Z",
        "summary": "On leases.",
    }
    assert found.metadata == {"publisher": "Press", "identifier": "urn:isbn:1"}


def test_titles_come_from_the_newer_table_of_contents_too() -> None:
    nav = '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    spine = '<itemref idref="nav"/><itemref idref="i0"/>'
    found = read(book(items=nav, spine=spine, files={"OPS/nav.xhtml": NAV}))
    assert found.text == "First things\n\nThe vault renews each lease."


def test_chapters_that_are_missing_are_skipped_and_said() -> None:
    spine = '<itemref idref="i0"/><itemref idref="nobody"/><itemref idref="gone"/>'
    gone = '<item id="gone" href="text/gone.xhtml" media-type="application/xhtml+xml"/>'
    found = read(book(spine=spine, items=gone))
    assert found.text.endswith("The vault renews each lease.")
    assert found.metadata["skipped"] == ["nobody", "OPS/text/gone.xhtml"]


def test_a_chapter_that_is_damaged_is_skipped() -> None:
    long = {"text/one.xhtml": "<p>" + "The vault renews each lease. " * 40 + "</p>"}
    data = bytearray(book({**long, "text/two.xhtml": "<h1>Second</h1><p>The probe warns the driver.</p>"}))
    at = data.find(b"OPS/text/one.xhtml") + len("OPS/text/one.xhtml") + 10
    data[at : at + 20] = b"\xff" * 20
    found = read(bytes(data))
    assert found.text == "Second\n\nThe probe warns the driver."
    assert found.metadata["skipped"] == ["OPS/text/one.xhtml"]


def test_names_may_be_escaped_and_climb() -> None:
    items = '<item id="up" href="../up%20here.xhtml" media-type="application/xhtml+xml"/>'
    found = read(
        book(items=items, spine='<itemref idref="up"/>', files={"up here.xhtml": xhtml("<p>Up here.</p>")})
    )
    assert found.text == "Up here."


def encryption(method: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#">'
        f'<EncryptionMethod Algorithm="{method}"/></EncryptedData></encryption>'
    )


def test_a_protected_book_says_so_and_disguised_fonts_are_no_protection() -> None:
    aes = encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    with pytest.raises(FileEncrypted, match="unprotected"):
        read(book(files={"META-INF/encryption.xml": aes}))
    fonts = encryption("http://www.idpf.org/2008/embedding")
    assert read(book(files={"META-INF/encryption.xml": fonts})).text


@pytest.mark.parametrize(
    "files",
    [
        {"META-INF/container.xml": "<container/>"},
        {"META-INF/container.xml": "<container"},
        {"OPS/book.opf": ""},
        {"OPS/book.opf": '<!DOCTYPE a [<!ENTITY b "c">]><package>&b;</package>'},
    ],
)
def test_a_book_without_its_main_parts_is_broken(files: Mapping[str, str]) -> None:
    with pytest.raises(FileBroken):
        read(book(files=files))


def test_a_book_without_text_is_empty() -> None:
    with pytest.raises(FileEmpty):
        read(book(spine=""))


def test_what_unpacks_too_far_is_refused() -> None:
    bomb = book({"text/one.xhtml": "<p>" + "lease " * 200_000 + "</p>"}, spine='<itemref idref="i0"/>')
    with pytest.raises(ParserLimit) as over:
        read(bomb, unpacked_bytes=1_000_000)
    assert over.value.extra["limit"] == "unpacked"
    with pytest.raises(ParserLimit) as over:
        read(bomb, text_characters=1_000_000)
    assert over.value.extra["limit"] == "text"


def test_a_chapter_named_ten_thousand_times_is_read_once() -> None:
    assert read(book(spine='<itemref idref="i0"/>' * 10_000)).text.count("renews") == 1


def test_a_book_that_is_cut_off_is_broken() -> None:
    data = book()
    for end in range(30, len(data) - 1, 211):
        with pytest.raises(FileBroken):
            read(data[:end])


def test_a_published_book(evaldata: Path) -> None:
    path = evaldata / "parsing_docling" / "files" / "epub__epub_purvis_poetry.epub"
    if not path.is_file():
        pytest.skip("the evaluation data parsing_docling is not here")
    found = read(path.read_bytes())
    assert (found.title, found.language) == ("Poetry", "en")
    assert ("The Grave of the Slave",) in [section.path for section in found.sections]
    truth = path.with_name(f"{path.name}.truth.md").read_text()
    said, right = (Counter(re.findall(r"\w+", text)) for text in (found.text, truth))
    assert 2 * (said & right).total() / (said.total() + right.total()) > 0.98
