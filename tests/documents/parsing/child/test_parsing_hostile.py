"""Files made to harm whoever reads them: each gets a reason within the limits, and the child lives on."""

import asyncio
import io
import json
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from kit.parsing import parsed
from muniment.documents.contract import (
    FileBroken,
    FileEmpty,
    FileEncrypted,
    FormatUnknown,
    NotText,
    OcrMissing,
    ParserLimit,
)
from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.pool import parsers
from muniment.kernel.problems import Problem

LIMITS = ParserSettings(parser_processes=1, parser_processes_most=1, parser_unpacked_mb=10)
REFUSALS: dict[str, tuple[type[Problem], ...]] = {
    "encrypted": (FileEncrypted,),
    "encrypted-office": (FileEncrypted, FormatUnknown),
    "corrupt": (FileBroken, FileEmpty, OcrMissing),
    "edge": (FileEmpty,),
    "xfa": (),
    "encoding": (NotText,),
    "dde": (FormatUnknown,),
    "harmless": (FormatUnknown,),
    "embedded-object": (FormatUnknown,),
    "external-link": (FileEmpty,),
}
"""What the files of each kind may be refused with."""

LONG = 10.0
ALWAYS = frozenset({"encrypted", "encrypted-office"})


async def test_hostile_files_get_a_reason_and_harm_nothing(evaldata: Path) -> None:
    folder = evaldata / "parsing_hostile"
    if not folder.is_dir():
        pytest.skip("the evaluation data parsing_hostile is not here")
    wrong = []
    async with parsers(LIMITS) as pool:
        for line in (folder / "manifest.jsonl").read_text().splitlines():
            row = json.loads(line)
            kind, name = row["kind"], row["file"]
            if row["bytes"] > 200_000:
                continue
            try:
                await pool.parse(folder / "files" / name, name=name, media_type=None)
                right = kind not in ALWAYS
            except Problem as problem:
                right = isinstance(problem, REFUSALS.get(kind, (FormatUnknown, FileEmpty)))
            if not right:
                wrong.append(name)
        # None of them ended the child: the first is the only one.
        assert [child.starts for child in pool._children] == [1]
    assert wrong == []


