"""Cursors of paged lists: where the last page ended, opaque to whoever carries it."""

import base64
import json
from typing import Any

from muniment.kernel.problems import Invalid

_MOST = 2**63


def encode_cursor(*parts: str | int) -> str:
    """A cursor that holds `parts`: the sort key of the last item of a page."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type) -> tuple[Any, ...]:
    """The parts of a cursor, one of each of `types`; every engine can compare with them.

    Raises Invalid, naming the field `cursor`, for one that `encode_cursor` did not make of such parts.
    """
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts = json.loads(packed)
        if type(parts) is list and [type(p) for p in parts] == list(types) and all(map(_storable, parts)):
            return tuple(parts)
    except (ValueError, RecursionError):
        pass  # said below, as for any other cursor that is none of ours
    reason = "not a cursor of this list; use next_cursor of the page before, or leave it out"
    raise Invalid(f"cursor: {reason}", errors=[{"field": "cursor", "reason": reason}])


def _storable(part: str | int) -> bool:
    if isinstance(part, int):
        return -_MOST <= part < _MOST
    part.encode()
    return "\x00" not in part
