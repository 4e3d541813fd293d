"""Settings: built-in default < `muniment.toml` < environment < flag; each value knows where it came from.

A room's settings are a class `<Room>Settings(RoomSettings)`; they stand under `[<room>]` in the file and as
`MUNIMENT_<ROOM>__<NAME>` in the environment. Any name with `_FILE` behind it names a file that holds the value.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_core import PydanticUndefined

from muniment.kernel.logs import LogFormat
from muniment.kernel.model import Model
from muniment.kernel.problems import Problem

PREFIX = "MUNIMENT_"
FILE_NAME = "muniment.toml"
CLIENT_NAMES = frozenset({"MUNIMENT_SERVER", "MUNIMENT_API_KEY", "MUNIMENT_EVALDATA"})
"""Names of the environment that are for clients and tests, and no settings of a process."""


class SettingsUnfit(Problem, status=500):
    """A setting is unknown or does not fit; the detail names it and where it came from."""


class RoomSettings(Model):
    """The base of every room's settings: each field has a default and a description."""


R = TypeVar("R", bound=Model)


def default_data_folder() -> Path:
    """`$XDG_DATA_HOME/muniment`, or `~/.local/share/muniment`."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "muniment"


class ProcessSettings(Model):
    """What a process needs to know besides its rooms' own settings."""

    data: Path = Field(default_factory=default_data_folder, description="The data folder.")
    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8765, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    at: dict[str, str] = Field(
        default={}, description="Where a room runs that does not run here: `MUNIMENT_AT__<ROOM>`, a URL."
    )
    database_url: str | None = Field(
        default=None, description="A PostgreSQL server for all rooms; null: SQLite files in the data folder."
    )
    blobs_url: str | None = Field(
        default=None, description="Where files are kept; null: the folder `blobs` in the data folder."
    )
    service_token: SecretStr | None = Field(
        default=None, description="Shared by all processes of one house; needed when rooms run in several."
    )
    service_token_next: SecretStr | None = Field(
        default=None, description="A second service token that is accepted, too, while rotating."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error."
    )
    log_format: LogFormat = Field(
        default="auto", description="json, console, or auto: console on a terminal, else json."
    )


class Origin(NamedTuple):
    """A value and where it came from: `default`, `muniment.toml`, an environment name, or `flag`."""

    value: Any
    source: str


class Configuration:
    """All given values by dotted name (`port`, `at.embedding`, `vectors.queue`), the nearest source winning."""

    def __init__(self, given: Mapping[str, Origin]) -> None:
        self._given = dict(given)

    @classmethod
    def load(
        cls,
        *,
        environment: Mapping[str, str] = os.environ,
        flags: Mapping[str, Any] | None = None,
        file: Path | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> "Configuration":
        """Read file, environment and flags.

        `file` None: `muniment.toml` of the present folder, else of the data folder, where there is one.
        `aliases` map a short environment name (without prefix, lower case) to a dotted one.
        Raises SettingsUnfit.
        """
        from_environment = dict(_environment(environment, aliases or {}))
        from_flags = {k: Origin(v, "flag") for k, v in (flags or {}).items() if v is not None}
        data = {**from_environment, **from_flags}.get("data")
        path = file or _find(Path(str(data.value)) if data else default_data_folder())
        from_file = dict(_file(path)) if path else {}
        return cls({**from_file, **from_environment, **from_flags})

    def section(self, name: str, kind: type[R]) -> R:
        """The settings of a room, or with an empty `name` the process's own.

        Raises SettingsUnfit.
        """
        values = {field: origin.value for field, origin in self._under(name, kind).items()}
        try:
            return kind.model_validate(values)
        except ValidationError as unfit:
            first = unfit.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            where = self._given.get(_dotted(name, field.split(".")[0]), Origin(None, "default")).source
            raise SettingsUnfit(f"{_dotted(name, field)} (from {where}): {first['msg']}") from unfit

    def explain(self, name: str, kind: type[Model]) -> dict[str, Origin]:
        """Every setting of a section with its value (secrets starred) and where it came from."""
        settings, given = self.section(name, kind), self._under(name, kind)
        return {
            _dotted(name, field): Origin(
                getattr(settings, field), given[field].source if field in given else "default"
            )
            for field in kind.model_fields
        }

    def _under(self, name: str, kind: type[Model]) -> dict[str, Origin]:
        found: dict[str, Origin] = {}
        prefix = f"{name}." if name else ""
        for dotted, origin in self._given.items():
            if not dotted.startswith(prefix):
                continue
            field, _, rest = dotted.removeprefix(prefix).partition(".")
            if rest and field == "at" and not name:
                before = found.get("at", Origin({}, "")).value
                found["at"] = Origin({**before, rest: origin.value}, origin.source)
            elif not rest and (name or field in kind.model_fields):
                found[field] = origin
        return found

    def unknown(self, sections: Mapping[str, type[Model]]) -> list[str]:
        """Given names that no section knows, with their sources: nearly always a slip of the pen."""
        known = {_dotted(name, field) for name, kind in sections.items() for field in kind.model_fields}
        return [
            f"{dotted} ({origin.source})"
            for dotted, origin in self._given.items()
            if dotted not in known and not dotted.startswith("at.")
        ]


def _dotted(section: str, field: str) -> str:
    return f"{section}.{field}" if section else field


def _find(data: Path) -> Path | None:
    return next((path for path in (Path(FILE_NAME), data / FILE_NAME) if path.is_file()), None)


def _file(path: Path) -> list[tuple[str, Origin]]:
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as broken:
        raise SettingsUnfit(f"{path} cannot be read: {broken}; mend it, or move it away") from broken
    found = []
    for name, value in tree.items():
        if isinstance(value, dict):
            found += [(f"{name}.{field}", Origin(inner, str(path))) for field, inner in value.items()]
        else:
            found.append((name, Origin(value, str(path))))
    return found


def _environment(environment: Mapping[str, str], aliases: Mapping[str, str]) -> list[tuple[str, Origin]]:
    found = []
    for name, raw in environment.items():
        if not name.startswith(PREFIX) or not raw or name in CLIENT_NAMES:
            continue
        field, value = name.removeprefix(PREFIX).lower(), raw
        if field.endswith("_file"):
            field = field.removesuffix("_file")
            try:
                value = Path(raw).read_text("utf-8").strip()
            except OSError as broken:
                raise SettingsUnfit(f"{name} names a file that cannot be read: {broken}") from broken
        found.append((aliases.get(field, field.replace("__", ".", 1)), Origin(value, name)))
    return found


def reference(name: str, kind: type[Model]) -> list[tuple[str, str, str, str]]:
    """For the docs: (file name, environment name, default, description) of every setting of a section."""
    rows = []
    for field, info in kind.model_fields.items():
        default = "" if info.default is PydanticUndefined else repr(info.default)
        environment = PREFIX + (f"{name}__{field}" if name else field).upper()
        rows.append((_dotted(name, field), environment, default, info.description or ""))
    return rows
