"""File names as people send them: data, never a path that anything opens."""

import re
from urllib.parse import quote

from muniment.kernel.problems import Invalid

_LONGEST = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_PLAIN = re.compile(r"[^A-Za-z0-9 ._()\[\]-]")


def received(sent: str | None) -> str | None:
    """The name of an uploaded file as data; what key it makes, if any, the documents room decides.

    None, or an empty one, is None. Raises Invalid for what no file is called.
    """
    if not sent:
        return None
    if len(sent) > _LONGEST:
        reason = f"the name is over {_LONGEST} characters"
    elif _CONTROL.search(sent):
        reason = "the name holds control characters"
    else:
        return sent
    raise Invalid(f"file: {reason}: {sent[:80]!r}", errors=[{"field": "file", "reason": reason}])


def attachment(name: str) -> str:
    """A `Content-Disposition` that saves under `name` (RFC 6266), whatever characters it holds."""
    last = re.split(r"[/\\]", name)[-1] or "document"
    plain = _PLAIN.sub("_", last)
    encoded = quote(last, safe="", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
