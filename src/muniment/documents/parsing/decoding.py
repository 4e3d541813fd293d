"""From bytes to text that every engine can keep."""

import codecs
import re

from muniment.documents.parsing.encodings import legacy, stateful, unmarked
from muniment.documents.shapes.problems import NotText

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_SAID: dict[str, str] = {
    "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252",
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "x-sjis": "cp932", "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949", "iso-8859-9": "cp1254", "iso-8859-8-i": "iso8859_8", "x-gbk": "gb18030",
}  # fmt: skip
"""What is meant by names of encodings: their successors, which hold more letters."""

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
        wide = unmarked(data)
        if wide is None:
            raise NotText(
                "the file is binary (it holds zero bytes), in no format that is read; if it is text, " + _CURE
            )
        return normal(_strictly(data, wide))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return normal(_said(data, declared) or _damaged(data, "utf-8") or _guessed(data))
    japanese = stateful(data) if "\x1b" in text else None
    return normal((japanese and _damaged(data, japanese)) or text)


def _strictly(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as broken:
        raise NotText(f"the file says it is {encoding}, but byte {broken.start} does not fit; {_CURE}") from broken
    if "\x00" in text:
        raise NotText("the file holds U+0000: it is no text file; " + _CURE)
    return text


def _said(data: bytes, declared: str | None) -> str | None:
    """The text as the file says it is encoded; null when that is nothing known, or not true."""
    name = _SAID.get((declared or "").strip().lower(), declared or "")
    try:
        return _damaged(data, name)
    except (LookupError, ValueError):
        return None


def _damaged(data: bytes, encoding: str) -> str | None:
    """The text, with a few broken bytes, each of them marked; null when it is rather something else."""
    text = data.decode(encoding, errors="replace")
    broken = text.count("\ufffd")
    whole = sum(not c.isascii() for c in text) - broken
    return text if not broken or (broken < whole and broken * _FEW <= len(text)) else None


def _guessed(data: bytes) -> str:
    encoding = unmarked(data) or legacy(data)
    text = _damaged(data, encoding) if encoding else None
    if text is None:
        raise NotText("the bytes are text in no encoding that can be told for sure; " + _CURE)
    return text


def normal(text: str) -> str:
    r"""The text with `\n` for every line end, without U+0000, byte order marks, and halves of surrogate pairs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").lstrip("\ufeff")
    return _SURROGATES.sub("\ufffd", text) if not text.isascii() else text
