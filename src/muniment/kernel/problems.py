"""Failures a caller may act on (RFC 9457), one class each: the class survives every distance.

A room declares its own in its contract: `class CollectionMissing(Problem, status=404): ...`.
The class name becomes the `type`, `urn:muniment:problem:collection-missing`.
"""

import json
import re
from typing import Any, ClassVar

from pydantic import ValidationError

URN = "urn:muniment:problem:"


class Problem(Exception):  # noqa: N818 - a problem is a state of the world, not an error of the program
    """A failure a caller may act on: `detail` says what happened, to what, and what to do.

    Keyword arguments become fields of the problem document (RFC 9457, extension members); they must be JSON.
    """

    kinds: ClassVar[dict[str, type["Problem"]]] = {}
    status: int = 500
    urn: ClassVar[str] = URN + "problem"
    title: ClassVar[str] = "Problem"
    retryable: ClassVar[bool] = False

    def __init_subclass__(cls, status: int, *, retryable: bool = False) -> None:
        words = re.sub(r"(?<!^)(?=[A-Z])", " ", cls.__name__)
        cls.status, cls.retryable = status, retryable
        cls.urn, cls.title = URN + words.lower().replace(" ", "-"), words.capitalize()
        if Problem.kinds.setdefault(cls.urn, cls) is not cls:
            raise TypeError(f"two problems are called {cls.__name__!r}")

    def __init__(self, detail: str = "", /, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra

    @property
    def retry_after_seconds(self) -> float | None:
        """When the caller may try again, if the problem says so."""
        value = self.extra.get("retry_after_seconds")
        return float(value) if isinstance(value, int | float) else None

    def document(self) -> dict[str, Any]:
        """The problem as an RFC 9457 document."""
        return {
            **self.extra,
            "type": self.urn,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }

    @staticmethod
    def load(raw: bytes | str) -> "Problem":
        """The problem that a document describes; an unknown kind is `Unfamiliar`, no document `Unavailable`."""
        try:
            body = dict(json.loads(raw))
        except (ValueError, TypeError, RecursionError):
            return Unavailable("the reply is not a problem document; is the address that of a Muniment room?")
        kind = Problem.kinds.get(str(body.get("type")))
        detail = str(body.pop("detail", ""))
        if kind is None:
            return Unfamiliar(detail, **body)
        del body["type"]
        return kind(detail, **{k: v for k, v in body.items() if k not in {"title", "status"}})


class Invalid(Problem, status=422):
    """The request does not fit; `errors` lists each field and its reason."""

    @classmethod
    def of(cls, failure: ValidationError) -> "Invalid":
        """The validation failure of a model, field by field."""
        errors = [
            {"field": ".".join(str(part) for part in e["loc"]), "reason": e["msg"]}
            for e in failure.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = f"{errors[0]['field'] or 'the body'}: {errors[0]['reason']}"
        return cls(f"the request does not fit: {first}", errors=errors)


class NotAvailable(Problem, status=422):
    """A parameter whose part is switched off or not built here."""


class Unauthenticated(Problem, status=401):
    """No caller, or one whose token is expired, forged or revoked."""


class Forbidden(Problem, status=403):
    """The caller is known and may see the thing, but may not do this."""


class Missing(Problem, status=404):
    """No such thing, or none that the caller may read."""


class TooLarge(Problem, status=413):
    """The request is over a limit, which `limit_bytes` names."""


class Throttled(Problem, status=429, retryable=True):
    """Too much at once; `retry_after_seconds` says when to come back."""


class Internal(Problem, status=500):
    """A defect of ours; the log holds the trace under the request id."""


class Unfamiliar(Internal, status=500):
    """A problem of a kind that this process does not know; its document is the one that came, and its status."""

    def __init__(self, detail: str = "", /, **extra: Any) -> None:
        super().__init__(detail, **extra)
        status = extra.get("status")
        if type(status) is int and 400 <= status < 600:  # noqa: PLR2004 - what HTTP calls a failure
            self.status = status

    def document(self) -> dict[str, Any]:
        """The document as it came."""
        return {**super().document(), **self.extra}


class Unavailable(Problem, status=503, retryable=True):
    """A part that is needed does not answer at present."""


class DeadlineExceeded(Problem, status=504, retryable=True):
    """The time that the caller gave is spent."""
