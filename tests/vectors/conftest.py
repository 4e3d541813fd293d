"""A vectors room with a real engine behind it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from muniment.kernel.blobs import Blobs
from muniment.kernel.house import Ground
from muniment.kernel.local import local
from muniment.vectors.build import VectorsSettings, build
from muniment.vectors.contract import Vectors
from vectors.oracle import AVERAGE_LENGTH


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vectors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Vectors]:
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
    async with build(VectorsSettings(average_length=AVERAGE_LENGTH), ground) as service:
        yield local(Vectors, service)
