"""Chunks at hand: read once, and never as they were before a write that was acknowledged."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.office import Office
from muniment.documents import registry
from muniment.documents.contract import ById, SetAccess, UpdateDocument
from muniment.kernel.database import Database

LEASES = "# Leases\n\nThe vault renews each lease every ten seconds.\n"
RESTARTS = "# Restarts\n\nThe kubelet restarts a container that fails.\n"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The chunks of each read of the database."""
    asked: list[tuple[str, ...]] = []
    passages: Callable[..., Any] = registry.passages

    async def noting(connection: AsyncConnection, chunks: Sequence[str], *more: Any) -> Sequence[Row[Any]]:
        asked.append(tuple(chunks))
        found: Sequence[Row[Any]] = await passages(connection, chunks, *more)
        return found

    monkeypatch.setattr(registry, "passages", noting)
    return asked


async def settled(office: Office, chunks: Sequence[str], read: list[tuple[str, ...]]) -> None:
    """Until the room has noted what became of its jobs and events: these are writes, too."""
    async with asyncio.timeout(10):
        while True:
            read.clear()
            await office.hydrated("ada", chunks)
            await asyncio.sleep(0.05)
            await office.hydrated("ada", chunks)
            if len(read) < 2:
                break
    read.clear()


async def test_what_was_read_is_not_read_again_until_a_write(
    sqlite_office: Office, read: list[tuple[str, ...]]
) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES)
    chunks = sqlite_office.all_chunks()
    await settled(sqlite_office, chunks, read)
    assert await sqlite_office.hydrated("ada", chunks) == await sqlite_office.hydrated("ada", chunks)
    assert not await sqlite_office.hydrated("eve", chunks)  # at hand, and not theirs to read
    assert not read
    with sqlite_office.asking("ada") as room:
        await room.update(UpdateDocument(id=put.id or "", title="Renewals"))
    assert {p.document.title for p in await sqlite_office.hydrated("ada", chunks)} == {"Renewals"}
    assert len(read) == 1


async def test_only_what_is_not_at_hand_is_read(sqlite_office: Office, read: list[tuple[str, ...]]) -> None:
    await sqlite_office.put("ada", "a.md", LEASES)
    first = sqlite_office.all_chunks()
    await sqlite_office.put("ada", "b.md", RESTARTS)
    both = sqlite_office.all_chunks()
    await settled(sqlite_office, first, read)
    assert len(await sqlite_office.hydrated("ada", both)) == len(both)
    assert [set(asked) for asked in read] == [set(both) - set(first)]


async def test_a_revocation_and_a_deletion_are_in_force_at_once(
    sqlite_office: Office, read: list[tuple[str, ...]]
) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES, grants=("user:eve",))
    chunks = sqlite_office.all_chunks()
    await settled(sqlite_office, chunks, read)
    assert len(await sqlite_office.hydrated("eve", chunks)) == len(chunks)
    assert not read
    with sqlite_office.asking("ada") as room:
        await room.set_access(SetAccess(id=put.id or "", grants=()))
    assert not await sqlite_office.hydrated("eve", chunks)
    assert len(await sqlite_office.hydrated("ada", chunks)) == len(chunks)
    with sqlite_office.asking("ada") as room:
        await room.delete(ById(id=put.id or ""))
    assert not await sqlite_office.hydrated("ada", chunks)


async def test_what_is_large_is_read_each_time(sqlite_office: Office, read: list[tuple[str, ...]]) -> None:
    await sqlite_office.put("ada", "a.md", LEASES, metadata={"links": "x" * 8000})
    chunks = sqlite_office.all_chunks()
    read.clear()
    for _ in range(2):
        assert len(await sqlite_office.hydrated("ada", chunks)) == len(chunks)
    assert len(read) == 2


async def test_of_a_document_no_two_versions_are_shown(
    sqlite_office: Office, read: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqlite_office.put("ada", "a.md", LEASES)
    before = sqlite_office.all_chunks()
    monkeypatch.setattr(Database, "own_mark", property(lambda _: "still"))  # of a commit that is not noted yet
    read.clear()
    assert len(await sqlite_office.hydrated("ada", before)) == len(before)
    await sqlite_office.put("ada", "a.md", RESTARTS)
    both = [*before, *(chunk for chunk in sqlite_office.all_chunks() if chunk not in before)]
    assert {p.document.version for p in await sqlite_office.hydrated("ada", both)} == {2}
    assert len(read) == 3


async def test_of_a_document_no_two_states_are_shown(
    sqlite_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = await sqlite_office.put("ada", "a.md", LEASES + 400 * "The vault tells who asks for it. ")
    chunks = sqlite_office.all_chunks()
    assert len(chunks) > 1
    monkeypatch.setattr(Database, "own_mark", property(lambda _: "still"))
    assert len(await sqlite_office.hydrated("ada", chunks[:1])) == 1
    with sqlite_office.asking("ada") as room:
        await room.update(UpdateDocument(id=put.id or "", title="Renewals"))
    assert {p.document.title for p in await sqlite_office.hydrated("ada", chunks)} == {"Renewals"}
