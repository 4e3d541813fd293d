"""The chunking recipes, and what of a chunk is embedded and indexed."""

import unicodedata
from typing import NamedTuple

from muniment.kernel.problems import NotAvailable

PARENT_TOKENS = 800


class Recipe(NamedTuple):
    """How an index's chunks are made; each index names its own, so that it stays of one kind.

    `target_tokens`: what a chunk should hold at most.
    """

    name: str
    target_tokens: int


RECIPES = {recipe.name: recipe for recipe in (Recipe("structure-160", 160), Recipe("structure-200", 200))}
RECIPE = RECIPES["structure-160"]
"""That of new collections."""

TITLE_BYTES, HEADING_BYTES, HEADER_BYTES = 96, 64, 192


def recipe_named(name: str) -> Recipe:
    """The recipe of that name.

    Raises NotAvailable.
    """
    if name not in RECIPES:
        raise NotAvailable(f"there is no chunking recipe {name!r} here; known are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]


def embedded_text(title: str, section: tuple[str, ...], text: str, header: str = "") -> str:
    """What is embedded and keyword-indexed: the chunk's text, above it where it stands and its table's `header`.

    Changes whenever a vector would: make a new recipe when you change it.
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
