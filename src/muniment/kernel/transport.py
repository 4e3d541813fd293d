"""The seam between rooms and the HTTP library that carries their calls: one method."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from muniment.kernel.extras import late
from muniment.kernel.problems import Unavailable

if TYPE_CHECKING:
    import aiohttp


class Reply(Protocol):
    """An answer whose body has not been read yet."""

    status: int

    async def read(self) -> bytes:
        """The whole body."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        ...


class Transport(Protocol):
    """Carries a POST to the process where a room runs."""

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Reply]:
        """Raises Unavailable when nobody answers, or the connection breaks while the answer is read."""
        ...


class _AiohttpReply:
    def __init__(self, reply: "aiohttp.ClientResponse") -> None:
        self._reply, self.status = reply, reply.status

    async def read(self) -> bytes:
        return await self._reply.read()

    def chunks(self) -> AsyncIterator[bytes]:
        return self._reply.content.iter_any()


class _AiohttpTransport:
    def __init__(
        self, session: "aiohttp.ClientSession", address: str, broken: "type[aiohttp.ClientError]"
    ) -> None:
        self._session, self._address, self._broken = session, address, broken

    @asynccontextmanager
    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> AsyncIterator[Reply]:
        try:
            async with self._session.post(self._address + path, data=body, headers=headers) as reply:
                yield _AiohttpReply(reply)
        except (self._broken, OSError) as broken:
            raise Unavailable(f"nobody answers at {self._address}: {broken or type(broken).__name__}") from broken


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Transport]:
    """A transport to the process at `address` (`http://host:port`), with its own pool of connections."""
    # A house of one process never calls another: it need not wait for the library.
    http = late("aiohttp")
    connector = http.TCPConnector(limit=256, keepalive_timeout=30)
    timeout = http.ClientTimeout(total=None, sock_connect=5)
    async with http.ClientSession(connector=connector, timeout=timeout) as session:
        yield _AiohttpTransport(session, address.rstrip("/"), http.ClientError)
