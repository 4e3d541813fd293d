"""A blocking client of the HTTP API: every failure is the Problem that the server sent, by its class."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from io import SEEK_END, SEEK_SET
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

import httpx

from muniment.kernel.problems import Invalid, Problem, Unavailable

Json = Any
"""What a JSON document decodes to."""

_BROKEN = (httpx.HTTPError, httpx.InvalidURL)
"""What the library raises when nobody answers, and for an address that an answer made no address."""


class File(NamedTuple):
    """A file to upload: where it is, and its options as in the API (`key`, `title`, `access_level`, …).

    `size_bytes`: how much of it is sent where it may grow meanwhile; one that has shrunk raises OSError.
    """

    path: Path
    options: Mapping[str, Json]
    size_bytes: int | None = None


class _Steady:
    """A file of which just so much is read: the length was announced before the first byte was."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file, self._left, self._size = file, size_bytes, size_bytes

    def read(self, most: int = -1) -> bytes:
        """The next bytes.

        Raises OSError when the file ends too soon.
        """
        piece = self._file.read(self._left if most < 0 else min(most, self._left))
        if not piece and self._left and most:
            raise OSError("it has become shorter while it was read")
        self._left -= len(piece)
        return piece

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """As a file does; the end is where it was announced."""
        place = self._size + offset if whence == SEEK_END else offset
        self._left = self._size - place
        return self._file.seek(place)

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._size - self._left


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines of an event stream: a line feed ends one, not U+2028 and its like, which may stand in the data."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in whole)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Muniment:
    """A server of Muniment. `token` is an API key or an access token; use it as a context manager."""

    def __init__(self, server: str, token: str | None = None, *, timeout_seconds: float = 60.0) -> None:
        self.server = server.rstrip("/")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        timeout = httpx.Timeout(timeout_seconds, connect=5)
        try:
            address = httpx.URL(self.server)
            if address.scheme not in {"http", "https"}:
                raise ValueError("it begins with no http:// or https://")  # noqa: TRY301 - said as the library would
            here = _is_loopback(address.host)
            self._http = httpx.Client(
                base_url=self.server,
                headers=headers,
                timeout=timeout,
                trust_env=not here,  # a proxy of the environment's would be asked for its own loopback
                # To read the certificates of all authorities takes longer than a search, and here none is shown.
                verify=not (here and address.scheme == "http"),
            )
        except (httpx.InvalidURL, ValueError) as unfit:
            raise Invalid(
                f"{server!r} is no address of a server ({unfit}); one is http://127.0.0.1:8765"
            ) from unfit

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, it: BaseException | None, at: TracebackType | None
    ) -> None:
        self._http.close()

    def login(self, username: str, password: str) -> Self:
        """The same server as this user."""
        tokens = self.post("/api/v1/auth/login", {"username": username, "password": password})
        return type(self)(self.server, tokens["access_token"])

    def get(self, path: str, **query: str | int | None) -> Json:
        """GET; the decoded answer. Raises the server's Problem."""
        return self._call("GET", path, params={k: v for k, v in query.items() if v is not None})

    def post(self, path: str, body: Json = None, *, timeout_seconds: float | None = None) -> Json:
        """POST a JSON body; the decoded answer. `timeout_seconds`: for a call that takes longer than others."""
        own = {} if timeout_seconds is None else {"timeout": httpx.Timeout(timeout_seconds, connect=5)}
        return self._call("POST", path, json=body, **own)

    def put(self, path: str, body: Json = None) -> Json:
        """PUT a JSON body; the decoded answer."""
        return self._call("PUT", path, json=body)

    def patch(self, path: str, body: Json) -> Json:
        """PATCH with a JSON body; the decoded answer."""
        return self._call("PATCH", path, json=body)

    def content(self, path: str, **query: int | None) -> Iterator[bytes]:
        """GET bytes, piece by piece. Raises the server's Problem before the first."""
        asked = {k: v for k, v in query.items() if v is not None}
        try:
            with self._http.stream("GET", path, params=asked) as reply:
                if not reply.is_success:
                    raise Problem.load(reply.read())
                yield from reply.iter_bytes()
        except _BROKEN as broken:
            raise self._unreachable(broken) from broken

    def delete(self, path: str) -> Json:
        """DELETE; the decoded answer, None when there is none."""
        return self._call("DELETE", path)

    def pages(self, path: str, **query: str | int | None) -> Iterator[Json]:
        """Every item of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def upload(self, collection: str, files: Sequence[File]) -> Json:
        """Upload files in one request, read from disk as they are sent."""
        with ExitStack() as stack:
            parts: list[tuple[str, Any]] = []
            for file in files:
                name = file.path.name.encode("utf-8", "replace").decode()
                opened = stack.enter_context(file.path.open("rb"))
                size = os.fstat(opened.fileno()).st_size if file.size_bytes is None else file.size_bytes
                parts.append(("file", (name, _Steady(opened, size))))
            parts.insert(0, ("options", (None, json.dumps([dict(file.options) for file in files]))))
            return self._call(
                "POST", f"/api/v1/collections/{collection}/documents", files=parts, timeout=httpx.Timeout(600)
            )

    def events(self, path: str, body: Json) -> Iterator[tuple[str, Json]]:
        """POST for server-sent events: (event, data) pairs, the last one `done`. A `problem` event is raised."""
        headers = {"accept": "text/event-stream"}
        try:
            with self._http.stream("POST", path, json=body, headers=headers) as reply:
                if not reply.is_success:
                    raise Problem.load(reply.read())
                event = ""
                ended = False
                for line in _lines(reply.iter_bytes()):
                    if line.startswith("event: "):
                        event = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        if event == "problem":
                            raise Problem.load(line.removeprefix("data: "))
                        ended = event == "done"
                        yield event, self._decoded(line.removeprefix("data: "))
                if not ended:
                    raise Unavailable(f"{self.server} broke its answer off; ask again")
        except _BROKEN as broken:
            raise self._unreachable(broken) from broken

    def _call(self, method: str, path: str, **arguments: Any) -> Json:
        try:
            reply = self._http.request(method, path, **arguments)
        except _BROKEN as broken:
            raise self._unreachable(broken) from broken
        if not reply.is_success:
            raise Problem.load(reply.content)
        return self._decoded(reply.content) if reply.content else None

    def _decoded(self, raw: bytes | str) -> Json:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as strange:
            raise Unavailable(
                f"{self.server} answers, but not as Muniment does; is the address right?"
            ) from strange

    def _unreachable(self, broken: Exception) -> Unavailable:
        reason = str(broken) or type(broken).__name__
        return Unavailable(
            f"no answer from {self.server} ({reason}); is it running? `muniment up` starts one here"
        )
