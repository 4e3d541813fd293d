"""What the chunking recipe is called, and what of a chunk is embedded and indexed."""

import unicodedata

RECIPE = "structure-200"
TARGET_TOKENS = 200
PARENT_TOKENS = 800
TITLE_BYTES, HEADING_BYTES, HEADER_BYTES = 96, 64, 192


def embedded_text(title: str, section: tuple[str, ...], text: str, header: str = "") -> str:
    """What is embedded and keyword-indexed: the chunk's text, above it where it stands and its table's `header`.

    Changes whenever a vector would: name a new `RECIPE` when you change it.
    """
    return "\n".join([*(line for line in (prefix(title, section), header) if line), text])


def short_header(header: str) -> str:
    """A table's header as it stands in front of a chunk: of a wide one, the first columns."""
    clean = unicodedata.normalize("NFKC", header[: 4 * HEADER_BYTES]).strip()
    data = clean.encode(errors="replace")
    if len(data) <= HEADER_BYTES:
        return clean
    cut = data[:HEADER_BYTES].decode(errors="ignore")
    return (cut.rpartition("|")[0] or cut.rpartition(" ")[0] or cut).rstrip(" |")


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
