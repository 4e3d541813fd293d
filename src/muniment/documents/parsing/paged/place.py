"""Where the text of a PDF's page is drawn: pieces of lines with their boxes, and boxes of parts of them."""

import ctypes
import re
import sys
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Self

import pypdfium2  # type: ignore[import-untyped]  # it ships none
from pypdfium2 import raw

from muniment.documents.parsing.model import Boxes, Drawn
from muniment.documents.shapes.problems import FileBroken, FileEncrypted

Box = tuple[float, float, float, float]
"""Left, bottom, right and top, or fractions of a page from its top left."""

_NOWHERE = (0.0, 0.0, 0.0, 0.0)
CUT, _HYPHEN = "\ufffe", "\x02"
"""Stand for the hyphen at whose place pdfium put two lines together."""

_WIDE_GAP = 0.9
"""A gap of so many heights between two words lies between columns or cells."""

_LEAST_GAP = 3.6
_WORD = re.compile(r"[^\s\ufffe]+\ufffe?")
_box_of = raw.FPDFText_GetLooseCharBox
_FONT_NAME_BYTES = 96
_FORCE_BOLD = 1 << 18
_BOLD = re.compile(rb"bold|black|heavy", re.IGNORECASE)
_SURROGATES, _LOW_HALVES = range(0xD800, 0xE000), range(0xDC00, 0xE000)
_SPELLING: dict[int, str] = {
    **dict.fromkeys((*range(0x01, 0x20), 0x7F, 0xA0), " "),
    **dict.fromkeys((0x00, 0xFEFF), ""),
    **dict.fromkeys(_SURROGATES, "\ufffd"),
    **str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", CUT: "-"}),
}  # fmt: skip


