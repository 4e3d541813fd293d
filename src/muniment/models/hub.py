"""The adapter to a model hub: Hugging Face's, or any server that speaks its protocol.

A revision is pinned to its commit before the first file is asked for; each file's bytes must hash to what the hub
says of that commit, and what they hashed to is kept.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from pydantic import SecretStr, ValidationError

from muniment.kernel.model import Model
from muniment.models.contract import ModelBroken, ModelMissing, ModelUnavailable, Preparing
from muniment.models.layout import inside

PUBLIC_HUB = "https://huggingface.co"
SCHEME = "hub:"
Report = Callable[[Preparing], None]

_REFERENCE = re.compile(
    r"hub:(?P<repo>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(@(?P<revision>[\w./-]{1,200}))?"
)
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_MOST_LISTING_BYTES = 16 << 20
_MOST_FILE_BYTES = 32 << 30
_PIECE_BYTES = 1 << 20


class Reference(Model):
    """`hub:org/name@revision`, taken apart."""

    repo: str
    revision: str

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{SCHEME}{self.repo}@{self.revision}"


class _Told(Model, extra="ignore"):
    """A part of the hub's answers, which say more with every year."""


class _Lfs(_Told):
    sha256: str
    size: int | None = None


class _File(_Told):
    """A file of a commit; `blobId` is git's hash of one that stands in git itself."""

    rfilename: str
    size: int | None = None
    blobId: str | None = None  # noqa: N815 - the hub's name
    lfs: _Lfs | None = None


class _Listing(_Told):
    sha: str
    siblings: tuple[_File, ...]


class Snapshot(Model):
    """One commit of a repository, and what the hub says of its files."""

    reference: Reference
    files: dict[str, _File]


def reference_of(text: str) -> Reference:
    """What `hub:…` means.

    Raises ModelBroken when it is written otherwise.
    """
    found = _REFERENCE.fullmatch(text)
    if not found or ".." in text:
        raise ModelBroken(f"{text[:200]!r} is no model of a hub; `hub:org/name` or `hub:org/name@revision` is")
    return Reference(repo=found["repo"], revision=found["revision"] or "main")


class Hub:
    """The hub at `url`. Nothing is asked of it before a model of it is."""

    def __init__(self, url: str | None, token: SecretStr | None, *, idle_seconds: float = 60) -> None:
        self._url = (url or os.environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/")
        self._token, self._idle_seconds = token, idle_seconds

    async def pinned(self, reference: Reference) -> Snapshot:
        """The commit that the reference means now.

        Raises ModelMissing, ModelUnavailable, and ModelBroken when the hub answers nonsense.
        """
        path = f"/api/models/{reference.repo}/revision/{quote(reference.revision, safe='')}?blobs=true"
        async with self._asking(path, str(reference)) as reply:
            raw = bytearray()
            async for piece in reply.content.iter_chunked(_PIECE_BYTES):
                raw += piece
                if len(raw) > _MOST_LISTING_BYTES:
                    raise ModelBroken(f"the hub's list of files of {reference} has no end")
        try:
            listing = _Listing.model_validate_json(bytes(raw))
        except ValidationError as nonsense:
            raise ModelBroken(
                f"the hub's list of files of {reference} is none: is models.hub a hub?"
            ) from nonsense
        if not _COMMIT.fullmatch(listing.sha):
            raise ModelBroken(f"the hub names no commit for {reference}")
        files = {inside(file.rfilename): file for file in listing.siblings}
        return Snapshot(reference=Reference(repo=reference.repo, revision=listing.sha), files=files)

    async def fetch(
        self, snapshot: Snapshot, names: Iterable[str], folder: Path, report: Report
    ) -> dict[str, str]:
        """These files of the commit in `folder`; their SHA-256 by name.

        Raises as `pinned`, and ModelBroken when bytes are not those of the commit.
        """
        wanted = [snapshot.files[name] for name in names]
        if not wanted:
            raise ModelBroken(f"{snapshot.reference} holds no model")
        total = sum(_size(file) or 0 for file in wanted) or None
        done, hashes = 0, {}
        for file in wanted:
            name = inside(file.rfilename)
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            path = f"/{snapshot.reference.repo}/resolve/{snapshot.reference.revision}/{quote(name)}"
            size, whole, git = 0, sha256(), sha1(usedforsecurity=False)
            git.update(f"blob {file.size or 0}\0".encode())
            async with self._asking(path, f"{name} of {snapshot.reference}") as reply:
                with target.open("xb") as sink:
                    async for piece in reply.content.iter_chunked(_PIECE_BYTES):
                        size += len(piece)
                        if size > (_MOST_FILE_BYTES if _size(file) is None else _size(file) or 0):
                            raise ModelBroken(f"the hub sends more of {name} than it said that there is")
                        whole.update(piece)
                        git.update(piece)
                        await asyncio.to_thread(sink.write, piece)
                        report(Preparing(step="fetch", done=done + size, total=total, unit="bytes"))
            _check(file, size, whole.hexdigest(), git.hexdigest())
            done, hashes[name] = done + size, whole.hexdigest()
        return hashes

    @asynccontextmanager
    async def _asking(self, path: str, what: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """The reply to a GET, once it is a good one; large files come from where the hub redirects to."""
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"} if self._token else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=self._idle_seconds)
        options: dict[str, Any] = {"trust_env": True, "timeout": timeout}
        try:
            async with (
                aiohttp.ClientSession(**options) as session,
                session.get(self._url + path, headers=headers, max_redirects=5) as reply,
            ):
                if reply.status != 200:  # noqa: PLR2004 - the one status that brings a file
                    raise self._refusal(reply.status, what)
                yield reply
        except (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, TimeoutError) as failed:
            reason = str(failed) or type(failed).__name__
            raise ModelUnavailable(
                f"{what} could not be fetched from {self._url}: {reason[:300]}. "
                "Without a hub, bring the model's folder here and run `muniment models add PATH`"
            ) from failed

    def _refusal(self, status: int, what: str) -> ModelMissing | ModelUnavailable:
        if status == 404:  # noqa: PLR2004 - its meaning is known
            return ModelMissing(f"{self._url} has no {what}")
        if status in (401, 403):
            return ModelUnavailable(
                f"{self._url} does not show {what}: does it exist, and does models.hub_token (HF_TOKEN) open it?"
            )
        return ModelUnavailable(f"{self._url} answers {status} for {what}; try again later")


def _size(file: _File) -> int | None:
    return file.lfs.size if file.lfs and file.lfs.size is not None else file.size


def _check(file: _File, size: int, whole: str, git: str) -> None:
    """Raises ModelBroken when the bytes are not those of the commit."""
    wrong = (
        (_size(file) is not None and size != _size(file))
        or (file.lfs is not None and file.lfs.sha256 != whole)
        or (file.lfs is None and file.size is not None and file.blobId is not None and file.blobId != git)
    )
    if wrong:
        raise ModelBroken(f"{file.rfilename} came with other bytes than its commit has; it was not used")
