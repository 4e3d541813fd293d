"""What the chunking recipe is called, and what of a chunk is embedded and indexed."""

import unicodedata

RECIPE = "structure-200"
TARGET_TOKENS = 200
PARENT_TOKENS = 800
TITLE_BYTES, HEADING_BYTES = 96, 64


def embedded_text(title: str, section: tuple[str, ...], text: str) -> str:
    """The chunk's text under a line that says where it stands: what is embedded and keyword-indexed.

    Changes whenever a vector would: name a new `RECIPE` when you change it.
    """
    line = prefix(title, section)
    return f"{line}\n{text}" if line else text


def prefix(title: str, section: tuple[str, ...]) -> str:
    """`title > last two headings`, each shortened, a heading that repeats the title left out."""
    names = [_short(title, TITLE_BYTES)]
    for heading in section[-2:]:
        name = _short(heading, HEADING_BYTES)
        if name.casefold() != names[0].casefold():
            names.append(name)
    return " > ".join(name for name in names if name)


def _short(name: str, most_bytes: int) -> str:
    # UTF-8 bytes of the compatibility form bound the tokens of any usual tokenizer from above; characters do not.
    clean = " ".join(unicodedata.normalize("NFKC", name[: 4 * most_bytes]).split())
    if len(clean.encode(errors="replace")) <= most_bytes:
        return clean
    cut = clean.encode(errors="replace")[:most_bytes].decode(errors="ignore")
    return cut.rpartition(" ")[0] or cut