def packed(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def blanks(megabytes: int) -> bytes:
    return b"<x>" + b" " * (megabytes * 1_000_000) + b"</x>"


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "lol">'
    + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    + "]>"
)
TYPES = b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
OPF = b"""<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>
<rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""


def laughing(main: str, root: str) -> bytes:
    parts = {"[Content_Types].xml": TYPES, main: f"{LAUGHS}<{root}>&a11;</{root}>".encode()}
    return packed(**parts)


def epub(opf: bytes) -> bytes:
    return packed(**{"mimetype": b"application/epub+zip", "META-INF/container.xml": OPF, "c.opf": opf})


def png(width: int, height: int) -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(b"\0" * 999)) + part(b"IEND", b"")
    )


def pages(tree: str) -> bytes:
    return (
        "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
        f"2 0 obj\n{tree}\nendobj\ntrailer\n<< /Root 1 0 R /Size 4 >>\nstartxref\n0\n%%EOF"
    ).encode()


def deep_pdf() -> bytes:
    return pages(f"<< /Type /Pages /Count 1 /Kids {'[' * 50_000}{']' * 50_000} >>")


def many_parts(count: int) -> bytes:
    part = "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nx\r\n"
    head = "From: a@b.c\r\nSubject: many\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    return (
        head + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + part * count
    ).encode()


def nested_mail(depth: int) -> bytes:
    head = "From: a@b.c\r\nSubject: deep\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    return (f"{head}Content-Type: message/rfc822\r\n\r\n" * depth + head + "\r\nhello").encode()


def notebook(characters: int) -> bytes:
    output = {"output_type": "stream", "name": "stdout", "text": ["x" * characters]}
    cell = {"cell_type": "code", "source": ["print(1)"], "outputs": [output], "metadata": {}, "execution_count": 1}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}).encode()


def aliases() -> bytes:
    lines = [b"a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [b"a%d: &a%d [%s]" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12)]
    return b"---\n" + b"\n".join(lines) + b"\n---\ntext"


WORD, SHEETS, SLIDES = "word/document.xml", "xl/workbook.xml", "ppt/presentation.xml"
MADE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a flat zip bomb": ("a.docx", lambda: packed(**{"[Content_Types].xml": TYPES, WORD: blanks(20)})),
    "a bomb as mimetype": ("a.epub", lambda: packed(mimetype=blanks(20))),
    "a nested zip": ("a.zip", lambda: packed(**{f"{i}.zip": packed(x=blanks(1)) for i in range(50)})),
    "laughs in docx": ("a.docx", lambda: laughing(WORD, "document")),
    "laughs in xlsx": ("a.xlsx", lambda: laughing(SHEETS, "workbook")),
    "laughs in pptx": ("a.pptx", lambda: laughing(SLIDES, "presentation")),
    "laughs in epub": ("a.epub", lambda: epub(f"{LAUGHS}<package>&a11;</package>".encode())),
    "laughs in svg": ("a.svg", f"{LAUGHS}<svg>&a11;</svg>".encode),
    "a million pages": ("a.pdf", lambda: pages(f"<< /Type /Pages /Count 1000000 /Kids [{'3 0 R ' * 100}] >>")),
    "pages in a loop": ("a.pdf", lambda: pages("<< /Type /Pages /Count 9 /Kids [2 0 R 2 0 R] >>")),
    "deep arrays": ("a.pdf", deep_pdf),
    "deep JSON": ("a.json", lambda: b"[" * 100_000 + b"]" * 100_000),
    "deep JSON without a name": ("", lambda: b'{"a":' * 100_000),
    "deep HTML": ("a.html", lambda: b"<div>" * 1_000_000),
    "wide CSV": ("a.csv", lambda: b"\n".join([b",".join(b"column %d" % i for i in range(10_000))] * 5)),
    "many parts": ("a.eml", lambda: many_parts(10_000)),
    "deep mail": ("a.eml", lambda: nested_mail(200)),
    "a huge picture": ("a.png", lambda: png(60_000, 60_000)),
    "a long output": ("a.ipynb", lambda: notebook(25_000_000)),
    "a long line": ("a.txt", lambda: b"word " * 10_000_000),
    "comments without end": ("a.html", lambda: b"<!---->" * 9000 + b"x"),
    "deep quotes": ("a.md", lambda: b"> " * 20_000 + b"x"),
    "brackets": ("b.md", lambda: b"[" * 50_000 + b"x"),
    "stars": ("c.md", lambda: b"*a _b " * 20_000),
    "deep code": ("a.py", lambda: b"(" * 100_000),
    "deep YAML": ("a.md", lambda: b"---\na: " + b"[" * 20_000 + b"\n---\ntext"),
    "YAML aliases": ("d.md", aliases),
    "a deep list": ("a.rst", lambda: b"".join(b" " * i + b"- x\n" for i in range(1000))),
    "AsciiDoc includes": ("a.adoc", lambda: b"= T\n\ninclude::/etc/passwd[]\n\ntext\n" + b"|===\n" * 5000),
    "binary": ("a.txt", lambda: bytes(range(256)) * 100),
    "binary as code": ("a.py", lambda: bytes(range(256)) * 100),
    "a picture that is a page": ("a.gif", lambda: b"GIF89a=1;//" + b"<html><script>alert(1)</script></html>"),
    "a PDF that is an archive": ("a.pdf", lambda: pages("<< >>") + packed(**{WORD: b"<x/>"})),
}  # fmt: skip


async def test_made_to_harm(tmp_path: Path) -> None:
    wrong = {}
    async with parsers(LIMITS) as pool:
        (tmp_path / "first").write_text("hello")
        await pool.parse(tmp_path / "first", name="a.txt", media_type=None)
        for what, (name, make) in MADE.items():
            path = tmp_path / "file"
            path.write_bytes(await asyncio.to_thread(make))
            begun = time.monotonic()
            try:
                outcome = repr((await pool.parse(path, name=name or None, media_type=None)).text[:50])
            except Problem as problem:
                outcome = f"{type(problem).__name__}: {problem.detail}"
                if isinstance(problem, ParserLimit) and problem.extra["limit"] == "time":
                    wrong[what] = outcome
            seconds = time.monotonic() - begun
            if "failed on this file" in outcome or outcome.startswith("Unavailable") or seconds > LONG:
                wrong[what] = f"{seconds:.1f} {outcome}"
    assert wrong == {}


def test_white_space_is_read_in_pieces() -> None:
    with pytest.raises(FileEmpty):
        parsed(b" \n" * 5_000_000, name="a.txt", file_bytes=1000)


def test_texts_about_pdf_are_texts() -> None:
    assert parsed(b"# PDF\n\nA file begins with %PDF-1.7.", name="a.md").media_type == "text/markdown"
    assert parsed(b'MAGIC = b"%PDF-"\n', name="a.txt").media_type == "text/plain"


def test_a_pdf_behind_junk_is_a_pdf(pdf: Callable[..., bytes]) -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\n" + pdf([[(12, 50, 700, "Found.")]])
    assert parsed(data, name="a.txt").text.strip() == "Found."
