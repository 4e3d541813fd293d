"""Bounds: how many documents may wait, and how full the disk may be, said before anything is taken."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.office import Office, text_document
from muniment.collections.contract import CollectionMissing
from muniment.documents.contract import Admit, ById, QueueFull, Upload
from muniment.kernel.model import now
from muniment.kernel.problems import Forbidden, Throttled, Unavailable


@pytest.fixture
async def busy(closed_office: Office) -> AsyncIterator[Office]:
    """Room for three documents, and nothing gets embedded before `go` is set."""
    office, go = closed_office, asyncio.Event()
    office.embedding.before = go.wait
    office.go = go  # type: ignore[attr-defined]
    async with office.opened(queue_limit=3):
        yield office
        go.set()


async def admit(office: Office, who: str = "ada", documents: int = 1) -> None:
    with office.asking(who) as room:
        await room.admit(Admit(collection="handbook", documents=documents))


def files(*names: str) -> list[Any]:
    return [text_document(name, f"The probe reads {name}.") for name in names]


async def test_a_full_queue_refuses_whole_uploads_and_keeps_nothing_of_them(busy: Office) -> None:
    first = await busy.upload("ada", *files("a.md", "b.md"))
    await admit(busy)
    with pytest.raises(QueueFull):
        await admit(busy, documents=2)
    with pytest.raises(QueueFull) as refused:
        await busy.upload("ada", *files("c.md", "d.md"))
    assert (refused.value.status, refused.value.retryable) == (429, True)
    assert isinstance(refused.value, Throttled)
    assert 2 <= (refused.value.retry_after_seconds or 0) <= 600
    assert [d.key for d in (await busy.listed("ada")).items] == ["a.md", "b.md"]
    assert list((Path(busy.blobs._folder) / "staging").iterdir()) == []
    await busy.upload("ada", *files("c.md"))
    with pytest.raises(QueueFull):
        await admit(busy)
    busy.go.set()  # type: ignore[attr-defined]
    await busy.over("ada", first.run)
    await busy.over("ada", (await busy.upload("ada", *files("d.md"))).run)


async def test_what_asks_for_no_ingestion_is_never_refused(busy: Office) -> None:
    uploaded = await busy.upload("ada", *files("a.md", "b.md", "c.md"))
    same = await busy.upload("ada", *files("a.md"))
    assert same.documents[0].duplicate
    assert uploaded.documents[0].run is not None
    with busy.asking("ada") as room:
        await room.cancel_run(ById(id=uploaded.documents[0].run))
    await busy.upload("ada", *files("d.md"))
    with busy.asking("ada") as room:
        await room.retry_run(ById(id=uploaded.documents[0].run))
    with pytest.raises(QueueFull):
        await admit(busy)


async def test_the_pause_grows_with_how_long_others_have_waited(
    busy: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await busy.upload("ada", *files("a.md", "b.md", "c.md"))
    real = now
    monkeypatch.setattr("muniment.documents.admission.now", lambda: real() + timedelta(seconds=300))
    with pytest.raises(QueueFull) as refused:
        await admit(busy)
    assert refused.value.retry_after_seconds == pytest.approx(100, abs=2)


async def test_only_members_are_told_of_the_queue(busy: Office) -> None:
    with pytest.raises(CollectionMissing):
        await admit(busy, "eve")
    with pytest.raises(Forbidden):
        await admit(busy, "root")


async def test_a_nearly_full_disk_takes_nothing_and_says_so(closed_office: Office) -> None:
    async with closed_office.opened(free_disk_mb=10**9) as room:
        for act in (lambda: admit(closed_office), lambda: closed_office.upload("ada", *files("a.md"))):
            with pytest.raises(Unavailable, match=r"the disk is full.*free some space") as refused:
                await act()
            assert refused.value.retry_after_seconds == 60
        assert (await closed_office.listed("ada")).items == ()
        del room


async def test_an_upload_is_counted_once(busy: Office) -> None:
    key = "again"
    with busy.asking("ada") as room:
        upload = Upload(collection="handbook", documents=tuple(files("a.md", "b.md", "c.md")), idempotency_key=key)
        assert await room.upload(upload) == await room.upload(upload)
