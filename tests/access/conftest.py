"""A client of a house that runs elsewhere, and houses in this process with rooms of one's own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio

from kit.parsing import parsers_here
from kit.running import ADMIN_PASSWORD, RunningHouse
from muniment.app import ROOMS, open_house
from muniment.kernel.house import Builder
from muniment.kernel.settings import Configuration


@pytest_asyncio.fixture
async def http(house: RunningHouse) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=house.address, timeout=60) as http:
        yield http


@pytest_asyncio.fixture
async def opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Awaitable[httpx.AsyncClient]]]:
    """Open a house in this process, parsers and all. `around` makes other rooms of its rooms, by contract."""
    monkeypatch.setattr("muniment.documents.build.parsers", parsers_here)
    async with AsyncExitStack() as stack:

        async def open_(around: Mapping[type, Callable[[Any], Any]], **more: str) -> httpx.AsyncClient:
            for contract, other in around.items():
                monkeypatch.setitem(cast("dict[type, Builder]", ROOMS), contract, _other(ROOMS[contract], other))
            settings = {
                "MUNIMENT_IDENTITY__ADMIN_PASSWORD": ADMIN_PASSWORD,
                "MUNIMENT_IDENTITY__PASSWORD_MEMORY_KIB": "8",
                "MUNIMENT_IDENTITY__PASSWORD_PASSES": "1",
            }
            configuration = Configuration.load(environment=settings | more, flags={"data": tmp_path / "data"})
            house = await stack.enter_async_context(open_house(configuration))
            transport = httpx.ASGITransport(house.application)
            http = httpx.AsyncClient(transport=transport, base_url="http://house", timeout=60)
            return await stack.enter_async_context(http)

        yield open_


def _other(build: Builder, other: Callable[[Any], Any]) -> Builder:
    @wraps(build)  # the house looks through it for what the builder needs
    @asynccontextmanager
    async def built(**needs: Any) -> AsyncIterator[Any]:
        async with build(**needs) as room:
            yield other(room)

    return built
