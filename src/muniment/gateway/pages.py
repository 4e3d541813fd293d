"""The few pages of the edge: the API's reference with its script and style, and a word at the root."""

import asyncio
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
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HOME_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def page(name: str, policy: str) -> Handler:
    """A page of our own."""

    async def handle(_: Request) -> Response:
        text = files(_OWN).joinpath("pages", name).read_bytes()
        return Response(text, media_type="text/html", headers={"content-security-policy": policy})

    return handle


def asset(find: Callable[[], Traversable], media_type: str) -> Handler:
    """A script or a style sheet, read when it is first asked for and kept."""
    kept: list[bytes] = []

    async def handle(_: Request) -> Response:
        if not kept:
            kept.append(await asyncio.to_thread(lambda: find().read_bytes()))
        return Response(kept[0], media_type=media_type, headers={"cache-control": "public, max-age=3600"})

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
    """Each page by its address."""
    return {
        "/": page("home.html", _HOME_POLICY),
        "/docs": page("docs.html", _DOCS_POLICY),
        "/docs/start.js": asset(lambda: files(_OWN).joinpath("pages", "start.js"), "text/javascript"),
        "/docs/swagger-ui-bundle.js": asset(lambda: _swagger("swagger-ui-bundle.js"), "text/javascript"),
        "/docs/swagger-ui.css": asset(lambda: _swagger("swagger-ui.css"), "text/css"),
    }


def _swagger(name: str) -> Traversable:
    return files(_SWAGGER).joinpath("static", "swagger", name)
