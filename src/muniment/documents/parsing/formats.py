"""Which format a file is in: by its content first, then by its name and media type."""

import json
import re
from pathlib import PurePath
from typing import Literal, get_args
from zipfile import BadZipFile, ZipFile

from muniment.documents.contract import FileBroken, FileEncrypted, FormatUnknown
from muniment.documents.parsing.source import Source

Format = Literal[
    "pdf", "html", "markdown", "plain", "docx", "pptx", "xlsx", "csv", "json", "jsonl", "eml", "code", "ipynb",
    "asciidoc", "rst", "epub", "image",
]  # fmt: skip
CODE_SUFFIXES: dict[str, str] = {
    ".py": "python", ".pyi": "python", ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript",
    ".jsx": "javascript", ".ts": "typescript", ".mts": "typescript", ".tsx": "tsx", ".go": "go", ".java": "java",
    ".kt": "kotlin", ".kts": "kotlin", ".scala": "scala", ".rs": "rust", ".c": "c", ".h": "c", ".cc": "cpp",
    ".cpp": "cpp", ".cxx": "cpp", ".hpp": "cpp", ".hh": "cpp", ".hxx": "cpp", ".cs": "csharp", ".rb": "ruby",
    ".php": "php", ".swift": "swift", ".sh": "bash", ".bash": "bash", ".zsh": "bash", ".ps1": "powershell",
    ".sql": "sql", ".lua": "lua", ".r": "r", ".jl": "julia", ".pl": "perl", ".pm": "perl", ".ex": "elixir",
    ".exs": "elixir", ".hs": "haskell", ".clj": "clojure", ".dart": "dart", ".proto": "proto", ".tf": "hcl",
    ".hcl": "hcl", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".ini": "ini", ".cfg": "ini",
    ".conf": "ini", ".properties": "ini", ".xml": "xml", ".xsd": "xml", ".css": "css", ".scss": "css",
    ".vue": "vue", ".svelte": "svelte", ".graphql": "graphql", ".gradle": "groovy", ".groovy": "groovy",
}  # fmt: skip
"""The programming language that a name stands for."""

