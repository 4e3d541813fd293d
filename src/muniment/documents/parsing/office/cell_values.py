"""Numbers of a sheet's cells as a person sees them: dates, percentages, amounts."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from xml.etree.ElementTree import Element

from muniment.documents.parsing.office.opc import at, whole

Shown = Callable[[float], str]
_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 18: "h:mm", 19: "h:mm:ss",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00",
    45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss",
    **dict.fromkeys((14, 15, 16, 17, *range(27, 37), *range(50, 59)), "yyyy-mm-dd"),
}  # fmt: skip
_TOKEN = re.compile(
    r"\"(?P<quoted>[^\"]*)\"|\\(?P<escaped>.)|_.|\*.|\[\$(?P<sign>[^\]-]*)[^\]]*\]|\[(?P<elapsed>[hms]+)\]|\[[^\]]*\]"
    r"|(?P<general>General)|AM/PM|A/P|(?P<digits>[0#?][0#?.,]*(?:E[+-]0+)?|\.[0#?]+)|(?P<percent>%)|(?P<text>@)"
    r"|(?P<time>[ymdhsegb]+)|(?P<other>.)",
    re.IGNORECASE,
)
_PART = re.compile(r"(?:\"[^\"]*\"|\\.|[^;\"])*")
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's times name no zone
_SINCE_1904 = 1462
_LEAP_ERROR = 60
"""Sheets count a 29 February 1900, which was none; what lies before is a day off."""

_LAST_DAY = 2_958_466
_MOST_DECIMALS = 15


class _Section(NamedTuple):
    """A format's part for positive, negative or no amounts."""

    before: str
    digits: str
    after: str
    percents: int
    times: str
    elapsed: str
    is_general: bool


def formats(styles: Element | None, *, since_1904: bool) -> list[Shown]:
    """How the numbers of each cell format are shown, by the format's place."""
    if styles is None:
        return []
    codes = {whole(said.get("numFmtId")): said.get("formatCode", "") for said in (at(styles, "x:numFmts") or ())}
    known: dict[str, Shown] = {}
    found = []
    for cell in at(styles, "x:cellXfs") or ():
        number = whole(cell.get("numFmtId"))
        code = codes.get(number) or _BUILT_IN.get(number, "General")
        if code not in known:
            known[code] = _shown(code, since_1904=since_1904)
        found.append(known[code])
    return found


def general(value: float) -> str:
    """A number without a format: no more digits than a cell shows."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.10g}"  # noqa: PLR2004 - exact up to there


def _shown(code: str, *, since_1904: bool) -> Shown:
    sections = [_section(said) for said in _parts(code[:256])][:3]
    if len(sections) == 1 and sections[0].is_general:
        return general

    def show(value: float) -> str:
        section = sections[0]
        if value < 0 and len(sections) > 1:
            section, value = sections[1], -value
        elif value == 0 and len(sections) > 2:  # noqa: PLR2004 - the third is for zero
            section = sections[2]
        if section.times or section.elapsed:
            return _moment(value, section, since_1904=since_1904)
        return _amount(value, section)

    return show


def _parts(code: str) -> Iterator[str]:
    """The parts between semicolons that stand for themselves in no quotation."""
    at = 0
    while at <= len(code):
        found = _PART.match(code, at)
        end = found.end() if found is not None else at
        yield code[at:end]
        if end < len(code) and code[end] != ";":
            return  # a quotation that does not end
        at = end + 1


def _section(code: str) -> _Section:
    before, after, digits, times, elapsed, percents, is_general = "", "", "", "", "", 0, False
    for found in _TOKEN.finditer(code):
        literal = found["quoted"] or found["escaped"] or found["sign"] or found["other"] or ""
        if found["percent"]:
            percents += 1
            literal = "%"
        if literal and not (digits or is_general):
            before += literal
        elif literal:
            after += literal
        digits = digits or found["digits"] or ""
        times += found["time"] or ""
        elapsed += found["elapsed"] or ""
        is_general = is_general or bool(found["general"] or found["text"])
    return _Section(before, digits, after, percents, times.lower(), elapsed.lower(), is_general)


def _amount(value: float, section: _Section) -> str:
    value *= 100**section.percents
    said = general(value) if section.is_general else _digits(value, section.digits)
    return f"{section.before}{said}{section.after}".strip()


def _digits(value: float, pattern: str) -> str:
    mantissa, _, exponent = pattern.upper().partition("E")
    if not mantissa:
        return ""
    units, _, decimals = mantissa.partition(".")
    most = min(sum(mark in "0#?" for mark in decimals), _MOST_DECIMALS)
    if exponent:
        return f"{value:.{most}E}"
    scaled = value / 1000 ** (len(mantissa) - len(mantissa.rstrip(",")))
    said = f"{scaled:{',' if ',' in units.rstrip(',') else ''}.{most}f}"
    for mark in reversed(decimals.rstrip(",")):
        if mark == "0" or not said.endswith("0"):
            break
        said = said[:-1]
    said = said.rstrip(".")
    least = units.count("0")
    sign, figures = ("-", said[1:]) if said.startswith("-") else ("", said)
    short = least - sum(figure.isdigit() for figure in figures.partition(".")[0])
    return sign + "0" * max(short, 0) + figures


def _moment(value: float, section: _Section, *, since_1904: bool) -> str:
    """A date or time; in the order of ISO 8601, which all read alike."""
    if section.elapsed:
        minutes, seconds = divmod(round(value * 86_400), 60)
        return f"{minutes // 60}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")
    days = value + _SINCE_1904 if since_1904 else value + (1 <= value < _LEAP_ERROR)
    if not 0 <= days < _LAST_DAY:
        return general(value)
    moment = _EPOCH + timedelta(seconds=round(days * 86_400))
    # Programs write dates as midnights.
    has_time = bool(set("hs").intersection(section.times)) and not (days >= 1 and days == int(days))
    has_date = bool(set("ydegb").intersection(section.times)) or not has_time
    time = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    date = f"{moment.year:04d}-{moment:%m-%d}"
    return " ".join(part for part, is_shown in ((date, has_date), (time, has_time)) if is_shown)
