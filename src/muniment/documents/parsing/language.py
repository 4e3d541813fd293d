"""The language that a text is written in, told from the text itself."""

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
_SURE = 0.8
_UNSPACED = frozenset({"zh", "ja", "th", "lo", "km", "my", "bo", "dz"})
"""Languages that put no spaces between words."""


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
    letters = sum(c.isalpha() for c in sample)
    if letters < _FEWEST_UNSPACED:
        return None
    code, confidence = _identifier().classify(sample)
    enough = words >= _FEWEST_WORDS or code in _UNSPACED
    return str(code) if enough and confidence >= _SURE and len(code) == 2 else None  # noqa: PLR2004 - as ISO 639-1 has it


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
    langid = late("py3langid.langid")
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
