"""Keys of documents: what may stand in one, and how a file's name becomes one."""

import re
import unicodedata

from muniment.kernel.problems import Invalid

MOST_CHARACTERS = 1024
_SEPARATORS = re.compile(r"[/\\]")
_DRIVE = re.compile(r"[A-Za-z]:[/\\]")
_DIRECTION = re.compile("[\u2028-\u202e\u2066-\u2069]")
"""Line separators, and marks that make a name read otherwise than it is."""


def key_of(key: str | None, name: str | None) -> str:
    """The key that was given, else the file's name as a relative path.

    Raises Invalid, naming the field, for what would lead out of the collection or hide what it is.
    """
    if key is not None:
        return _checked("key", key)
    if name is None:
        raise unfit("key", "a document without a file name needs a key")
    _checked("name", name)
    parts = [part for part in _SEPARATORS.split(unicodedata.normalize("NFC", name)) if part not in {"", "."}]
    return _checked("name", "/".join(parts))


def _checked(field: str, path: str) -> str:
    if not path.strip():
        raise unfit(field, "is empty")
    if len(path) > MOST_CHARACTERS:
        raise unfit(field, f"is longer than {MOST_CHARACTERS} characters")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in path) or _DIRECTION.search(path):
        raise unfit(field, "holds control characters")
    if path[0] in "/\\" or _DRIVE.match(path):
        raise unfit(field, "is an absolute path; give a relative one")
    if ".." in _SEPARATORS.split(path):
        raise unfit(field, "holds '..', which leads out of the collection")
    return path


def unfit(field: str, reason: str) -> Invalid:
    """The problem of one field."""
    return Invalid(f"{field} {reason}", errors=[{"field": field, "reason": reason}])
