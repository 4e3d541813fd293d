"""What all of identity's use cases stand on, and its settings."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import Field, SecretStr

from muniment.identity import store
from muniment.identity.contract import Principal
from muniment.identity.passwords import Passwords
from muniment.kernel.caller import caller
from muniment.kernel.database import Database
from muniment.kernel.epochs import AsOf, Latest
from muniment.kernel.model import now
from muniment.kernel.problems import Invalid, Unauthenticated
from muniment.kernel.settings import RoomSettings


class IdentitySettings(RoomSettings):
    """How people and programs sign in."""

    admin_password: SecretStr | None = Field(
        default=None,
        description="The first admin's password, asked for once, at the first start; null: one is made and shown.",
    )
    access_token_seconds: int = Field(default=900, ge=1, description="How long an access token is good.")
    session_days: float = Field(default=30, gt=0, description="How long a session lasts that nobody refreshes.")
    signing_key_days: float = Field(
        default=30, gt=0, description="How long a key signs access tokens before a new one does."
    )
    password_memory_kib: int = Field(default=65_536, ge=8, description="Memory of one Argon2id hash.")
    password_passes: int = Field(default=3, ge=1, description="Passes of one Argon2id hash over its memory.")
    passwords_at_once: int = Field(
        default=2, ge=1, description="How many passwords are hashed at the same time; each takes a core."
    )


class Known(NamedTuple):
    """Who a credential speaks for, and until when at most."""

    principal: Principal
    until: datetime | None


class Base:
    """The parts that use cases share."""

    def __init__(
        self, database: Database, settings: IdentitySettings, clock: Callable[[], datetime] = now
    ) -> None:
        self._database = database
        self._settings = settings
        self._now = clock
        self._lifetime = timedelta(seconds=settings.access_token_seconds)
        self._rotation = timedelta(days=settings.signing_key_days)
        self._session = timedelta(days=settings.session_days)
        self._passwords = Passwords(
            memory_kib=settings.password_memory_kib,
            passes=settings.password_passes,
            at_once=settings.passwords_at_once,
        )
        self._known, self._mark = AsOf[Known](), Latest(database, store.mark)


def calling_user() -> str:
    """The id of the user who calls, or for whom a key does.

    Raises Unauthenticated for anyone else.
    """
    principal = caller().principal
    if not principal.startswith("usr_"):
        raise Unauthenticated(f"{principal} is not a user: sign in, or send an API key")
    return principal


def must_stand(field: str) -> Invalid:
    """The problem of a null for a field that cannot be cleared."""
    return Invalid(
        f"{field} cannot be cleared: give a value, or leave it out",
        errors=[{"field": field, "reason": "cannot be null"}],
    )
