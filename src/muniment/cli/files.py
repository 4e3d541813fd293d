"""Which files `add` takes: the paths that were named, and what lies in the folders among them."""

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from muniment.cli.ignoring import Ignored


class Source(NamedTuple):
    """A file to upload. `key`: its name, or its path within the folder that was named.

    `changed_ns` and `size_bytes` are as they were when the file was found.
    """

    path: Path
    key: str
    size_bytes: int
    changed_ns: int


class PassedOver(NamedTuple):
    """A path that is not uploaded; `failed` when it was to be, and cannot be. `key`: what it would have had."""

    path: Path
    key: str
    reason: str
    failed: bool


def sources(paths: Sequence[Path], *, ignoring: bool = True) -> Iterator[Source | PassedOver]:
    """Every file under `paths`, each once, folders in the order of their names.

    Inside a folder, hidden names and what `.gitignore` and `.munimentignore` name are left out, and symbolic links
    are not followed: they may lead in a circle, or out of what was meant. What is named itself is taken. A path
    that is not there is a pattern when it has `*`, `?` or `[` in it.
    """
    seen: set[tuple[str, str]] = set()
    for path in paths:
        for found in _named(path, ignoring=ignoring):
            mark = (os.path.realpath(found.path), found.key)
            if mark not in seen:
                seen.add(mark)
                yield found


def _named(path: Path, *, ignoring: bool) -> Iterator[Source | PassedOver]:
    if path.is_dir():
        yield from _under(path, path, Ignored.above(path) if ignoring else None)
    elif not os.path.lexists(path) and glob.has_magic(str(path)):
        yield from _matching(path)
    else:
        yield _source(path, path.name)


def _matching(pattern: Path) -> Iterator[Source | PassedOver]:
    """The files that a pattern matches; their keys begin where its first wildcard does."""
    parts = pattern.parts
    fixed = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:fixed])
    files = [path for path in sorted(base.glob(str(Path(*parts[fixed:])))) if not path.is_dir()]
    if not files:
        yield PassedOver(pattern, pattern.name, "matches no file", failed=True)
    for path in files:
        yield _source(path, path.relative_to(base).as_posix())


def _under(top: Path, folder: Path, above: Ignored | None) -> Iterator[Source | PassedOver]:
    rules = None if above is None else above.within(folder)
    try:
        entries = sorted(folder.iterdir())
    except OSError as refused:
        yield PassedOver(folder, folder.relative_to(top).as_posix(), _reason(refused), failed=True)
        return
    for path in entries:
        if path.name.startswith(".") or (rules is not None and path in rules):
            continue
        key = path.relative_to(top).as_posix()
        if path.is_symlink():
            yield PassedOver(path, key, "a symbolic link; name it to add what it leads to", failed=False)
        elif path.is_dir():
            yield from _under(top, path, rules)
        else:
            yield _source(path, key, named=False)


def _source(path: Path, key: str, *, named: bool = True) -> Source | PassedOver:
    try:
        key.encode()
    except UnicodeEncodeError:
        return PassedOver(path, key, "its name is not UTF-8; rename it", failed=True)
    try:
        told = path.stat()
        if not stat.S_ISREG(told.st_mode):
            return PassedOver(path, key, "not a regular file", failed=named)
        path.open("rb").close()
    except OSError as refused:
        return PassedOver(path, key, _reason(refused), failed=True)
    return Source(path, key, told.st_size, told.st_mtime_ns)


def has_changed(source: Source) -> bool:
    """Whether the file is another than the one that was found."""
    try:
        told = source.path.stat()
    except OSError:
        return True
    return (told.st_size, told.st_mtime_ns) != (source.size_bytes, source.changed_ns)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
