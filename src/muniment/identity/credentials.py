"""Secrets that are kept as a hash only: API keys and refresh tokens."""

import secrets
from hashlib import sha256

API_KEY = "mk_"
REFRESH_TOKEN = "mr_"  # noqa: S105 - a prefix, by which people and scanners know what they have found


def new_secret(prefix: str) -> str:
    """A fresh secret of 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of a secret. It needs no salt and no slow hash, since nobody can guess 256 bits."""
    return sha256(secret.encode()).hexdigest()
