"""Which files `add` takes: the paths that were named, and what lies in the folders among them."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Source(NamedTuple):
    """A file to upload. `key`: its name, or its path within the folder that was named."""

    path: Path
    key: str
    size_bytes: int


class PassedOver(NamedTuple):
    """A path that is not uploaded; `failed` when it was to be, and cannot be."""

    path: Path
    reason: str
    failed: bool


def sources(paths: Sequence[Path]) -> Iterator[Source | PassedOver]:
    """Every file under `paths`, each once, folders in the order of their names.

    Inside a folder, hidden names are left out, and symbolic links are not followed: they may lead in a circle, or
    out of what was meant. A link that is named itself is followed.
    """
    seen: set[tuple[str, str]] = set()
    for path in paths:
        for found in _under(path) if path.is_dir() else [_source(path, path.name)]:
            mark = (os.path.realpath(found.path), getattr(found, "key", ""))
            if mark not in seen:
                seen.add(mark)
                yield found


def _under(folder: Path) -> Iterator[Source | PassedOver]:
    refused: list[PassedOver] = []

    def refuse(error: OSError) -> None:
        refused.append(PassedOver(Path(error.filename), _reason(error), failed=True))

    for here, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(here)
        for name in sorted(folders) + sorted(name for name in names if not name.startswith(".")):
            path = inside / name
            if path.is_symlink():
                yield PassedOver(path, "a symbolic link; name it to add what it leads to", failed=False)
            elif name not in folders:
                yield _source(path, path.relative_to(folder).as_posix(), named=False)
        yield from refused
        refused.clear()


def _source(path: Path, key: str, *, named: bool = True) -> Source | PassedOver:
    try:
        key.encode()
    except UnicodeEncodeError:
        return PassedOver(path, "its name is not UTF-8; rename it", failed=True)
    try:
        told = path.stat()
        if not stat.S_ISREG(told.st_mode):
            return PassedOver(path, "not a regular file", failed=named)
        path.open("rb").close()
    except OSError as refused:
        return PassedOver(path, _reason(refused), failed=True)
    return Source(path, key, told.st_size)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
