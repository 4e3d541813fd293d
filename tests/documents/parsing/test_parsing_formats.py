import pytest

from kit.parsing import parsed
from muniment.documents.contract import (
    FileBroken,
    FileEmpty,
    FileEncrypted,
    FormatUnknown,
    NotText,
    ParserLimit,
)
from muniment.documents.parsing.model import Parsed


def read(data: bytes | str, name: str | None = None, media_type: str | None = None, most: int = 10**7) -> Parsed:
    raw = data.encode() if isinstance(data, str) else data
    return parsed(raw, name=name, media_type=media_type, text_characters=most)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("naïve ✓".encode(), "naïve ✓"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("Übermaß".encode("utf-16"), "Übermaß"),
        (b"\xfe\xff" + "Übermaß".encode("utf-16-be"), "Übermaß"),
        (b"\x00\x00\xfe\xff" + "Übermaß 🚚".encode("utf-32-be"), "Übermaß 🚚"),
        ("Der Kühlwagen fährt über die Brücke.".encode("cp1252"), "Der Kühlwagen fährt über die Brücke."),
        ("Größe ".encode() * 200 + b"\xc3", "Größe " * 200 + "\ufffd"),
        (b"one\r\ntwo\rthree\n", "one\ntwo\nthree\n"),
    ],
)
def test_text_is_decoded_by_mark_then_utf8_then_plausibility(data: bytes, text: str) -> None:
    assert read(data, "a.txt").text == text


@pytest.mark.parametrize(
    "data",
    [
        b"a\x00b",
        b"\xff\xfeabc",
        "Холодный груз".encode("koi8-r"),
        bytes(range(128, 256)) * 4,
        b"\x07\x08\x90\xff binary",
        "zero\x00".encode("utf-16"),
    ],
)
def test_what_is_no_text_says_so(data: bytes) -> None:
    with pytest.raises(NotText, match="UTF-8"):
        read(data, "a.txt")


@pytest.mark.parametrize(
    "data", [b"", b" \n\t ", b"---\ntitle: x\n---\n  \n", b"<html><body><p> </p></body></html>"]
)
def test_a_file_without_text_is_empty(data: bytes) -> None:
    with pytest.raises(FileEmpty):
        read(data, "a.md" if data.startswith(b"---") else None)


@pytest.mark.parametrize(
    ("data", "name", "cure"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "a.txt", "save it as .docx"),
        (b"\x7fELF", "a.pdf", "a program"),
        (b"{\\rtf1 hello}", "a.txt", "save it as .docx"),
        (b"Rar!\x1a\x07", None, "unpack it"),
        (b"<svg xmlns='x'/>", "a.svg", "a picture or a PDF"),
    ],
)
def test_what_is_not_read_is_refused_with_its_cure(data: bytes, name: str | None, cure: str) -> None:
    with pytest.raises(FormatUnknown, match=cure):
        read(data, name)


def test_an_archive_that_is_cut_short_is_broken() -> None:
    with pytest.raises(FileBroken, match="damaged"):
        read(b"PK\x03\x04rest", "a.docx")


@pytest.mark.parametrize(
    ("data", "name", "media_type", "found"),
    [
        ("# A\n\ntext", "a.md", None, "text/markdown"),
        ("# A\n\ntext", None, "text/markdown; charset=utf-8", "text/markdown"),
        ("# A\n\ntext", None, None, "text/markdown"),
        ("# A\n\ntext", "a.txt", None, "text/plain"),
        ("<!DOCTYPE html><p>x", "a.md", None, "text/html"),
        ("<p>x</p>", "a.htm", None, "text/html"),
        ("<p>x</p>", None, "text/html", "text/html"),
        ("a < b", None, None, "text/plain"),
    ],
)
def test_the_type_is_told_by_content_then_by_name(
    data: str, name: str | None, media_type: str | None, found: str
) -> None:
    assert read(data, name, media_type).media_type == found


def test_a_name_that_lies_about_a_pdf() -> None:
    with pytest.raises(FileBroken):
        read("just text", "a.pdf")


def test_more_text_than_is_taken() -> None:
    for name in ("a.txt", "a.md", "a.html"):
        with pytest.raises(ParserLimit) as caught:
            read("word " * 100, name, most=100)
        assert caught.value.extra["limit"] == "text"


def test_an_encrypted_pdf(pdf) -> None:
    crypt = "<< /Filter /Standard /V 1 /R 2 /P -1 /O <{0}> /U <{0}> >>".format("41" * 32)
    data = pdf(
        [[(12, 50, 700, "secret")]], trailer=f"/Encrypt 8 0 R /ID [<{'00' * 16}> <{'00' * 16}>]", more=[crypt]
    )
    with pytest.raises(FileEncrypted, match="unprotected copy"):
        read(data)


def test_a_broken_pdf_and_one_without_text(pdf) -> None:
    with pytest.raises(FileBroken):
        read(b"%PDF-1.7 and then nothing")
    with pytest.raises(FileEmpty, match="no text"):
        read(pdf([[]]))
