"""Access tokens: JWTs signed with ES256, and the life of the keys that sign them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from pydantic import JsonValue

from muniment.kernel.ids import new_id
from muniment.kernel.model import Model

_ALGORITHM = "ES256"
_SLACK = timedelta(minutes=1)


class SigningKey(NamedTuple):
    """A key pair as a JSON Web Key; `private` holds the private part."""

    kid: str
    private: dict[str, Any]
    created_at: datetime


class Claims(Model):
    """What an access token says: whose session it belongs to, and until when (Unix seconds)."""

    sub: str
    sid: str
    iat: int
    exp: int
    jti: str


def new_signing_key(at: datetime) -> SigningKey:
    """A fresh key pair."""
    kid = new_id("sig")
    key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": _ALGORITHM})
    return SigningKey(kid, dict(key.as_dict(private=True)), at)


def signer(keys: Sequence[SigningKey], at: datetime, rotation: timedelta) -> SigningKey | None:
    """The key to sign with, of keys newest first; None when it is time for a new one."""
    return keys[0] if keys and at < keys[0].created_at + rotation else None


def trusted(keys: Sequence[SigningKey], at: datetime, lifetime: timedelta) -> tuple[SigningKey, ...]:
    """The keys, of keys newest first, whose tokens may not have expired yet.

    A key signs until its successor is made, and a moment longer in another process.
    """
    successors = (None, *keys)
    return tuple(
        key
        for key, successor in zip(keys, successors, strict=False)
        if successor is None or at < successor.created_at + lifetime + _SLACK
    )


def public(key: SigningKey) -> dict[str, JsonValue]:
    """The key's public part, as a JSON Web Key."""
    return {**ECKey.import_key(key.private).as_dict(private=False)}  # type: ignore[dict-item]  # list is invariant


def write_token(key: SigningKey, *, user: str, session: str, at: datetime, lifetime: timedelta) -> str:
    """A signed access token."""
    issued = int(at.timestamp())
    claims = Claims(
        sub=user,
        sid=session,
        iat=issued,
        exp=issued + int(lifetime.total_seconds()),
        jti=new_id("jti"),
    )
    header = {"alg": _ALGORITHM, "kid": key.kid}
    return jwt.encode(header, claims.model_dump(), ECKey.import_key(key.private), [_ALGORITHM])


def read_token(token: str, keys: Sequence[SigningKey]) -> Claims | None:
    """What a token says that one of `keys` has signed; None for any other text. It may have expired."""
    if not keys:
        return None
    try:
        trusted_keys = KeySet([ECKey.import_key(key.private) for key in keys])
        return Claims.model_validate(jwt.decode(token, trusted_keys, [_ALGORITHM]).claims)
    except (JoseError, ValueError, TypeError, RecursionError):
        return None
