"""Who may read a point, kept a second time as numbers: a search compares them in a fourth of the time of texts.

The engine compares the readers of every point that has any of a query's terms. Tokens of 30 characters lie
scattered in memory, and from 13 of them on it makes a hash of each, of each such point.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from qdrant_edge import EdgeShard, FieldCondition, IntegerIndexParams, MatchAny, UpdateOperation

READERS = "readers"

# As no key of a payload is stored: there a percent sign is always followed by two digits.
_KEY = "%readers"
NUMBERS = f'"{_KEY}"'
"""The path of the field that holds them."""

_NOBODY = 0


def numbered(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload as it is stored, with the numbers of its readers, if it says who they are."""
    tokens = payload.get(READERS)
    return dict(payload) if tokens is None else {**payload, _KEY: _numbers(tokens) or [_NOBODY]}


def index_numbers(shard: EdgeShard) -> None:
    """Let a shard without points be searched by numbers; all its points must come `numbered`."""
    kind = IntegerIndexParams(lookup=True, range=False, enable_hnsw=False)
    shard.update(UpdateOperation.create_field_index(NUMBERS, kind))


def has_numbers(shard: EdgeShard) -> bool:
    """Whether it is so; one of an earlier version is not, until it is built anew."""
    return NUMBERS in shard.info().payload_schema


def readable_by(tokens: Iterable[str]) -> FieldCondition:
    """What any of these may read, in a shard that has numbers."""
    return FieldCondition(NUMBERS, match=MatchAny(_numbers(tokens)))


def _numbers(tokens: Iterable[str]) -> list[int]:
    return [_number(token) for token in tokens]


@lru_cache(maxsize=16_384)
def _number(token: str) -> int:
    """Of 63 bits: of a million tokens, two are the same in one of ten million indexes."""
    return int.from_bytes(blake2b(token.encode(), digest_size=8).digest(), "little") >> 1
