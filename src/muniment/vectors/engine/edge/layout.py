"""How an index lies on disk: `index.json` names the shard that counts; all else beside it is left over."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from muniment.kernel.model import Model

_ABOUT = "index.json"
_NUMBERED = "shard-"
_BLOCK_BYTES = 512


class About(Model):
    """What `index.json` says.

    `indexed` is what the engine counted when the shard had been built: every vector that had an index, keywords
    and all. Such a shard has a process of its own, so that it can be exchanged.
    """

    dimensions: int
    lean: bool = False
    shard: str = "shard"
    indexed: int = 0
    quantized: bool = False


def indexes(folder: Path) -> list[Path]:
    """The folders of all indexes that are complete."""
    if not folder.is_dir():
        return []
    return sorted(found for found in folder.iterdir() if (found / _ABOUT).is_file() and found.name[0] != ".")


def about(index: Path) -> About:
    """What there is to know before the shard is opened."""
    return About.model_validate_json((index / _ABOUT).read_bytes())


def keep(index: Path, what: About) -> None:
    """Write `index.json` in one step: after a crash at any point there is the old one or this."""
    written = index / f"{_ABOUT}.new"
    written.write_text(what.model_dump_json())
    sync(written)
    written.rename(index / _ABOUT)
    sync(index)


def following(what: About) -> str:
    """The name of the shard that comes after the present one."""
    return f"{_NUMBERED}{int(what.shard.removeprefix(_NUMBERED)) + 1 if _NUMBERED in what.shard else 2}"


def log_of(shard: str) -> str:
    """Where the operations are kept that this shard has still to take."""
    return f"log-of-{shard}"


def segments(shard: Path) -> int:
    """How many a shard has, those that still grow among them."""
    return len(list((shard / "segments").iterdir()))


def leftovers(index: Path) -> list[Path]:
    """What a build left behind that did not come to its end, or whose end was cut short."""
    kept = {_ABOUT, about(index).shard}
    return [found for found in index.iterdir() if found.name not in kept]


def clear(paths: Iterable[Path]) -> None:
    """Remove folders and files."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # what is still written to goes at the next start
        else:
            path.unlink()


def disk_bytes(folder: Path) -> int:
    """What a folder takes on the disk; its files may go while it is read."""
    total = 0
    for within, _, files in os.walk(folder):
        for file in files:
            with suppress(FileNotFoundError):
                total += (Path(within) / file).stat().st_blocks * _BLOCK_BYTES
    return total


def sync(path: Path) -> None:
    """Bring a file's or a folder's own data to the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
