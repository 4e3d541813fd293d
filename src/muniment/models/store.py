"""The cache of models: a folder for each revision, whole or not there; several processes may share it.

`<name>/<revision>/` holds a revision's files and, written last, its manifest. `<name>/added.json` says what was
brought in by hand under that name.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from muniment.kernel.model import Model
from muniment.models.contract import FileRef, Files, LlmFiles, ModelUnavailable
from muniment.models.parts import hash_of

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_MANIFEST, _ADDED, _LOCK, _WORK = "manifest.json", "added.json", "lock", ".work-"
_LOCK_POLL_SECONDS = 0.1


class Wanted(Model):
    """A model to bring in: from which folder or commit of a hub, and what was said with it."""

    source: str
    file: str | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None


class Added(Wanted):
    """A model brought in, and what its files hashed to: together, and those of a hub each.

    `revision` where the form of the weights does not decide it.
    """

    contents: str
    kind: Literal["embedding", "reranker"] = "embedding"
    revision: str | None = None
    hashes: dict[str, str] = Field(default={})


class _Manifest(Model):
    files: Annotated[Files, Field(discriminator="kind")]


def is_name(name: str) -> bool:
    """Whether a model may be called so: it becomes a folder and part of a blob's key."""
    return _NAME.fullmatch(name) is not None


class Cache:
    """The models kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._checked: set[Path] = set()

    @property
    def url(self) -> str:
        """The folder as a blob store."""
        return self.folder.absolute().as_uri()

    def find(self, name: str, revision: str) -> Files | None:
        """The files of that revision, if they are here, whole and unharmed.

        Each file's checksum is compared once in this object's life.
        """
        folder = self.folder / name / revision
        try:
            files = _Manifest.model_validate_json((folder / _MANIFEST).read_bytes()).files
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None
        for ref in refs(files):
            path = self.folder / ref.key
            if not path.is_file() or path.stat().st_size != ref.size_bytes:
                return None
            if path not in self._checked and hash_of(path) != ref.sha256:
                return None
            self._checked.add(path)
        return placed(files, self.url)

    def added(self, name: str) -> Added | None:
        """What was brought in by hand under that name, if anything."""
        try:
            return Added.model_validate_json((self.folder / name / _ADDED).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self) -> list[str]:
        """The names under which something was brought in by hand."""
        return sorted(file.parent.name for file in self.folder.glob(f"*/{_ADDED}"))

    def note(self, name: str, added: Added | None) -> None:
        """Remember what was brought in by hand, or that the name is the bundled model's again."""
        file = self.folder / name / _ADDED
        if added is None:
            file.unlink(missing_ok=True)
            return
        fresh = file.with_suffix(f".{os.getpid()}")
        _write(fresh, added.model_dump_json().encode())
        fresh.replace(file)

    def forget(self, name: str) -> None:
        """Remove what was brought in under that name, and every revision of it.

        Raises ModelUnavailable when the cache cannot be written.
        """
        home = self.folder / name
        try:
            (home / _ADDED).unlink(missing_ok=True)
            for inner in home.iterdir() if home.is_dir() else ():
                if inner.is_dir() and not inner.name.startswith(_WORK):
                    shutil.rmtree(inner)
        except OSError as failure:
            raise ModelUnavailable(f"{home} cannot be removed: {failure.strerror}") from failure
        self._checked = {path for path in self._checked if not path.is_relative_to(home)}

    @contextlib.asynccontextmanager
    async def working(self, name: str) -> AsyncIterator[Path]:
        """An empty folder to prepare `name` in, while no other process prepares it; swept afterwards.

        Raises ModelUnavailable when the cache cannot be written.
        """
        home = self.folder / name
        try:
            home.mkdir(parents=True, exist_ok=True)
            with (home / _LOCK).open("w") as lock:
                while not _locked(lock.fileno()):  # noqa: ASYNC110 - another process holds it
                    await asyncio.sleep(_LOCK_POLL_SECONDS)
                # The lock is ours, so whoever left these was killed.
                for left in home.glob(f"{_WORK}*"):
                    shutil.rmtree(left, ignore_errors=True)
                work = Path(mkdtemp(prefix=_WORK, dir=home))
                try:
                    yield work
                finally:
                    shutil.rmtree(work, ignore_errors=True)
        except OSError as failure:
            raise ModelUnavailable(
                f"the model cache {self.folder} cannot be written: {failure.strerror or failure}; "
                "free some space or set models.cache to another folder"
            ) from failure

    def ref(self, name: str, revision: str, file: Path) -> FileRef:
        """The file, prepared under `name`, as it will be called once `keep` has moved it."""
        return FileRef(
            store="",
            key=f"{name}/{revision}/{file.name}",
            size_bytes=file.stat().st_size,
            sha256=hash_of(file),
        )

    def keep(self, files: Files, work: Path) -> Files:
        """Move the prepared files from `work` to their place, in one step."""
        home = self.folder / files.name / files.revision
        fresh = work / "keep"
        fresh.mkdir()
        for ref in refs(files):
            file = (work / Path(ref.key).name).rename(fresh / Path(ref.key).name)
            _flush(file)
            self._checked.add(self.folder / ref.key)
        _write(fresh / _MANIFEST, _Manifest(files=files).model_dump_json(indent=1).encode())
        if home.exists():  # damaged, or it would have been used
            home.rename(work / "damaged")
        fresh.rename(home)
        _flush(home.parent)
        return placed(files, self.url)


def refs(files: Files) -> tuple[FileRef, ...]:
    """The files by reference."""
    return tuple(_parts(files).values())


def placed(files: Files, store: str) -> Files:
    """The same files, in that store."""
    parts = {name: ref.model_copy(update={"store": store}) for name, ref in _parts(files).items()}
    return files.model_copy(update=parts)


def _parts(files: Files) -> dict[str, FileRef]:
    if isinstance(files, LlmFiles):
        return {"weights": files.weights}
    found = {"graph": files.graph, "tokenizer": files.tokenizer}
    return found if files.data is None else found | {"data": files.data}


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    _flush(file)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
