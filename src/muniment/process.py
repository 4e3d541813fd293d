"""One process of a house on this machine: its data folder and locks, its port, `run.json`, its end."""

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import gc
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from opentelemetry import trace
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from muniment.app import CONTRACTS, Opened, contracts_of, data_folder, open_house
from muniment.documents.contract import Documents
from muniment.identity.contract import Identity
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.contract import room_of
from muniment.kernel.extras import late
from muniment.kernel.house import House
from muniment.kernel.logs import configure_logs, get_logger
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Problem
from muniment.kernel.settings import Configuration, ProcessSettings
from muniment.runfile import RUN_FILE, Running, lock_file, open_data_folder, read_run_file, run_file

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE_BYTES = 1 << 20
_COLLECT_AFTER = 10_000, 20, 20
"""Objects: to look for circles of garbage after every 700, which is the custom, is an eighth of a house's work."""

_log = get_logger(__name__)


class DataFolderBusy(Problem, status=409):
    """Another process serves the same room from the same data folder."""


class PortTaken(Problem, status=409):
    """Something else listens on the address, or the address is not this machine's."""


@contextmanager
def holding(data: Path, rooms: Sequence[str]) -> Iterator[None]:
    """Hold each room's lock in the data folder, so that no second process serves it from there.

    Raises DataFolderBusy.
    """
    with contextlib.ExitStack() as stack:
        for room in rooms:
            path = lock_file(data, room)
            path.parent.mkdir(exist_ok=True)
            file = stack.enter_context(path.open("a"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as busy:
                other = read_run_file(data)
                where = f" at {other.address} (process {other.pid})" if other else ""
                raise DataFolderBusy(
                    f"Muniment already runs{where} on {data}; use it, stop it with `muniment stop`, "
                    "or give another folder with --data"
                ) from busy
        yield


def bind(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises PortTaken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Its protocol by name: asyncio sends small packets at once only on sockets that say they are TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as refused:
        listener.close()
        taken = refused.errno == errno.EADDRINUSE
        cure = "another port with --port, or stop what listens there" if taken else "another with --host or --port"
        raise PortTaken(f"cannot listen on {host}:{port} ({refused.strerror}); give {cure}") from refused
    return listener


def serve(
    configuration: Configuration,
    rooms: Sequence[str] = (),
    *,
    idle_seconds: float | None = None,
    started: Callable[[str, Opened], None] = lambda _address, _opened: None,
) -> None:
    """Serve the named rooms (none: all) until a signal, or until nobody asked for `idle_seconds`.

    `started` is called once with the address, when the first request can be answered. Raises Problems with the
    cure when something of the operator's stands in the way.
    """
    process = configuration.section("", ProcessSettings)
    configure_logs(process.log_level, process.log_format)
    give_back_what_is_freed()
    gc.set_threshold(*_COLLECT_AFTER)
    _export_spans()
    data = data_folder(configuration)
    open_data_folder(data)
    served = [room_of(c) for c in contracts_of(rooms)]
    with holding(data, served):
        if len(served) == len(CONTRACTS):  # what a killed process left behind would name a dead address
            (data / RUN_FILE).unlink(missing_ok=True)
        asyncio.run(_serve(configuration, rooms, data, idle_seconds, started))


def give_back_what_is_freed() -> None:
    """Let large blocks be the system's own, which it has again once they are freed.

    The GNU C library would learn from the first of them to keep the next: each thread that ever read a large
    document would hold as much for ever. Other libraries have no such habit, and nothing to be told.
    """
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None:
        tell(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        tell(_M_TRIM_THRESHOLD, _LARGE_BYTES)


class BoundedHead(HttpToolsProtocol):
    """HTTP/1.1 on one connection, whose head (or trailer) may neither grow nor dawdle without end.

    The parser gathers a head in memory, each header by copying it anew for every packet: one that goes on and on
    would stop this process for everybody.
    """

    most_bytes = 65_536
    most_seconds = 30.0

    # uvicorn narrows the argument of asyncio's protocol; a listener makes nothing else.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._patience = self.loop.call_later(self.most_seconds, transport.close)

    def data_received(self, data: bytes) -> None:
        """What comes in one packet with the end of the head counts as body."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > self.most_bytes and not self.transport.is_closing():
            self.send_400_response(f"The head of a request is at most {self.most_bytes} bytes.")

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._patience.cancel()
        self._patience = self.loop.call_later(self.most_seconds, self.transport.close)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_bytes = 0
        self._patience.cancel()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """What is no head is bounded by who reads it."""
        self._head_bytes = 0
        super().on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._patience.cancel()
        super().connection_lost(exc)


class HouseServer(uvicorn.Server):
    """A server that tells when its first request can be answered."""

    def __init__(self, app: ASGIApp, started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedHead,
                # Else a connection that was slowed down once keeps that request's deadline and caller for ever.
                reset_contextvars=True,
                ws="none",
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=5,
                server_header=False,
            )
        )
        self._then = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End by a signal like any other end: uvicorn would raise it again before the house is closed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._then()


def _export_spans() -> None:
    """Send spans to the collector that OpenTelemetry's own variable names, if it names one."""
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        sdk = late("opentelemetry.sdk.trace", extra="otlp")
        export = late("opentelemetry.sdk.trace.export", extra="otlp")
        otlp = late("opentelemetry.exporter.otlp.proto.http.trace_exporter", extra="otlp")
        provider = sdk.TracerProvider()
        provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
        trace.set_tracer_provider(provider)


async def _serve(
    configuration: Configuration,
    rooms: Sequence[str],
    data: Path,
    idle_seconds: float | None,
    started: Callable[[str, Opened], None],
) -> None:
    process = configuration.section("", ProcessSettings)
    with contextlib.closing(bind(process.host, process.port)) as listener:
        async with open_house(configuration, rooms) as opened:
            host, port = listener.getsockname()[:2]
            address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            busy = _Busy(opened.application)
            server = HouseServer(busy, lambda: started(address, opened))
            watch = asyncio.create_task(_stop_when_idle(server, busy, idle_seconds, opened.house))
            try:
                # Who reads `run.json` a moment before the server accepts waits, and is not refused.
                listener.listen()
                async with _announced(data, address, opened, rooms):
                    await server.serve(sockets=[listener])
            finally:
                watch.cancel()


@asynccontextmanager
async def _announced(data: Path, address: str, opened: Opened, rooms: Sequence[str]) -> AsyncIterator[None]:
    """`run.json`, when all rooms are served: the command line needs them all."""
    if rooms and set(rooms) != set(CONTRACTS):
        yield
        return
    key = await (await opened.house.get(Identity)).local_key(Nothing())
    running = Running(address=address, pid=os.getpid(), key=key.key, first_start=bool(opened.announcements))
    with run_file(data, running):
        yield


class _Busy:
    """ASGI middleware that knows how long nobody has asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._open, self._last = app, 0, time.monotonic()

    @property
    def idle_seconds(self) -> float:
        return 0.0 if self._open else time.monotonic() - self._last

    def touch(self) -> None:
        """Count as if somebody had asked now."""
        self._last = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._last = time.monotonic()


async def _stop_when_idle(server: uvicorn.Server, busy: _Busy, idle_seconds: float | None, house: House) -> None:
    """An ingest that nobody waits for is no idleness: the time counts from its end."""
    while idle_seconds is not None:
        await asyncio.sleep(min(idle_seconds, 1.0))
        if busy.idle_seconds < idle_seconds:
            continue
        if not await _at_work(house):
            server.should_exit = True
            return
        busy.touch()


async def _at_work(house: House) -> bool:
    """Whether runs are under way or wait; a room that cannot say so now is not cut off either."""
    try:
        with calling_as(Caller.system("idle")):
            runs = (await (await house.get(Documents)).status(Nothing())).runs
    except Problem as problem:
        _log.warning("idleness unknown", detail=problem.detail)
        return True
    return any(runs.get(state) for state in ("queued", "running"))
