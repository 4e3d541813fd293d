"""A collection whose second index is built, switched to, gone back from and dropped."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.office import Office
from muniment.collections.contract import (
    IndexState,
    OfCollection,
    PrepareIndex,
)
from muniment.documents.contract import Reconcile, Run
from muniment.kernel.caller import calling_as
from muniment.kernel.model import Nothing
from muniment.retrieval.contract import Search
from retrieval.conftest import retrieval_over

HANDBOOK = OfCollection(collection="handbook")
OTHER = PrepareIndex(collection="handbook", recipe="structure-200")
FIRST, SECOND = "m.structure-160.1", "m.structure-200.2"
LONG = " ".join(f"The probe reads temperature {n} of load in words." for n in range(600))


@pytest.fixture
async def office(tmp_path: Path, database_url: str, tokenizer_file: Path) -> AsyncIterator[Office]:
    """A room whose dropped indexes are cleared at once; mia manages the handbook."""
    office = staffed(tmp_path, database_url, tokenizer_file)
    async with office.opened(dropped_index_seconds=0):
        yield office


@pytest.fixture
async def light(tmp_path: Path, sqlite_url: str, tokenizer_file: Path) -> AsyncIterator[Office]:
    """The same for what does not depend on the database."""
    office = staffed(tmp_path, sqlite_url, tokenizer_file)
    async with office.opened(dropped_index_seconds=0):
        yield office


def staffed(folder: Path, database_url: str, tokenizer: Path) -> Office:
    office = Office.staffed(folder, database_url, tokenizer)
    office.user("mia", member_of=["handbook"], manager_of=["handbook"], clearance="confidential")
    return office


async def begun(office: Office, request: PrepareIndex = OTHER) -> Run:
    with office.asking("mia") as room:
        return await room.build_index(request)


async def built(office: Office, request: PrepareIndex = OTHER) -> Run:
    return await office.over("mia", (await begun(office, request)).id)


async def state(office: Office) -> IndexState:
    with office.asking("mia") as room:
        return await room.index_status(HANDBOOK)


async def switched(office: Office) -> IndexState:
    with office.asking("mia") as room:
        return await room.switch_index(HANDBOOK)


async def dropped(office: Office) -> IndexState:
    with office.asking("mia") as room:
        return await room.drop_index(HANDBOOK)


async def found(office: Office, who: str = "ben", *, everywhere: bool = False, query: str = "words") -> list[str]:
    """The texts that a search finds."""
    asked = Search(query=query, collections=None if everywhere else ("handbook",), limit=200)
    with calling_as(office.callers[who]):
        return sorted(hit.chunk.text for hit in (await retrieval_over(office).search(asked)).hits)


async def clean(office: Office) -> None:
    """Until nothing is on its way, and nothing is amiss."""
    async with asyncio.timeout(20):
        while True:
            with office.asking("root") as room:
                found = await room.reconcile(Reconcile())
                runs = (await room.status(Nothing())).runs
            if not found.discrepancies and not runs["queued"] + runs["running"]:
                return
            await asyncio.sleep(0.02)


def points(office: Office, index: str) -> int:
    return len(office.vectors.points.get(index, {}))
