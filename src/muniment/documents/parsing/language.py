"""The language that a text is written in, told from the text itself."""

import re
from functools import lru_cache
from typing import Any

from muniment.documents.parsing.formats import Format
from muniment.documents.parsing.model import Parsed
from muniment.kernel.extras import late

PROSE: frozenset[Format] = frozenset(
    {"pdf", "html", "markdown", "plain", "docx", "pptx", "eml", "ipynb", "asciidoc", "rst", "epub", "image"}
)
"""The formats whose texts are sentences in a language."""

_SAMPLES = 4
_SAMPLE_CHARACTERS = 1000
_FEWEST_WORDS = 20
_FEWEST_UNSPACED = 40
_SURE = 0.9
_MOST_BYTES = 20_000
_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_IDEOGRAPHIC = frozenset({"zh", "ja"})
"""A text of which a third is in their letters is in one of them: the model knows some punctuation as Indic."""

_UNSPACED = frozenset({"zh", "ja", "th", "lo", "km", "my"})
"""Languages that put no spaces between words."""

_RENAMED = {"iw": "he"}


def with_language(parsed: Parsed) -> Parsed:
    """The file with the language of its prose, where it declares none and the text leaves no doubt."""
    if parsed.language or parsed.fields.get("language"):
        return parsed
    told = language_of(parsed)
    if told is None:
        return parsed
    return parsed.model_copy(update={"language": told, "fields": {**parsed.fields, "language": told}})


def language_of(parsed: Parsed) -> str | None:
    """Its ISO 639-1 code; null for a text that is short, or could be in several."""
    sample = _sample(parsed)
    words = len(sample.split())
    letters = sum(map(str.isalpha, sample))
    if letters < _FEWEST_UNSPACED:
        return None
    told = _identifier().FindLanguage(sample)
    code = _RENAMED.get(told.language, str(told.language))
    if 3 * len(_IDEOGRAPHS.findall(sample)) > letters and code not in _IDEOGRAPHIC:
        return None
    enough = words >= _FEWEST_WORDS or code in _UNSPACED
    # Longer codes stand for romanized text, and for languages that ISO 639-1 has no code for.
    return code if enough and told.probability >= _SURE and len(code) == 2 else None  # noqa: PLR2004 - its length


def _sample(parsed: Parsed) -> str:
    """Some of the prose, from all over the text."""
    prose = [b for b in parsed.blocks if b.kind in {"paragraph", "list"}] or parsed.blocks
    step = max(len(prose) // _SAMPLES, 1)
    taken: list[str] = []
    room = _SAMPLES * _SAMPLE_CHARACTERS
    for first in range(step):
        for block in prose[first::step]:
            piece = parsed.text[block.start : min(block.end, block.start + min(_SAMPLE_CHARACTERS, room))]
            taken.append(piece)
            room -= len(piece)
            if room <= 0:
                return " ".join(taken)
    return " ".join(taken)


@lru_cache(maxsize=1)
def _identifier() -> Any:
    return late("gcld3").NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=_MOST_BYTES)
