import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from muniment.process import BoundedHead, HouseServer, bind


async def test_what_is_written_leaves_at_once():
    """Nagle's algorithm holds the second packet of an answer back until the first is acknowledged: 40 ms."""
    accepted = asyncio.get_running_loop().create_future()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = writer.get_extra_info("socket")
        accepted.set_result(held.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with contextlib.closing(bind("127.0.0.1", 0)) as listener:
        async with await asyncio.start_server(answer, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await accepted
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[tuple[str, int]]:
    """Where `app` answers."""
    ready = asyncio.Event()
    server = HouseServer(app, ready.set)
    with contextlib.closing(bind("127.0.0.1", 0)) as listener:
        listener.listen()
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await ready.wait()
        yield listener.getsockname()
        server.should_exit = True
        await task


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Read all that is sent, then say whether another request's context is seen here."""
    seen = leftover.get()
    leftover.set("somebody else's")
    more = scope["method"] == "POST"
    while more:
        more = (await receive())["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(seen))]})
    await send({"type": "http.response.body", "body": seen.encode()})


leftover: ContextVar[str] = ContextVar("leftover", default="nothing")


async def test_a_connection_keeps_nothing_of_the_request_before():
    """Its deadline, for one: a large body slows the reading down, and who speeds it up leaves traces."""
    async with serving(hello) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        size = 4_000_000
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size)
        await reader.readuntil(b"nothing")
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert (await reader.read(7)) == b"nothing"
        writer.close()


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET / HTTP/1.1\r\nX: ",
        b"GET /",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ",
    ],
    ids=["header", "address", "trailer"],
)
async def test_a_head_without_end_is_cut_off(beginning: bytes):
    async with serving(hello) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(beginning)
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                writer.write(b"a" * BoundedHead.most_bytes)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            assert b" 400 " in await reader.read()
        writer.close()


async def test_a_large_body_is_no_large_head():
    async with serving(hello) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1_000_000)
            assert (await reader.readuntil(b"nothing")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_who_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(BoundedHead, "most_seconds", 0.05)
    async with serving(hello) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\nX: a")
        assert await reader.read() == b""
        writer.close()
