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
from typing import Annotated

from pydantic import Field, ValidationError

from muniment.kernel.model import Model
from muniment.models.contract import EmbeddingFiles, FileRef, LlmFiles, ModelUnavailable
from muniment.models.parts import hash_of

Files = Annotated[EmbeddingFiles | LlmFiles, Field(discriminator="kind")]

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_MANIFEST, _ADDED, _LOCK, _WORK = "manifest.json", "added.json", "lock", ".work-"
_LOCK_POLL_SECONDS = 0.1


class Added(Model):
    """A model brought in by hand: from which folder, and what that hashed to."""

    source: str
    contents: str


class _Manifest(Model):
    files: Files


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

    def find(self, name: str, revision: str) -> EmbeddingFiles | LlmFiles | None:
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

    def keep(self, files: EmbeddingFiles | LlmFiles, work: Path) -> EmbeddingFiles | LlmFiles:
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


def refs(files: EmbeddingFiles | LlmFiles) -> tuple[FileRef, ...]:
    """The files by reference."""
    return (files.weights,) if isinstance(files, LlmFiles) else (files.graph, files.tokenizer)


def placed(files: EmbeddingFiles | LlmFiles, store: str) -> EmbeddingFiles | LlmFiles:
    """The same files, in that store."""
    parts = ("weights",) if isinstance(files, LlmFiles) else ("graph", "tokenizer")
    return files.model_copy(
        update={part: getattr(files, part).model_copy(update={"store": store}) for part in parts}
    )


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
