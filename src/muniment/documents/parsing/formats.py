"""Which format a file is in: by its content first, then by its name and media type."""

import re
from pathlib import PurePath
from typing import Literal

from muniment.documents.contract import FileBroken, FormatUnknown

Format = Literal["pdf", "html", "markdown", "plain"]
SUPPORTED = "plain text, Markdown, HTML and PDF"
MEDIA_TYPES: dict[Format, str] = {
    "pdf": "application/pdf",
    "html": "text/html",
    "markdown": "text/markdown",
    "plain": "text/plain",
}
_SUFFIXES: dict[str, Format] = {
    ".pdf": "pdf",
    ".html": "html", ".htm": "html", ".xhtml": "html",
    ".md": "markdown", ".markdown": "markdown", ".mdown": "markdown", ".mkd": "markdown", ".mdx": "markdown",
    ".txt": "plain", ".text": "plain", ".log": "plain",
}  # fmt: skip
_TYPES: dict[str, Format] = {
    **{media_type: form for form, media_type in MEDIA_TYPES.items()},
    "application/xhtml+xml": "html",
    "text/x-markdown": "markdown",
}
_OTHERS = {
    ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".ipynb", ".eml", ".mbox", ".rtf", ".svg", ".xml",
    ".docx", ".pptx", ".xlsx", ".doc", ".ppt", ".xls", ".odt", ".ods", ".odp", ".epub",
}  # fmt: skip
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or encrypted Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"%!PS", "a PostScript document"),
)
_PDF_WITHIN = 1024
_HTML = re.compile(
    rb"(?:\s|\xef\xbb\xbf|<!--.{0,4000}?-->|<\?xml[^>]{0,200}>)*<(?:!doctype html|html|head|body)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_MARKDOWN = re.compile(rb"\A(?:\xef\xbb\xbf)?---[ \t]*\r?\n|^#{1,6}[ \t]+\S", re.MULTILINE)


def tell(data: bytes, name: str | None, media_type: str | None) -> Format:
    """The file's format.

    Raises FormatUnknown, or FileBroken when it claims to be a PDF and is none.
    """
    if b"%PDF-" in data[:_PDF_WITHIN]:
        return "pdf"
    for magic, what in _MAGIC:
        if data.startswith(magic):
            raise _unknown(f"this is {what}")
    suffix = PurePath(name or "").suffix.lower()
    said = _TYPES.get((media_type or "").partition(";")[0].strip().lower())
    claimed = _SUFFIXES.get(suffix) or said
    if claimed == "pdf" and said in {None, "pdf"}:
        raise FileBroken("the file claims to be a PDF but does not begin like one; export it anew")
    if claimed == "pdf":
        claimed = said  # Text given as text may be kept under any name.
    if suffix in _OTHERS:
        raise _unknown(f"files of type {suffix} are not read yet")
    if _HTML.match(data[:8192]):
        return "html"
    return claimed or ("markdown" if _MARKDOWN.search(data[:65536]) and not suffix else "plain")


def _unknown(why: str) -> FormatUnknown:
    return FormatUnknown(f"{why}; what is read now: {SUPPORTED}")