class View(NamedTuple):
    """What is seen of a page: the part of its plane, turned clockwise by so many quarters."""

    left: float
    bottom: float
    right: float
    top: float
    turn: int

    @classmethod
    def of(cls, page: pypdfium2.PdfPage) -> Self:
        """As a viewer shows it."""
        left, bottom, right, top = page.get_bbox()
        return cls(left, bottom, right, top, page.get_rotation() // 90)

    def turned(self, quarters: int) -> "View":
        """The same, turned further."""
        return self._replace(turn=(self.turn + quarters) % 4)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height as seen, in points."""
        width, height = self.right - self.left, self.top - self.bottom
        return (height, width) if self.turn % 2 else (width, height)

    def seen(self, box: Box) -> Box:
        """A box of the page's plane as seen, in points from the lower left."""
        left, bottom, right, top = box
        if self.turn == 0:
            return left - self.left, bottom - self.bottom, right - self.left, top - self.bottom
        if self.turn == 1:
            return bottom - self.bottom, self.right - right, top - self.bottom, self.right - left
        if self.turn == 2:  # noqa: PLR2004 - two quarters
            return self.right - right, self.top - top, self.right - left, self.top - bottom
        return self.top - top, left - self.left, self.top - bottom, right - self.left

    def fractions(self, box: Box) -> Box:
        """A box of the page's plane in fractions of what is seen, from its top left."""
        (left, bottom, right, top), (width, height) = self.seen(box), self.size
        if width <= 0 or height <= 0:
            return 0.0, 0.0, 0.0, 0.0
        return (
            _fraction(left / width), _fraction(1 - top / height),
            _fraction(right / width), _fraction(1 - bottom / height),
        )  # fmt: skip


def _fraction(part: float) -> float:
    return 0.0 if part < 0 else 1.0 if part > 1 else round(part, 5)


class Piece(NamedTuple):
    """Words of a line that stand close together, in the page's plane.

    `first` and `size` are the index and the height of the first character, `line` counts the lines as they come
    in the file, `cut` says that pdfium knows the last word to go on in the next piece.
    """

    text: str
    box: Box
    first: int
    line: int
    start: Box
    end: Box
    bold: bool
    cut: bool


class Characters:
    """The characters of a page in the order of the file, by the index that pdfium gives them."""

    def __init__(self, page: pypdfium2.PdfTextPage) -> None:
        self._page, self._raw = page, page.raw
        self._rectangle = raw.FS_RECTF()
        self._pointer = ctypes.byref(self._rectangle)
        self._font, self._flags = ctypes.create_string_buffer(_FONT_NAME_BYTES), ctypes.c_int()
        self.text: str = page.get_text_range()
        self.index: Sequence[int] = range(len(self.text))
        if len(self.text) != page.count_chars():
            self._read_one_by_one()
        self.text = self.text.replace(_HYPHEN, CUT)

    def _read_one_by_one(self) -> None:
        text: list[str] = []
        index: list[int] = []
        for i in range(self._page.count_chars()):
            code = raw.FPDFText_GetUnicode(self._page, i)
            if code in _LOW_HALVES and text and ord(text[-1]) in _SURROGATES:
                text[-1] = (text[-1] + chr(code)).encode("utf-16", "surrogatepass").decode("utf-16")
                continue
            text.append(chr(code) if code <= sys.maxunicode else "\ufffd")
            index.append(i)
        self.text, self.index = "".join(text), index

    def box(self, at: int) -> Box:
        """The box of a character of `text`, as high as its font."""
        rectangle = self._rectangle
        _box_of(self._raw, self.index[at], self._pointer)
        return rectangle.left, rectangle.bottom, rectangle.right, rectangle.top

    def is_bold(self, at: int) -> bool:
        """Whether a character of `text` is set in bold."""
        raw.FPDFText_GetFontInfo(self._raw, self.index[at], self._font, _FONT_NAME_BYTES, self._flags)
        return bool(self._flags.value & _FORCE_BOLD) or _BOLD.search(self._font.value) is not None

    def pieces(self) -> Iterator[Piece]:
        """All text of the page: lines, apart where there is a wide gap within them."""
        start = 0
        for number, line in enumerate(self.text.split("\n")):
            yield from self._pieces_of(line, start, number)
            start += len(line) + 1

    def _pieces_of(self, line: str, offset: int, number: int) -> Iterator[Piece]:
        text, box_of = self.text, self.box
        begun: tuple[int, Box] | None = None
        last, end, whole = 0, _NOWHERE, _NOWHERE
        for found in _WORD.finditer(line):
            at = offset + found.start()
            box = box_of(at)
            if begun is not None and (text[last] == CUT or _apart(end, box)):
                yield self._piece(*begun, last, end, around(whole, end), number)
                begun = None
            if begun is None:
                begun, whole = (at, box), box
            elif box[3] > whole[3] or box[1] < whole[1] or box[0] < whole[0]:
                whole = around(whole, box)
            last = offset + found.end() - 1
            end = box if last == at else box_of(last)
        if begun is not None:
            yield self._piece(*begun, last, end, around(whole, end), number)

    def _piece(self, first: int, start: Box, last: int, end: Box, box: Box, number: int) -> Piece:
        return Piece(
            text=spelled(self.text[first : last + 1]),
            box=box,
            first=self.index[first],
            line=number,
            start=start,
            end=end,
            bold=self.is_bold(first) and self.is_bold(last),
            cut=self.text[last] == CUT,
        )


def _apart(before: Box, after: Box) -> bool:
    """Whether there is a wide gap between two boxes, in whatever direction the line runs."""
    left, bottom, right, top = before
    next_left, next_bottom, next_right, next_top = after
    high, across = top - bottom, next_left - right
    if -high < across <= _LEAST_GAP and next_bottom < top and bottom < next_top:
        return False  # by far the most words: quickly
    across = max(across, left - next_right)
    along = max(next_bottom - top, bottom - next_top)
    size = min(high, right - left) if along > across else high
    return max(across, along) > max(_WIDE_GAP * size, _LEAST_GAP)


def around(a: Box, b: Box) -> Box:
    """The box around two."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def spelled(text: str) -> str:
    """Text of a PDF as it is read: ligatures as letters, one space between words."""
    return " ".join(text.translate(_SPELLING).split())


def spelling(text: str) -> tuple[str, list[int]]:
    """The same as `spelled`, and from which character each of its characters comes."""
    out: list[str] = []
    origin: list[int] = []
    for at, character in enumerate(text):
        for letter in character.translate(_SPELLING):
            if not letter.isspace() or (out and out[-1] != " "):
                out.append(" " if letter.isspace() else letter)
                origin.append(at)
    kept = len("".join(out).rstrip())
    return "".join(out[:kept]), origin[:kept]


def open_pdf(path: Path) -> pypdfium2.PdfDocument:
    """The document.

    Raises FileBroken, FileEncrypted.
    """
    try:
        document = pypdfium2.PdfDocument(path)
        if len(document) == 0:
            raise FileBroken("the PDF has no page; export it anew and upload that")
    except pypdfium2.PdfiumError as failed:
        if raw.FPDF_GetLastError() in {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}:
            raise FileEncrypted("the PDF is protected by a password; upload an unprotected copy") from failed
        raise FileBroken("the PDF is damaged or cut short; export it anew and upload that") from failed
    return document


def boxes(path: Path, drawn: Sequence[Drawn]) -> Boxes:
    """Where parts of lines are drawn, exact to the character.

    Raises FileBroken, FileEncrypted.
    """
    document = open_pdf(path)
    found: list[Box] = []
    try:
        for number, parts in groupby(drawn, key=lambda part: part.page):
            page: Any = document[number - 1]
            view, characters = View.of(page), Characters(page.get_textpage())
            found += [view.fractions(_part(characters, part)) for part in parts]
    except pypdfium2.PdfiumError as failed:
        raise FileBroken("the PDF is damaged or cut short; export it anew and upload that") from failed
    return Boxes(boxes=tuple(found))


def _part(characters: Characters, part: Drawn) -> Box:
    at = characters.index.index(part.first)
    text, origin = spelling(characters.text[at : at + 4 * part.end + 16])
    wanted = {origin[i] for i in range(part.start, min(part.end, len(text))) if not text[i].isspace()}
    found = [characters.box(at + i) for i in sorted(wanted)]
    return reduce(around, found or [characters.box(at)])
