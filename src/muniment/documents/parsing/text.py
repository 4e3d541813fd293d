"""From bytes to text that every engine can keep."""

import codecs
import re

from muniment.documents.contract import NotText

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_LETTERS = re.compile(r"[A-Za-z]")
_FEW = 500
"""One broken byte in so many characters is damage, more is another encoding."""

_CURE = "save it as UTF-8 and upload that"


def decode(data: bytes, declared: str | None = None) -> str:
    """The text in `data`: by byte order mark, as UTF-8, as `declared`, or as what is most plausible.

    Raises NotText.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return normal(_strictly(data[len(mark) :], encoding))
    if b"\x00" in data:
        raise NotText("the file holds zero bytes: it is no text file, or one in an unmarked encoding; " + _CURE)
    try:
        return normal(data.decode())
    except UnicodeDecodeError:
        if declared:
            return normal(_strictly(data, declared))
        return normal(_damaged(data) or _western(data))


def _strictly(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as broken:
        raise NotText(f"the file says it is {encoding}, but byte {broken.start} does not fit; {_CURE}") from broken
    if "\x00" in text:
        raise NotText("the file holds U+0000: it is no text file; " + _CURE)
    return text


def _damaged(data: bytes) -> str | None:
    """UTF-8 with a few broken bytes, each of them marked; null when it is rather something else."""
    text = data.decode(errors="replace")
    broken = text.count("\ufffd")
    whole = sum(not c.isascii() for c in text) - broken
    return text if broken < whole and broken * _FEW <= len(text) else None


def _western(data: bytes) -> str:
    """Windows-1252, if the outcome reads like a Western language: nearly all else decodes, too, as gibberish."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as broken:
        raise NotText("the bytes are text in no encoding known here; " + _CURE) from broken
    foreign = sum(not c.isascii() for c in text)
    plain = len(_LETTERS.findall(text))
    if _CONTROLS.search(text) or foreign > plain / 2:
        raise NotText("the bytes are text in no encoding known here; " + _CURE)
    return text


def normal(text: str) -> str:
    r"""The text with `\n` for every line end, without U+0000, byte order marks, and halves of surrogate pairs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").lstrip("\ufeff")
    return _SURROGATES.sub("\ufffd", text) if not text.isascii() else text
