"""Which format a file is in: by its content first, then by its name and media type."""

import json
import re
import struct
import zlib
from pathlib import PurePath
from typing import Literal, get_args
from zipfile import BadZipFile, ZipFile

from muniment.documents.parsing.source import Source
from muniment.documents.shapes.problems import FileBroken, FileEncrypted, FormatUnknown

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
_UNPACK = "unpack it and add the files in it"
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"{\\rtf", "an RTF document: save it as .docx"),
    (b"\x1f\x8b", f"a gzip archive: {_UNPACK}"),
    (b"BZh", f"a bzip2 archive: {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive: {_UNPACK}"),
    (b"\xfd7zXZ", f"an xz archive: {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"a Zstandard archive: {_UNPACK}"),
    (b"Rar!\x1a\x07", f"a RAR archive: {_UNPACK}"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\x00asm", "a program"),
    (b"SQLite format 3\x00", "a SQLite database: export its tables as CSV"),
    (b"PAR1", "a Parquet table: export it as CSV"),
    (b"%!PS", "a PostScript document: make a PDF of it"),
    (b"8BPS", "a Photoshop picture: export it as PNG or PDF"),
    (b"ID3", "a sound recording: add what is said in it as text"),
    (b"OggS", "a sound recording: add what is said in it as text"),
    (b"fLaC", "a sound recording: add what is said in it as text"),
    (b"\x1aE\xdf\xa3", "a film: add what is said in it as text"),
)
_SHORT = 3
"""Magics up to this length begin some texts, too: such a file must hold a zero byte."""

_ISO_MEDIA: dict[bytes, str] = {
    b"heic": "a HEIC picture: export it as JPEG or PNG", b"avif": "an AVIF picture: export it as JPEG or PNG",
}  # fmt: skip
_MAIN_PARTS: tuple[tuple[str, Format], ...] = (
    ("word/document.xml", "docx"), ("ppt/presentation.xml", "pptx"), ("xl/workbook.xml", "xlsx"),
)  # fmt: skip
_BINARY: frozenset[Format] = frozenset({"pdf", "docx", "pptx", "xlsx", "epub", "image"})
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_HEADER = 512
_WORD, _SHEETS, _LOCKED_SHEETS = b"\xec\xa5", b"\x09\x08", 0x2F
_WORD_FLAGS, _WORD_LOCKED = 11, 0x01
_SEALED = tuple(name.encode("utf-16-le") for name in ("EncryptedPackage", "EncryptedSummary"))
_OLD: tuple[tuple[str, str], ...] = (
    ("WordDocument", "an old Word document: save it as .docx"),
    ("Workbook", "an old workbook: save it as .xlsx"),
    ("PowerPoint Document", "an old presentation: save it as .pptx"),
    ("__substg1.0_", "an Outlook message: save it as .eml"),
)
_OPEN_DOCUMENTS: dict[bytes, str] = {b"text": ".docx", b"spreadsheet": ".xlsx", b"presentation": ".pptx"}
_PDF_WITHIN = 1024
_MOST_JSON = 10_000_000
"""Larger ones are taken for JSON by their name only."""

_MARKUP = frozenset({"php", "vue", "svelte"})
"""Languages whose files may begin like a page."""

_ROOT = re.compile(
    rb"(?>\s|\xef\xbb\xbf|<!--.{0,4000}?-->|<\?xml[^>]{0,200}>)*+<(!doctype html|html|head|body|svg)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_MARKDOWN = re.compile(rb"\A(?:\xef\xbb\xbf)?---[ \t]*\r?\n|^#{1,6}[ \t]+\S", re.MULTILINE)
_EMAIL = re.compile(
    rb"\A(?:(?:From|To|Cc|Subject|Date|Message-ID|MIME-Version|Received|Return-Path|Delivered-To|Reply-To|"
    rb"Content-Type|X-[\w-]+):[^\n]*\n(?:[ \t][^\n]*\n)*){3}",
    re.IGNORECASE,
)


def tell(source: Source) -> Format:
    """The file's format: one reading for each file, however many it would bear.

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
                "wrongly named; export it anew and upload that, or name it .txt if it is text"
            )
        claimed = None  # Text given as text may be kept under any name.
    root = _root(source)
    if root == b"svg" or (source.name is not None and PurePath(source.name).suffix.lower() == ".svg"):
        raise FormatUnknown("this is a drawing (SVG); upload a picture or a PDF of it")
    if root and not (claimed == "code" and programming_language(source.name) in _MARKUP):
        return "html"
    return claimed or (said if said not in _BINARY else None) or _by_look(source)


def _root(source: Source) -> bytes | None:
    match = _ROOT.match(source.head)
    return match[1].lower() if match else None


def unread(form: Format) -> FormatUnknown:
    """The problem of a format that nothing here reads."""
    return FormatUnknown(f"files of type {form} are not read; what is read: {', '.join(get_args(Format))}")


def _by_content(source: Source) -> Format | None:
    head = source.head
    if head.startswith(b"PK\x03\x04"):
        return _in_archive(source)
    if head.startswith(_OLE):
        raise _old_office(source)
    if head.startswith(_IMAGES[:-1]) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return "image"
    if head.startswith(_IMAGES[-1]) and b"\x00" in head[:64]:
        return "image"
    if refused := _refused(head):
        raise FormatUnknown(f"this is {refused}")
    return "pdf" if _is_pdf(source) else None


def _refused(head: bytes) -> str | None:
    """What the file is, and what to do about it, where nothing here reads such."""
    for magic, what in _MAGIC:
        if head.startswith(magic) and (len(magic) > _SHORT or not magic.isascii() or b"\x00" in head):
            return what
    if head[4:8] == b"ftyp":
        return _ISO_MEDIA.get(head[8:12], "a film: add what is said in it as text")
    if head.startswith(b"RIFF") and head[8:12] in {b"WAVE", b"AVI "}:
        return "a recording: add what is said in it as text"
    if head[257:262] == b"ustar":
        return f"a tar archive: {_UNPACK}"
    return "an empty ZIP archive" if head.startswith(b"PK\x05\x06") else None


def _is_pdf(source: Source) -> bool:
    """Whether it begins as a PDF, or does so after some junk and ends as one; texts about PDF do neither."""
    at = source.head[:_PDF_WITHIN].find(b"%PDF-")
    if at < 0:
        return False
    return not source.head[:at].strip(b"\xef\xbb\xbf\x00 \t\r\n\f") or b"startxref" in source.tail


def _in_archive(source: Source) -> Format:
    try:
        with ZipFile(source.path) as archive:
            names = frozenset(archive.namelist())
            kind = b""
            if "mimetype" in names:
                with archive.open("mimetype") as member:
                    kind = member.read(80)
    except (BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError, zlib.error) as failed:
        raise FileBroken("the file is a damaged or cut short archive; save it anew and upload that") from failed
    if kind.startswith(b"application/epub+zip"):
        return "epub"
    if kind.startswith(b"application/vnd.oasis.opendocument"):
        what = kind.removeprefix(b"application/vnd.oasis.opendocument.").split(b"-")[0]
        better = _OPEN_DOCUMENTS.get(what, ".docx, .xlsx or .pptx")
        raise FormatUnknown(f"this is an OpenDocument file: save it as {better}, or as PDF")
    for name, form in _MAIN_PARTS:
        if name in names:
            return form
    if "xl/workbook.bin" in names:
        raise FormatUnknown("this is a binary workbook: save it as .xlsx")
    if "[Content_Types].xml" in names:
        raise FileBroken("the Office document lacks its main part; save it anew and upload that")
    raise FormatUnknown(f"this is a ZIP archive: {_UNPACK}")


def _old_office(source: Source) -> FileEncrypted | FormatUnknown:
    if _is_locked(source.head[_OLE_HEADER:]) or any(map(source.holds, _SEALED)):
        return FileEncrypted("the Office document is protected by a password; upload an unprotected copy")
    for stream, what in _OLD:
        if source.holds(stream.encode("utf-16-le")):
            return FormatUnknown(f"this is {what}")
    return FormatUnknown("this is an old Office document: save it as .docx, .pptx or .xlsx, without a password")


def _is_locked(stream: bytes) -> bool:
    """Whether the first stream, where a document mostly stands, says that it is encrypted."""
    if stream.startswith(_WORD):
        return len(stream) > _WORD_FLAGS and bool(stream[_WORD_FLAGS] & _WORD_LOCKED)
    at = 0
    while stream.startswith(_SHEETS) and at + 4 <= min(len(stream), _OLE_HEADER):
        kind, length = struct.unpack_from("<HH", stream, at)
        if kind == _LOCKED_SHEETS:
            return True
        at += 4 + length
    return False


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
    if source.size_bytes > _MOST_JSON:
        return False
    try:
        json.loads(source.data)
    except (ValueError, RecursionError):
        return False
    return True


def programming_language(name: str | None) -> str | None:
    """The language that a file's name stands for."""
    path = PurePath(name or "")
    return _CODE_NAMES.get(path.name.lower()) or CODE_SUFFIXES.get(path.suffix.lower())
