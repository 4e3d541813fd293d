"""The gateway's settings."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from muniment.kernel.settings import RoomSettings

_MIB = 1 << 20


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class GatewaySettings(RoomSettings):
    """What the edge lets in, and how long it waits."""

    body_limit_bytes: int = Field(default=4 * _MIB, ge=1024, description="The largest JSON body.")
    batch_limit_bytes: int = Field(default=64 * _MIB, ge=1024, description="The largest body of a batch upload.")
    file_limit_bytes: int = Field(default=1024 * _MIB, ge=1, description="The largest file of an upload.")
    upload_limit_bytes: int = Field(default=2048 * _MIB, ge=1, description="All files of one upload together.")
    upload_limit_files: int = Field(default=10_000, ge=1, le=10_000, description="Files in one upload.")
    request_seconds: float = Field(default=30, gt=0, le=600, description="The longest that a call may take.")
    answer_seconds: float = Field(default=120, gt=0, le=600, description="The longest that an answer may take.")
    upload_seconds: float = Field(default=600, gt=0, le=600, description="The longest that an upload may take.")
    open_monitoring_on_loopback: bool = Field(
        default=True, description="Whether `/health` and `/metrics` are open to callers on this machine."
    )
    allowed_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        default=(),
        description="Origins whose pages may call the API (CORS), with commas between; none by default.",
    )
