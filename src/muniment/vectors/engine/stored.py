"""How fields and values are stored, in every engine alike."""

import re
from functools import lru_cache

from muniment.vectors.contract import Payload, Scalar

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Edge's Python binding turns True into the integer 1 and then matches nothing, so booleans are kept as strings
# that no text can equal: U+0000 is refused at the edge of the house.
_BOOLEANS = {True: "\x00true", False: "\x00false"}


def stored(payload: Payload) -> dict[str, object]:
    """A payload as it is stored; lists, which JSON makes of tuples, are welcome."""
    return {
        _name(key): [stored_value(v) for v in value] if isinstance(value, tuple | list) else stored_value(value)
        for key, value in payload.items()
    }


def stored_value(value: Scalar) -> str | int | float:
    """One value."""
    return _BOOLEANS[value] if isinstance(value, bool) else value


def path(field: str) -> str:
    """The field in a filter: a dotted key would be read as a path into an object; in quotes it is one flat key."""
    return field if _PLAIN_KEY.fullmatch(field) else f'"{_name(field)}"'


@lru_cache(maxsize=4096)
def _name(field: str) -> str:
    return field.replace("%", "%25").replace('"', "%22").replace("\\", "%5C")
