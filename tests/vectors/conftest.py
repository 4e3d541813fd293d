"""A vectors room with a real engine behind it: whatever uses `vectors` is asked of every engine."""

import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from muniment.kernel.blobs import Blobs
from muniment.kernel.house import Ground
from muniment.kernel.local import local
from muniment.vectors.build import VectorsSettings, build
from muniment.vectors.contract import Vectors
from muniment.vectors.engine.edge import shards as edge
from vectors.oracle import AVERAGE_LENGTH

SERVER = os.environ.get("MUNIMENT_TEST_QDRANT_URL")
SERVERS = {"qdrant in memory": ":memory:"} | ({"qdrant server": SERVER} if SERVER else {})
ENGINES = [
    pytest.param(None, id="edge"),
    *(pytest.param(url, id=name, marks=pytest.mark.distributed) for name, url in SERVERS.items()),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The server's client warns that its stand-in in memory has no indexes and no graph; it needs none."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore::UserWarning:muniment.vectors.engine"))


@pytest.fixture(autouse=True)
def unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read ahead once nothing was written for a while is read at once."""
    monkeypatch.setattr(edge, "_UNWRITTEN_SECONDS", 0.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def vectors(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Vectors]:
    folder = tmp_path_factory.mktemp("vectors")
    ground = Ground(
        data=folder,
        database_url="",
        blobs=Blobs.open((folder / "blobs").as_uri()),
        secrets=(),
        subscribers={},
        announcements={},
        mounted=[],
        addresses={},
        peers={},
    )
    settings = VectorsSettings(
        average_length=AVERAGE_LENGTH, url=request.param, collection_prefix=f"test-{uuid4().hex}-"
    )
    async with build(settings, ground) as service:
        yield local(Vectors, service)
