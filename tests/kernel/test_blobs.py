import asyncio
import os
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.blobs import get, put
from muniment.kernel.blobs import BadBlobKey, BlobMissing, Blobs, _checked
from muniment.kernel.problems import NotAvailable, TooLarge, Unavailable


@pytest.fixture
def blobs(tmp_path):
    return Blobs.open(f"file://{tmp_path}/blobs")


def files(tmp_path):
    return sorted(str(f.relative_to(tmp_path / "blobs")) for f in tmp_path.rglob("*") if f.is_file())


async def pieces(*parts):
    for part in parts:
        yield part


async def test_staged_then_adopted(blobs, tmp_path):
    body = os.urandom(3_000_000)
    staged = await blobs.stage(pieces(body[:1_500_000], body[1_500_000:]), limit_bytes=len(body))
    assert (staged.size_bytes, staged.sha256) == (len(body), sha256(body).hexdigest())
    await blobs.adopt(staged.key, "documents/doc_1/1")
    await blobs.adopt(staged.key, "documents/doc_1/1")
    assert files(tmp_path) == ["documents/doc_1/1"]
    assert await get(blobs, "documents/doc_1/1") == body
    assert b"".join([piece async for piece in blobs.stream("documents/doc_1/1")]) == body
    assert (await blobs.path("documents/doc_1/1")).read_bytes() == body


async def test_an_empty_blob_is_a_blob(blobs):
    staged = await blobs.stage(pieces(), limit_bytes=0)
    assert await get(blobs, staged.key) == b""


async def test_over_the_limit_nothing_is_kept(blobs, tmp_path):
    with pytest.raises(TooLarge) as caught:
        await blobs.stage(pieces(b"x" * 2_000_000, b"x" * 2_000_000), limit_bytes=3_999_999)
    assert caught.value.extra == {"limit_bytes": 3_999_999}
    assert files(tmp_path) == []


async def test_a_broken_or_cancelled_upload_leaves_nothing(blobs, tmp_path):
    reached = asyncio.Event()

    async def breaks():
        yield b"x" * 2_000_000
        raise ZeroDivisionError

    async def hangs():
        yield b"x" * 2_000_000
        reached.set()
        await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        await blobs.stage(breaks(), limit_bytes=10_000_000)
    task = asyncio.create_task(blobs.stage(hangs(), limit_bytes=10_000_000))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(tmp_path) == []


async def test_delete_repeats(blobs):
    await put(blobs, "a/b", b"1")
    await blobs.delete("a/b")
    await blobs.delete("a/b")
    assert not await blobs.exists("a/b")


async def test_what_is_not_there_is_missing(blobs):
    for asked in (blobs.keys("a"), blobs.path("a/b"), blobs.adopt("staging/x", "a/b")):
        with pytest.raises(BlobMissing):
            await asked
    with pytest.raises(BlobMissing):
        await anext(blobs.stream("a/b"))


async def test_the_keys_in_a_folder_are_listed(blobs):
    for key in ("documents/1", "documents/2", "models/3"):
        await put(blobs, key, b"x")
    assert sorted(await blobs.keys("documents")) == ["documents/1", "documents/2"]


async def test_sweep_takes_what_was_left_behind_and_nothing_else(blobs, tmp_path):
    await put(blobs, "documents/doc_1", b"kept")
    old, new = [await blobs.stage(pieces(b"1"), limit_bytes=1) for _ in range(2)]
    part = tmp_path / "blobs" / "staging" / "blob_killed#1"
    part.write_bytes(b"half")
    for path in (part, await blobs.path(old.key), await blobs.path("documents/doc_1")):
        os.utime(path, (1, 1))
    assert await blobs.sweep(3600) == 2
    assert files(tmp_path) == ["documents/doc_1", new.key]


@pytest.mark.parametrize(
    "key", ["", "/", "/etc/passwd", "a/../b", "..", "a//b", "a/", "./a", "a\\b", "a b", "ä", "a\n", "a#1", "%2e"]
)
async def test_tricky_keys_are_refused(blobs, key):
    for asked in (blobs.keys(key), blobs.delete(key), blobs.adopt("staging/x", key)):
        with pytest.raises(BadBlobKey):
            await asked


@given(st.text(max_size=30))
def test_no_key_leads_out_of_the_folder(key):
    try:
        _checked(key)
    except BadBlobKey:
        return
    assert os.path.normpath(key) == key
    assert not key.startswith("/")


def test_a_place_that_is_no_folder(tmp_path):
    with pytest.raises(NotAvailable, match="s3://bucket"):
        Blobs.open("s3://bucket")
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be written"):
        Blobs.open(f"file://{tmp_path}/file/blobs")
