"""Ids: a prefix and 26 characters that sort by the time they were made (ULID, Crockford base 32)."""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A fresh id `prefix_…`: 48 bits of milliseconds, then 80 random bits (the ULID specification)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return prefix + "_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
