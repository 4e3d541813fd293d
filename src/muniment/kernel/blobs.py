"""Blobs: bytes under a key, in a folder. They arrive in staging, and last once a room adopts them."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from muniment.kernel.ids import new_id
from muniment.kernel.model import Model, now
from muniment.kernel.problems import NotAvailable, Problem, TooLarge, Unavailable

_STAGING = "staging"
_BUFFER_BYTES = 1 << 20
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


class BlobMissing(Problem, status=404):
    """No blob is kept under that key."""


class BadBlobKey(Problem, status=422):
    """A key is parts of letters, digits, `.`, `_` and `-`, joined by `/`; no part starts with a dot."""


class Staged(Model):
    """Bytes that have arrived and are on disk, and belong to nobody yet."""

    key: str
    size_bytes: int
    sha256: str


class Blobs:
    """The blobs of one store. What a method has answered for is on disk, whole or not at all."""

    def __init__(self, store: LocalStore, folder: Path) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def open(cls, url: str) -> Self:
        """The blobs at `url`, `file:///an/absolute/folder`, which is created.

        Raises NotAvailable for other schemes and Unavailable when the folder cannot be written.
        """
        parts = urlsplit(url)
        if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
            raise NotAvailable(
                f"blobs cannot be kept at {url}: give a folder, as in file:///var/lib/muniment/blobs"
            )
        folder = Path(unquote(parts.path))
        try:
            (folder / _STAGING).mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            raise Unavailable(f"the blob folder {folder} cannot be written: {failure.strerror}") from failure
        return cls(LocalStore(folder), folder)

    async def stage(self, chunks: AsyncIterator[bytes], *, limit_bytes: int) -> Staged:
        """Keep bytes as they arrive, holding about a megabyte of them in memory.

        Raises TooLarge over the limit; then, or when `chunks` fails or is cancelled, nothing is kept.
        """
        key, size, digest = f"{_STAGING}/{new_id('blob')}", 0, sha256()
        with _plain(key):
            async with obstore.open_writer_async(self._store, key, buffer_size=_BUFFER_BYTES) as writer:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > limit_bytes:
                        raise TooLarge(f"over the limit of {limit_bytes} bytes", limit_bytes=limit_bytes)
                    digest.update(chunk)
                    await writer.write(chunk)
            await self._sync(key)
        return Staged(key=key, size_bytes=size, sha256=digest.hexdigest())

    async def adopt(self, staged_key: str, key: str) -> None:
        """Move a staged blob under a room's own key; done already is done.

        Raises BlobMissing when neither is there.
        """
        source, target = _checked(staged_key), _checked(key)
        try:
            with _plain(source):
                await obstore.rename_async(self._store, source, target)
        except BlobMissing:
            if not await self.exists(target):
                raise
        await self._sync(target)

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The blob in pieces of about a megabyte.

        Raises BlobMissing before the first piece.
        """
        with _plain(_checked(key)):
            found = await obstore.get_async(self._store, key)
            async for piece in found.stream(min_chunk_size=_BUFFER_BYTES):
                yield bytes(piece)

    async def exists(self, key: str) -> bool:
        """Whether a blob is kept under `key`."""
        try:
            with _plain(_checked(key)):
                await obstore.head_async(self._store, key)
        except BlobMissing:
            return False
        return True

    async def delete(self, key: str) -> None:
        """Forget the blob; none there is as well."""
        try:
            with _plain(_checked(key)):
                await obstore.delete_async(self._store, key)
        except BlobMissing:
            return

    async def keys(self, folder: str) -> list[str]:
        """Every key that is `folder/` and one part more."""
        with _plain(_checked(folder)):
            names = await asyncio.to_thread(os.listdir, self._folder / folder)
        return [f"{folder}/{name}" for name in names]

    async def path(self, key: str) -> Path:
        """A local file with the blob's bytes, for libraries that read files only; not to be written.

        Raises BlobMissing.
        """
        if not await self.exists(key):
            raise BlobMissing(f"no blob {key}", key=key)
        return self._folder / key

    async def sweep(self, older_than_seconds: float) -> int:
        """Forget what was staged that long ago and never adopted, and how many that were."""
        return await asyncio.to_thread(self._sweep, now() - timedelta(seconds=older_than_seconds))

    def _sweep(self, before: datetime) -> int:
        # Read from the folder, not through obstore, which hides the parts that a killed process left behind.
        swept = 0
        for file in (self._folder / _STAGING).iterdir():
            with suppress(FileNotFoundError):  # adopted or deleted meanwhile
                if file.stat().st_mtime < before.timestamp():
                    file.unlink()
                    swept += 1
        return swept

    async def _sync(self, key: str) -> None:
        # obstore renames into place but flushes nothing: a power cut could lose an acknowledged blob.
        await asyncio.to_thread(_flush, self._folder, self._folder / key)


async def local_file(store: str, key: str) -> Path:
    """The file of a blob in the store at that URL; a folder is read as it is, for it may be read-only.

    Raises BlobMissing.
    """
    parts = urlsplit(store)
    file = Path(unquote(parts.path)) / _checked(key)
    if parts.scheme == "file" and await asyncio.to_thread(file.is_file):
        return file
    return await Blobs.open(store).path(key)


def _flush(folder: Path, file: Path) -> None:
    for path in (file, *(parent for parent in file.parents if parent.is_relative_to(folder))):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _checked(key: str) -> str:
    if not all(_PART.fullmatch(part) for part in key.split("/")):
        raise BadBlobKey(f"{key!r} is no key of a blob: {BadBlobKey.__doc__}")
    return key


@contextmanager
def _plain(key: str) -> Iterator[None]:
    """The store's failures in the caller's words."""
    try:
        yield
    except FileNotFoundError as absent:
        raise BlobMissing(f"no blob {key}", key=key) from absent
    except (BaseError, OSError) as failure:
        first_line = str(failure).splitlines()[0]
        raise Unavailable(
            f"the blob store failed on {key}: {first_line}; is the disk full or read-only?"
        ) from failure
