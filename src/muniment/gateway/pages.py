"""The pages of the edge: the one that people use at the root, and the API's reference, each with its own files."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from muniment.gateway.endpoint import Handler, json_answer

_OWN = "muniment.gateway"
_SWAGGER = "fastapi_standalone_docs"
_NOTHING_ELSE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HOME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    f"require-trusted-types-for 'script'; {_NOTHING_ELSE}"
)
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    f"connect-src 'self'; {_NOTHING_ELSE}"
)
_NOT_MODIFIED = 304
_MEDIA_TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}

APP = (
    "adding.js",
    "api.js",
    "app.css",
    "app.js",
    "ask.js",
    "documents.js",
    "dom.js",
    "icon.svg",
    "search.js",
    "session.js",
    "source.js",
    "spans.js",
)
"""The files of the page at the root."""


def asset(find: Callable[[], Traversable], name: str, policy: str | None = None) -> Handler:
    """A file, read when it is first asked for and kept; whoever has it already is told so."""
    kept: list[tuple[bytes, dict[str, str]]] = []
    media_type = _MEDIA_TYPES[name.rpartition(".")[2]]

    def read() -> tuple[bytes, dict[str, str]]:
        content = find().read_bytes()
        headers = {"etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"', "cache-control": "no-cache"}
        return content, headers | ({"content-security-policy": policy} if policy else {})

    async def handle(http: Request) -> Response:
        if not kept:
            kept.append(await asyncio.to_thread(read))
        content, headers = kept[0]
        if headers["etag"] in http.headers.get("if-none-match", ""):
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return handle


def document(make: Callable[[], dict[str, Any]]) -> Handler:
    """A JSON document that is made when it is first asked for and kept."""
    kept: list[bytes] = []

    async def handle(_: Request) -> Response:
        if not kept:
            kept.append(json.dumps(make(), ensure_ascii=False).encode())
        return json_answer(kept[0])

    return handle


def pages() -> dict[str, Handler]:
    """Each page by its address, and each file of a page."""
    return {
        "/": _own("home.html", _HOME_POLICY),
        **{f"/app/{name}": _own(f"app/{name}") for name in APP},
        "/docs": _own("docs.html", _DOCS_POLICY),
        "/docs/start.js": _own("start.js"),
        "/docs/swagger-ui-bundle.js": _swagger("swagger-ui-bundle.js"),
        "/docs/swagger-ui.css": _swagger("swagger-ui.css"),
    }


def _own(name: str, policy: str | None = None) -> Handler:
    return asset(lambda: files(_OWN).joinpath("pages", name), name, policy)


def _swagger(name: str) -> Handler:
    return asset(lambda: files(_SWAGGER).joinpath("static", "swagger", name), name)
