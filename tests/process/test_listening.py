import asyncio
import contextlib
import socket

from muniment.process import bind


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
