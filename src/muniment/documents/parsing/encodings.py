"""Text in the encodings that came before Unicode: which one it is, told by what the outcome reads like."""

import re
import unicodedata

from muniment.kernel.extras import late

_SAMPLE_BYTES = 65_536
_LEAST_FOREIGN = 24
"""So many letters beyond ASCII are needed to tell one alphabet's encodings from another's."""

_LEAST_COHERENCE = 0.25
_MOST_CHAOS = 0.1
_LEAST_SHARE = 0.85
"""Of the letters beyond ASCII, those that the most fitting language has."""

_ALPHABETS = ("cp1251", "koi8_r", "cp866", "iso8859_5", "cp1253", "cp1255", "cp1256")
_IDEOGRAPHS = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
_LATIN: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "cp1252",
        (
            "äöüß", "àâæçéèêëîïôœùûüÿ", "áéíóúüñ", "áàâãçéêíóôõúü", "àèéìíîòóùú", "åäöéü", "æøåéèêòóôü",
            "áéëïíóöúèü", "áðéíóúýþæö",
        ),
    ),
    ("cp1250", ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîșțşţ", "čćđšž")),
    ("iso8859_2", ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîșțşţ", "čćđšž")),
    ("cp1254", ("çğıöşüâî",)),
)  # fmt: skip
"""Encodings of Latin letters, the likelier first, with the letters beyond ASCII of each language."""

_MARKS = frozenset("\xa0«»“”„‘’‚…–—•·§©®™°±×¡¿€£¢¥µ¶´`ªº¼½¾¹²³†‡‰‹›¨¸")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_ASTRAY = re.compile("[²³¹±¶ª¼¾][a-z]|[a-z][¿±¶¼¾]")
"""Signs where only letters stand: Central European ones, read as Western."""

_RUN = re.compile(rb"[\x80-\xff]{3,}")
_FOREIGN = re.compile(rb"[\x80-\xff]")
_STATEFUL = re.compile(rb"\x1b\$(?:[@B]|\(D)")


def legacy(data: bytes) -> str | None:
    """The encoding of text that is not UTF-8; null when none is plausible enough."""
    foreign = b"\n".join(line for line in data.splitlines() if not line.isascii())[:_SAMPLE_BYTES]
    if sum(map(len, _RUN.findall(foreign))) * 2 < len(_FOREIGN.findall(foreign)):
        return _latin(foreign)
    return _other(foreign)


def stateful(data: bytes) -> str | None:
    """ISO-2022-JP, whose bytes are all ASCII."""
    return "iso2022_jp" if _STATEFUL.search(data[:_SAMPLE_BYTES]) else None


def unmarked(data: bytes) -> str | None:
    """UTF-16 without a byte order mark, if the bytes are text as such."""
    sample = data[:_SAMPLE_BYTES]
    if len(data) % 2 or len(sample) < _LEAST_FOREIGN:
        return None
    fitting = [encoding for encoding in ("utf-16-le", "utf-16-be") if _is_prose(sample, encoding)]
    return fitting[0] if len(fitting) == 1 else None


def _is_prose(sample: bytes, encoding: str) -> bool:
    # The sample may end within a pair of surrogates.
    text = sample.decode(encoding, errors="ignore")
    if len(text) * 2 < len(sample) - 2:
        return False
    if not all(c.isprintable() or c in "\t\n\f\r" for c in text):
        return False
    letters = sum(c.isalnum() for c in text)
    gaps = sum(c in " \n\t　。、，" for c in text)
    # Letters of one script lie together; bytes taken for letters do not.
    blocks = len({ord(c) >> 8 for c in text if not 0x3400 <= ord(c) <= 0xD7A3})  # noqa: PLR2004 - East Asia's letters
    return 2 * letters > len(text) and 100 * gaps > len(text) and blocks <= 8  # noqa: PLR2004 - scripts and marks


def _latin(foreign: bytes) -> str | None:
    best, best_share = None, _LEAST_SHARE
    for encoding, languages in _LATIN:
        try:
            text = foreign.decode(encoding, errors="strict")
        except UnicodeDecodeError:
            continue
        if _CONTROLS.search(text) or _gibberish(text):
            continue
        letters = [c for c in text.lower() if not c.isascii() and c not in _MARKS]
        count = len(letters) + len(_ASTRAY.findall(text))
        share = max(sum(c in own for c in letters) for own in languages) / count if count else 1.0
        if share > best_share or (best is None and share == best_share):
            best, best_share = encoding, share
    return best


def _gibberish(text: str) -> bool:
    """More letters and signs beyond ASCII than a Latin language's words have."""
    foreign = sum(not c.isascii() for c in text)
    plain = sum(c.isascii() and c.isalpha() for c in text)
    return foreign > plain / 2


def _other(foreign: bytes) -> str | None:
    if len(_FOREIGN.findall(foreign)) < _LEAST_FOREIGN:
        return None
    found = late("charset_normalizer").from_bytes(foreign, cp_isolation=[*_ALPHABETS, *_IDEOGRAPHS]).best()
    if found is None or found.chaos > _MOST_CHAOS:
        return None
    text = str(found)
    if _CONTROLS.search(text):
        return None
    encoding: str = found.encoding
    if encoding in _IDEOGRAPHS:
        return encoding if _are_ideographs(text) else None
    if found.coherence < _LEAST_COHERENCE:
        return None
    # Letters of the wrong case all over are those of a neighbouring encoding.
    beyond = [c for c in text if not c.isascii()]
    upper, lower = sum(c.isupper() for c in beyond), sum(c.islower() for c in beyond)
    return None if upper > lower else encoding


def _are_ideographs(text: str) -> bool:
    """Whether East Asian letters are full ones: half-width kana are what other encodings look like."""
    letters = [c for c in text if not c.isascii() and c.isalpha()]
    full = sum(unicodedata.east_asian_width(c) == "W" for c in letters)
    return full > 0.9 * len(letters) > 0
