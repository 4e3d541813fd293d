"""Muniment for a bench: in this process at its contracts, or as the server that people start."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx

from muniment.app import ROOMS, SUBSCRIPTIONS
from muniment.collections.contract import Collections, CollectionTaken, CreateCollection
from muniment.documents.contract import ById, Documents, NewDocument, Run, Upload
from muniment.gateway.authenticate import Gate
from muniment.identity.contract import Identity
from muniment.kernel.blobs import Blobs
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.house import Builder, Ground, House
from muniment.kernel.logs import configure_logs
from muniment.kernel.model import Nothing
from muniment.kernel.settings import Configuration
from muniment.runfile import Running, read_run_file

START_SECONDS = 120
_READ_BYTES = 1 << 22
T = TypeVar("T")


@asynccontextmanager
async def house(
    data: Path, *, rooms: Mapping[type, Builder] | None = None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[House]:
    """All rooms in this process, those in `rooms` built as it says; `settings` as in the environment."""
    configure_logs("error", "console")
    configuration = Configuration.load(environment=dict(settings or {}), flags={"data": str(data)})
    async with AsyncExitStack() as stack:
        ground = Ground(
            data=data,
            database_url=f"sqlite:///{data}",
            blobs=Blobs.open((data / "blobs").as_uri()),
            secrets=(),
            subscribers={subscription.event: [] for subscription in SUBSCRIPTIONS},
            announcements={},
            mounted=[],
            addresses={},
            peers={},
        )
        yield House({**ROOMS, **(rooms or {})}, configuration, ground, stack)


async def admin(of: House) -> Caller:
    """The first admin with all that it is entitled to at present."""
    identity = await of.get(Identity)
    key = (await identity.local_key(Nothing())).key
    return await Gate(identity, await of.get(Collections)).admit(f"Bearer {key}", "bench")


async def collection(of: House, name: str) -> None:
    """Make the collection unless it is there."""
    with calling_as(await admin(of)):
        try:
            await (await of.get(Collections)).create(CreateCollection.model_validate({"name": name}))
        except CollectionTaken:
            return


async def ingest(of: House, name: str, documents: list[NewDocument]) -> Run:
    """Upload, and wait until every document is searchable or failed."""
    service = await of.get(Documents)
    with calling_as(await admin(of)):
        uploaded = await service.upload(Upload(collection=name, documents=tuple(documents)))
        assert uploaded.run is not None
        while True:
            run = await service.get_run(ById(id=uploaded.run))
            if run.state not in {"queued", "running"}:
                return run
            await asyncio.sleep(0.1)


@contextmanager
def server(data: Path, log: Path, settings: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`muniment up` on a free port, ready; `settings` as in the environment."""
    process = start(data, log, settings)
    try:
        yield ready(process, data, log)
    finally:
        process.terminate()
        process.wait(60)


def start(data: Path, log: Path, settings: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """Begin `muniment up`."""
    command = [sys.executable, "-m", "muniment", "up", "--data", str(data), "--port", "0"]
    with log.open("wb") as file:
        return subprocess.Popen(command, env=plain_environment() | dict(settings or {}), stdout=file, stderr=file)


def plain_environment() -> dict[str, str]:
    """This process's environment without settings of Muniment."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MUNIMENT_")}


def ready(process: "subprocess.Popen[bytes]", data: Path, log: Path) -> Running:
    """Wait until `/health/ready` says so."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        running = read_run_file(data)
        if running is not None and httpx.get(f"{running.address}/health/ready").is_success:
            return running
        time.sleep(0.01)
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rest(chunks: int, data: Path) -> None:
    """After a start an index reads ahead what searches ask for, while nobody asks: as long as that takes.

    Then the files below `data` are read once: some systems take out of their cache what nobody touched for a
    minute, and what a disk takes differs too much between two runs.
    """
    time.sleep(5 + chunks / 10_000)
    for file in filter(Path.is_file, data.rglob("*")):
        with suppress(FileNotFoundError), file.open("rb") as opened:
            while opened.read(_READ_BYTES):
                pass
