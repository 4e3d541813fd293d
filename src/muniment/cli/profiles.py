"""The servers that this user has signed in to: names, addresses and keys, in a file that only they can read."""

import os
from pathlib import Path

from pydantic import Field, ValidationError

from muniment.kernel.model import Model
from muniment.kernel.problems import Problem


class Profile(Model):
    """A server under a name, and the API key that `muniment login` made there."""

    name: str
    address: str
    username: str
    key: str
    key_id: str


class ProfilesUnusable(Problem, status=500):
    """The file of profiles cannot be read or written."""


class _Profiles(Model):
    profiles: tuple[Profile, ...] = Field(default=())


def profiles_file() -> Path:
    """`credentials.json` in the user's folder for settings (`XDG_CONFIG_HOME`, else `~/.config`)."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "muniment" / "credentials.json"


def read_profiles() -> tuple[Profile, ...]:
    """All of them.

    Raises ProfilesUnusable.
    """
    path = profiles_file()
    try:
        return _Profiles.model_validate_json(path.read_bytes()).profiles
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as unfit:
        raise ProfilesUnusable(f"{path} cannot be read; mend or remove it, then `muniment login`") from unfit


def find_profile(named: str) -> Profile | None:
    """The profile of that name, or of that address."""
    address = named.rstrip("/")
    return next((p for p in read_profiles() if named == p.name or address == p.address), None)


def keep_profile(profile: Profile) -> None:
    """Put a profile in the place of the one with its name."""
    _write((*(p for p in read_profiles() if p.name != profile.name), profile))


def drop_profile(name: str) -> None:
    """Forget a profile."""
    _write(tuple(p for p in read_profiles() if p.name != name))


def _write(profiles: tuple[Profile, ...]) -> None:
    path = profiles_file()
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(_Profiles(profiles=profiles).model_dump_json(indent=2))
        fresh.replace(path)
    except OSError as refused:
        raise ProfilesUnusable(f"{path} cannot be written ({refused.strerror})") from refused
