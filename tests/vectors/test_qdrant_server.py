"""What a Qdrant server may answer instead of what was asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from qdrant_client import AsyncQdrantClient

from muniment.kernel.problems import NotAvailable, Problem
from muniment.vectors.contract import EngineDown, IndexMissing
from muniment.vectors.engine.qdrant.server import QdrantEngine

INDEX = "main"


@asynccontextmanager
async def engine(version: str = "1.19.2", status: int = 200) -> AsyncIterator[QdrantEngine]:
    """Talks to a server that tells its version and answers all else with one status."""

    def answer(asked: httpx.Request) -> httpx.Response:
        if asked.url.path == "/":
            return httpx.Response(200, json={"title": "qdrant", "version": version})
        if asked.url.path.endswith("/exists"):
            return httpx.Response(200, json={"result": {"exists": False}, "status": "ok", "time": 0.0})
        return httpx.Response(status, json={"status": {"error": "no"}, "time": 0.0})

    client = AsyncQdrantClient(
        url="http://qdrant.test:6333", check_compatibility=False, transport=httpx.MockTransport(answer)
    )
    try:
        yield QdrantEngine(client, prefix="test-")
    finally:
        await client.close()


async def test_a_server_that_is_too_old_is_refused_by_name() -> None:
    async with engine(version="1.18.3") as old:
        with pytest.raises(NotAvailable, match=r"1\.18\.3; 1\.19 or newer"):
            await old.status()


async def test_an_index_that_is_not_there_is_missing() -> None:
    async with engine() as empty:
        with pytest.raises(IndexMissing):
            await empty.count(INDEX, ())


@pytest.mark.parametrize(("status", "problem"), [(401, NotAvailable), (429, EngineDown), (503, EngineDown)])
async def test_refusals_are_problems(status: int, problem: type[Problem]) -> None:
    async with engine(status=status) as refusing:
        with pytest.raises(problem):
            await refusing.status()


async def test_a_server_out_of_reach_may_be_asked_again() -> None:
    client = AsyncQdrantClient(url="http://127.0.0.1:9", check_compatibility=False)
    try:
        with pytest.raises(EngineDown) as down:
            await QdrantEngine(client, prefix="").status()
        assert down.value.extra["retry_after_seconds"]
    finally:
        await client.close()
