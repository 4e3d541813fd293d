"""The web addresses that a file links to."""

import re
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

MOST_LINKS = 200
_MOST_CHARACTERS = 2048
_ADDRESS = re.compile(r"""https?://[^\s<>"`|\\^{}\[\]]{1,4096}""", re.IGNORECASE)
_TRAILING = ".,;:!?*_'\"”’»"


def addresses(text: str) -> Iterable[str]:
    """The web addresses that stand in a text, without the marks that end a sentence or a bracket around them."""
    for found in _ADDRESS.finditer(text):
        address = found[0].rstrip(_TRAILING)
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1].rstrip(_TRAILING)
        yield address


def with_links(metadata: Mapping[str, JsonValue], found: Iterable[str]) -> dict[str, JsonValue]:
    """The metadata and, under `links`, the absolute web addresses found, each once; said ones stand."""
    links: dict[str, None] = {}
    for raw in found:
        address = raw.strip()
        if len(address) <= _MOST_CHARACTERS and _ADDRESS.match(address):
            links[address] = None
        if len(links) == MOST_LINKS:
            break
    return {"links": list(links), **metadata} if links else dict(metadata)
