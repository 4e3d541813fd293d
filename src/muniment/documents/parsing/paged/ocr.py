"""Text in pictures, read by the program Tesseract where it is installed."""

import ctypes
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from statistics import fmean, median
from typing import Any, NamedTuple

from pydantic import JsonValue

from muniment.documents.parsing.paged.layout import Line, Mark
from muniment.documents.parsing.source import Source
from muniment.documents.shapes.problems import FileBroken, OcrMissing, ParserLimit

LEAST_CONFIDENCE = 30.0
"""Of 100; words below it are mostly specks and drawings."""

_PAGE_SECONDS = 50.0
_MOST_PIXELS = 20_000_000
_SMALL_SIDE = 1200
_PR_SET_PDEATHSIG = 1
_COLUMNS = 12
_POINTS = 842.0
"""The height that a page is taken to have, so that letters have sizes as in a PDF."""


class _Word(NamedTuple):
    """A word in pixels from the top left."""

    text: str
    line: tuple[int, int, int]
    left: int
    top: int
    width: int
    height: int
    confidence: float


def tesseract() -> str | None:
    """The program, if it is installed."""
    return shutil.which("tesseract")


def require_tesseract(what: str) -> None:
    """Raises OcrMissing."""
    if tesseract() is None:
        raise OcrMissing(
            f"{what}, and Tesseract, which reads such, is not installed: install it (for example: apt install "
            "tesseract-ocr) and try again, or upload a copy with text"
        )


class Reading:
    """Reads the pages of one file, within the time that all of them have together."""

    def __init__(self, source: Source) -> None:
        self._languages, self._seconds = source.limits.ocr_languages, source.limits.ocr_seconds
        self._more_time = source.more_time
        self._until = time.monotonic() + self._seconds
        self._confidences: list[float] = []

    def lines(self, picture: Any) -> list[Line]:
        """The lines that are seen in a Pillow image, in reading order.

        Raises ParserLimit, OcrMissing when a language is not installed.
        """
        if time.monotonic() > self._until:
            raise ParserLimit(
                f"reading the pictures of the file took longer than {self._seconds:g} seconds; split it into "
                "smaller ones",
                limit="time",
            )
        self._more_time(_PAGE_SECONDS)
        picture = _fit(picture.convert("L"))
        out = BytesIO()
        picture.save(out, "PPM")
        words = words_of(_run(out.getvalue(), self._languages))
        self._confidences += [word.confidence for word in words]
        return lines_of(words, *picture.size)

    @property
    def metadata(self) -> dict[str, JsonValue]:
        """That pictures were read, and how sure the reading is, from 0 to 100."""
        sure = round(fmean(self._confidences), 1) if self._confidences else 0.0
        return {"ocr": True, "ocr_confidence": sure}


def _fit(picture: Any) -> Any:
    """In a size that is read well: neither tiny letters, nor more pixels than help."""
    width, height = picture.size
    scale = math.sqrt(_MOST_PIXELS / (width * height))
    if scale >= 1:
        scale = 2.0 if max(width, height) < _SMALL_SIDE else 1.0
    if scale == 1:
        return picture
    return picture.resize((max(round(width * scale), 1), max(round(height * scale), 1)))


def _run(picture: bytes, languages: str) -> str:
    program = tesseract()
    assert program is not None
    environment = {k: os.environ[k] for k in ("PATH", "TESSDATA_PREFIX") if k in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - the program is the one on the operator's PATH
            [program, "stdin", "stdout", "-l", languages, "tsv"],
            input=picture,
            capture_output=True,
            timeout=_PAGE_SECONDS,
            env={**environment, "OMP_THREAD_LIMIT": "1"},
            preexec_fn=_die_together(),
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise ParserLimit(
            f"reading the picture of a page took longer than {_PAGE_SECONDS:g} seconds; upload a copy with text",
            limit="time",
        ) from late
    if done.returncode:
        raise _failed(done.stderr.decode(errors="replace"), languages)
    return done.stdout.decode(errors="replace")


def _die_together() -> Callable[[], None] | None:
    """What keeps the program from going on when this process is killed."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return bind


def _failed(said: str, languages: str) -> OcrMissing | FileBroken:
    if "loading language" in said or "couldn't load any languages" in said:
        return OcrMissing(
            f"Tesseract is installed, but not its languages {languages}: install them (for example: apt install "
            "tesseract-ocr-deu for deu) or change parser_ocr_languages, and try again"
        )
    return FileBroken("Tesseract cannot read the picture; save it anew and upload that")


def words_of(table: str) -> list[_Word]:
    """The words in Tesseract's table (TSV) that it is sure enough of."""
    words = []
    for row in table.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) != _COLUMNS or cells[0] != "5":
            continue
        text, confidence = " ".join(cells[11].split()), float(cells[10])
        if text and confidence >= LEAST_CONFIDENCE:
            block, paragraph, line, _, left, top, width, height = (int(cell) for cell in cells[2:10])
            words.append(_Word(text, (block, paragraph, line), left, top, width, height, confidence))
    return words


def lines_of(words: Sequence[_Word], width: int, height: int) -> list[Line]:
    """Words as lines; those of nearly one size get the same height, as letters of a font have."""
    by_line: dict[tuple[int, int, int], list[_Word]] = {}
    for word in words:
        by_line.setdefault(word.line, []).append(word)
    sizes = [max(word.height for word in line) for line in by_line.values()]
    usual = median(sizes) if sizes else 0.0
    return [
        _line(line, width, height, usual if 0.6 * usual < size < 1.5 * usual else size)
        for line, size in zip(by_line.values(), sizes, strict=True)
    ]


def _line(words: Sequence[_Word], width: int, height: int, size: float) -> Line:
    scale, at = _POINTS / height, 0
    marks = []
    for word in words:
        x1, y1 = (word.left + word.width) / width, (word.top + word.height) / height
        place = tuple(round(min(edge, 1.0), 5) for edge in (word.left / width, word.top / height, x1, y1))
        marks.append(Mark(at, at + len(word.text), (place[0], place[1], place[2], place[3])))
        at += len(word.text) + 1
    return Line(
        text=" ".join(word.text for word in words),
        left=min(word.left for word in words) * scale,
        right=max(word.left + word.width for word in words) * scale,
        bottom=(height - max(word.top + word.height for word in words)) * scale,
        height=float(round(size * scale)),
        bold=False,
        marks=tuple(marks),
    )
