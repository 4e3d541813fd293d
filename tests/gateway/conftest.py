from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.fakes import House
from muniment.gateway.settings import GatewaySettings
from muniment.kernel.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.open((tmp_path / "blobs").as_uri())


@pytest.fixture
def staged_files(tmp_path: Path) -> Callable[[], list[str]]:
    return lambda: sorted(file.name for file in (tmp_path / "blobs" / "staging").iterdir())


@pytest.fixture
def house(blobs: Blobs) -> Callable[..., House]:
    """Makes the edge; settings by name, and a room's answer by operation: `{"Retrieval.search": …}`."""

    def make(answers: dict[str, Any] | None = None, **settings: Any) -> House:
        return House(blobs, GatewaySettings(**settings), answers or {})

    return make
