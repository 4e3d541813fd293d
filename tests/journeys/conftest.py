"""The same journeys in both forms: all rooms in one process, and each room in a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.running import RunningHouse, running


@pytest.fixture(scope="session", params=["one", "many"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    folder: Path = tmp_path_factory.mktemp(f"house-{request.param}")
    with running(folder, request.param) as house:
        yield house