_CODE_NAMES = {"dockerfile": "dockerfile", "makefile": "make", "jenkinsfile": "groovy", "cmakelists.txt": "cmake"}
_SUFFIXES: dict[str, Format] = {
    ".pdf": "pdf", ".html": "html", ".htm": "html", ".xhtml": "html",
    ".md": "markdown", ".markdown": "markdown", ".mdown": "markdown", ".mkd": "markdown", ".mdx": "markdown",
    ".txt": "plain", ".text": "plain", ".log": "plain",
    ".docx": "docx", ".docm": "docx", ".dotx": "docx", ".pptx": "pptx", ".pptm": "pptx", ".ppsx": "pptx",
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "jsonl",
    ".ndjson": "jsonl", ".eml": "eml", ".ipynb": "ipynb", ".adoc": "asciidoc", ".asciidoc": "asciidoc",
    ".asc": "asciidoc", ".rst": "rst", ".rest": "rst", ".epub": "epub", ".png": "image", ".jpg": "image",
    ".jpeg": "image", ".gif": "image", ".tif": "image", ".tiff": "image", ".webp": "image", ".bmp": "image",
    **dict.fromkeys(CODE_SUFFIXES, "code"),
}  # fmt: skip
_OFFICE = "application/vnd.openxmlformats-officedocument"
MEDIA_TYPES: dict[Format, str] = {
    "pdf": "application/pdf", "html": "text/html", "markdown": "text/markdown", "plain": "text/plain",
    "docx": f"{_OFFICE}.wordprocessingml.document", "pptx": f"{_OFFICE}.presentationml.presentation",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet", "csv": "text/csv", "json": "application/json",
    "jsonl": "application/jsonl", "eml": "message/rfc822", "code": "text/x-source",
    "ipynb": "application/x-ipynb+json", "asciidoc": "text/asciidoc", "rst": "text/x-rst",
    "epub": "application/epub+zip", "image": "image/*",
}  # fmt: skip
_TYPES: dict[str, Format] = {
    **{media_type: form for form, media_type in MEDIA_TYPES.items()},
    "application/xhtml+xml": "html", "text/x-markdown": "markdown", "text/tab-separated-values": "csv",
    "application/x-ndjson": "jsonl", "application/json-lines": "jsonl",
}  # fmt: skip
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*", b"BM")
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"{\\rtf", "an RTF document: save it as .docx"),
    (b"\x1f\x8b", "a gzip archive: unpack it and add the files in it"),
    (b"BZh", "a bzip2 archive: unpack it and add the files in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it and add the files in it"),
    (b"\xfd7zXZ", "an xz archive: unpack it and add the files in it"),
    (b"Rar!", "a RAR archive: unpack it and add the files in it"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3\x00", "a SQLite database: export its tables as CSV"),
    (b"%!PS", "a PostScript document: make a PDF of it"),
)
_BINARY: frozenset[Format] = frozenset({"pdf", "docx", "pptx", "xlsx", "epub", "image"})
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_PDF_WITHIN = 1024
_HTML = re.compile(
    rb"(?:\s|\xef\xbb\xbf|<!--.{0,4000}?-->|<\?xml[^>]{0,200}>)*<(?:!doctype html|html|head|body)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_MARKDOWN = re.compile(rb"\A(?:\xef\xbb\xbf)?---[ \t]*\r?\n|^#{1,6}[ \t]+\S", re.MULTILINE)
_EMAIL = re.compile(
    rb"\A(?:(?:From|To|Cc|Subject|Date|Message-ID|MIME-Version|Received|Return-Path|Delivered-To|Reply-To|"
    rb"Content-Type|X-[\w-]+):[^\n]*\n(?:[ \t][^\n]*\n)*){3}",
    re.IGNORECASE,
)


def tell(source: Source) -> Format:
    """The file's format.

    Raises FormatUnknown, or FileBroken when it claims to be what it does not begin like, or FileEncrypted.
    """
    found = _by_content(source)
    if found is not None:
        return found
    claimed = _by_name(source)
    said = _TYPES.get((source.media_type or "").partition(";")[0].strip().lower())
    if claimed in _BINARY:
        if said is None or said == claimed:
            raise FileBroken(
                f"the file is called a {claimed} but does not begin like one: it is damaged, cut short or "
                "wrongly named; export it anew and upload that"
            )
        claimed = None  # Text given as text may be kept under any name.
    if source.name is not None and PurePath(source.name).suffix.lower() == ".svg":
        raise FormatUnknown("this is a drawing (SVG); upload a picture or a PDF of it")
    if claimed not in {"code", "ipynb", "eml"} and _HTML.match(source.head):
        return "html"
    return claimed or (said if said not in _BINARY else None) or _by_look(source)


def unread(form: Format) -> FormatUnknown:
    """The problem of a format that nothing here reads."""
    return FormatUnknown(f"files of type {form} are not read; what is read: {', '.join(get_args(Format))}")


def _by_content(source: Source) -> Format | None:
    head = source.head
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _in_archive(source)
    if head.startswith(_OLE):
        raise _old_office(source)
    if head.startswith(_IMAGES[:-1]) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return "image"
    if head.startswith(_IMAGES[-1]) and b"\x00" in head[:64]:
        return "image"
    for magic, what in _MAGIC:
        if head.startswith(magic) and (len(magic) > 2 or b"\x00" in head):  # noqa: PLR2004 - two letters begin text, too
            raise FormatUnknown(f"this is {what}")
    if head.startswith(b"PK\x05\x06"):
        raise FormatUnknown("this is an empty ZIP archive")
    return None


def _in_archive(source: Source) -> Format:
    try:
        with ZipFile(source.path) as archive:
            names = frozenset(archive.namelist())
            kind = archive.read("mimetype")[:80] if "mimetype" in names else b""
    except (BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError) as failed:
        raise FileBroken("the file is a damaged or cut short archive; save it anew and upload that") from failed
    if kind.startswith(b"application/epub+zip"):
        return "epub"
    if kind.startswith(b"application/vnd.oasis.opendocument"):
        raise FormatUnknown("this is an OpenDocument file: save it as .docx, .pptx or .xlsx")
    marks: tuple[tuple[str, Format], ...] = (
        ("word/document.xml", "docx"), ("ppt/presentation.xml", "pptx"), ("xl/workbook.xml", "xlsx"),
    )  # fmt: skip
    for name, form in marks:
        if name in names:
            return form
    if "[Content_Types].xml" in names:
        raise FileBroken("the Office document lacks its main part; save it anew and upload that")
    raise FormatUnknown("this is a ZIP archive: unpack it and add the files in it")


def _old_office(source: Source) -> FileEncrypted | FormatUnknown:
    if _ENCRYPTED in source.data:
        return FileEncrypted("the Office document is protected by a password; upload an unprotected copy")
    return FormatUnknown("this is an old Office document: save it as .docx, .pptx or .xlsx")


def _by_name(source: Source) -> Format | None:
    path = PurePath(source.name or "")
    if path.name.lower() in _CODE_NAMES:
        return "code"
    return _SUFFIXES.get(path.suffix.lower())


def _by_look(source: Source) -> Format:
    """What nameless text most probably is."""
    head = source.head
    if _EMAIL.match(head):
        return "eml"
    if head.lstrip()[:1] in {b"{", b"["} and _is_json(source):
        return "json"
    if head.startswith(b"#!"):
        return "code"
    return "markdown" if _MARKDOWN.search(head) and not PurePath(source.name or "").suffix else "plain"


def _is_json(source: Source) -> bool:
    try:
        json.loads(source.data)
    except (ValueError, RecursionError):
        return False
    return True


def programming_language(name: str | None) -> str | None:
    """The language that a file's name stands for."""
    path = PurePath(name or "")
    return _CODE_NAMES.get(path.name.lower()) or CODE_SUFFIXES.get(path.suffix.lower())
