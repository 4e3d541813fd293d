"""A blob from and to bytes, through what the rooms use."""

from collections.abc import AsyncIterator

from muniment.kernel.blobs import Blobs


async def put(blobs: Blobs, key: str, data: bytes) -> None:
    """Keep `data` under `key`."""

    async def once() -> AsyncIterator[bytes]:
        yield data

    await blobs.adopt((await blobs.stage(once(), limit_bytes=len(data))).key, key)


async def get(blobs: Blobs, key: str) -> bytes:
    """The whole blob."""
    return b"".join([piece async for piece in blobs.stream(key)])
