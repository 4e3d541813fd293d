"""A full disk in the middle of an ingestion: said, nothing lost, and it goes on when there is room."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kit.office import Office, text_document
from muniment.kernel.problems import Unavailable

TEXT = "\n\n".join(f"# Part {n}\n\nThe probe reads temperature of load and warns driver." for n in range(120))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    asked = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.run(asked, check=False).returncode:
        pytest.skip("only root can mount a disk that is soon full")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room at all."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


async def test_ingestion_goes_on_when_there_is_room(small_disk: Path, tokenizer_file: Path) -> None:
    office = Office.staffed(small_disk, f"sqlite:///{small_disk}", tokenizer_file)
    go, held = asyncio.Event(), asyncio.Event()

    async def before() -> None:
        held.set()
        await go.wait()

    office.embedding.before = before
    async with office.opened(free_disk_mb=1):
        uploaded = await office.upload("ada", text_document("a.md", TEXT), text_document("b.md", "One."))
        await held.wait()
        filler = await asyncio.to_thread(fill, small_disk)
        with capture_logs() as logs:
            go.set()
            await office.settled(lambda: any(entry["event"] == "stalled" for entry in logs))
        with pytest.raises(Unavailable, match="the disk is full"):
            await office.upload("ada", text_document("c.md", "More."))
        filler.unlink()
        assert (await office.over("ada", uploaded.run, seconds=60)).state == "succeeded"
        assert [d.version for d in (await office.listed("ada")).items] == [1, 1]
        assert len(await office.passages("ada")) == len(set(office.all_chunks()))
        put = await office.put("ada", "c.md", "More.")
        assert put.version == 1


async def test_a_file_larger_than_the_disk_is_refused_and_leaves_nothing(
    small_disk: Path, tokenizer_file: Path
) -> None:
    office = Office.staffed(small_disk, f"sqlite:///{small_disk}", tokenizer_file)
    async with office.opened(free_disk_mb=1):
        with pytest.raises(Unavailable, match="full"):
            await office.upload("ada", text_document("huge.txt", "The probe reads. " * 1_500_000))
        assert list((small_disk / "blobs" / "staging").iterdir()) == []
        # A thread may still be about to close what was removed.
        await office.settled(lambda: shutil.disk_usage(small_disk).free > 2_000_000)
        assert (await office.put("ada", "a.md", "The probe reads.")).version == 1


async def test_a_job_that_meets_a_full_index_waits_with_its_reason(sqlite_office: Office) -> None:
    office = sqlite_office
    office.vectors.fails["upsert"] = Unavailable("the disk is full; free some", retry_after_seconds=300)
    uploaded = await office.upload("ada", text_document("a.md", "The probe reads."))
    run = await office.until("ada", uploaded.run, lambda found: found.state == "queued" and found.attempts == 1)
    assert run.problem is not None
    assert "the disk is full" in str(run.problem["detail"])
    assert run.next_attempt_at is not None
