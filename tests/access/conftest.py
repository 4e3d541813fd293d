"""A client of a house that runs elsewhere, and houses in this process with rooms of one's own."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from kit.running import RunningHouse


@pytest_asyncio.fixture
async def http(house: RunningHouse) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=house.address, timeout=60) as http:
        yield http
