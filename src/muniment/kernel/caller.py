"""Who is asking: one context variable in process, signed headers between processes."""

import base64
import hmac
import json
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import Self

from muniment.kernel.ids import new_id
from muniment.kernel.model import Model
from muniment.kernel.problems import Forbidden, Unauthenticated

LIFETIME_SECONDS = 120
"""How long a signed caller is believed by the next process."""


class Caller(Model):
    """A principal for the length of one request.

    `tokens` are the entitlement: what the principal reads by, as of `epoch`. They are resolved once a request,
    by the gateway; a caller without tokens reads nothing. `withheld` are ids of things that no token opens any
    more, although what is filed under them may still stand in an index.
    """

    principal: str
    name: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    epoch: str = ""
    request_id: str = ""
    session: str = ""

    @classmethod
    def system(cls, room: str) -> Self:
        """A room working on its own account: it holds no entitlement, so it reads nothing for anyone."""
        return cls(principal=f"sys_{room}", name=room, request_id=new_id("req"))

    def require(self, scope: str) -> None:
        """Raises Forbidden unless the caller holds `scope`."""
        if scope not in self.scopes:
            raise Forbidden(f"this needs the scope {scope}; ask an admin for a role or key with it", scope=scope)


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def caller() -> Caller:
    """The present caller.

    Raises Unauthenticated when the call came without one.
    """
    present = _caller.get()
    if present is None:
        raise Unauthenticated("no caller: sign in, or send an API key")
    return present


def caller_or_none() -> Caller | None:
    """The present caller, if there is one."""
    return _caller.get()


@contextmanager
def calling_as(who: Caller | None) -> Iterator[None]:
    """Everything inside is asked by `who`."""
    token = _caller.set(who)
    try:
        yield
    finally:
        _caller.reset(token)


def sign(who: Caller, secret: str) -> str:
    """`who` as a header value, HMAC-SHA256 under `secret`, believed for `LIFETIME_SECONDS`."""
    body = who.model_dump(mode="json") | {"until": int(time.time()) + LIFETIME_SECONDS}
    packed = base64.urlsafe_b64encode(zlib.compress(json.dumps(body).encode(), 1)).decode()
    return f"{packed}.{_mac(packed, secret)}"


def verify(header: str, secrets: tuple[str, ...]) -> Caller:
    """The caller that `sign` wrote under one of `secrets`.

    Raises Unauthenticated when it is forged or too old.
    """
    packed, _, mac = header.rpartition(".")
    if not any(hmac.compare_digest(mac.encode(), _mac(packed, secret).encode()) for secret in secrets):
        raise Unauthenticated("the caller's signature does not fit; do both processes hold one service token?")
    body = json.loads(zlib.decompress(base64.urlsafe_b64decode(packed)))
    if body.pop("until") < time.time():
        raise Unauthenticated("the caller's signature is too old; are the clocks of both machines right?")
    return Caller.model_validate(body)


def _mac(packed: str, secret: str) -> str:
    key = sha256(b"muniment caller\x00" + secret.encode()).digest()
    return base64.urlsafe_b64encode(hmac.digest(key, packed.encode(), "sha256")).decode()
