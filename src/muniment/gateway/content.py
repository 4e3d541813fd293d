"""A document's original bytes, never to be shown by a browser as if they were ours, and pictures of its pages."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from muniment.documents.contract import Documents, OfVersion, PageOf
from muniment.gateway.endpoint import Handler
from muniment.gateway.file_names import attachment
from muniment.gateway.reading import Reader
from muniment.kernel.blobs import Blobs

_NOT_MODIFIED = 304
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")


def content_handler(read: Reader[OfVersion], documents: Documents, blobs: Blobs) -> Handler:
    """Streams the blob that the documents room names."""

    async def handle(http: Request) -> Response:
        content = await documents.content(await read(http))
        kind = content.media_type.partition(";")[0].strip().lower()
        headers = {
            "content-disposition": attachment(content.name),
            "content-length": str(content.size_bytes),
            "content-type": kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream",
        }
        if http.method == "HEAD":
            return Response(headers=headers)
        pieces = blobs.stream(content.blob)
        # The first piece is read here, so that a blob that is gone is a problem and not half an answer.
        return StreamingResponse(_all(await anext(pieces, b""), pieces), headers=headers)

    return handle


def picture_handler(read: Reader[PageOf], documents: Documents, blobs: Blobs) -> Handler:
    """Streams a page's picture and deletes it; a browser that keeps one asks each time whether it may show it."""

    async def handle(http: Request) -> Response:
        request = await read(http)
        # What names the picture is known before it is drawn, and asking for it asks for the right to see it.
        content = await documents.content(OfVersion(id=request.id, version=request.version))
        headers = {
            "cache-control": "private, no-cache",
            "content-disposition": "inline",
            "content-security-policy": "default-src 'none'",
            "etag": f'"{content.blob.rpartition("/")[2]}-{request.number}-{request.width}"',
        }
        if headers["etag"] in http.headers.get("if-none-match", ""):
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        picture = await documents.page(request)
        headers |= {"content-type": picture.media_type, "content-length": str(picture.size_bytes)}
        return _Once(blobs, picture.blob, headers)

    return handle


class _Once(StreamingResponse):
    """A staged blob, deleted when it was sent, or could not be."""

    def __init__(self, blobs: Blobs, key: str, headers: Mapping[str, str]) -> None:
        super().__init__(blobs.stream(key), headers=headers)
        self._blobs, self._key = blobs, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "HEAD":
                await Response(headers=dict(self.headers))(scope, receive, send)
            else:
                await super().__call__(scope, receive, send)
        finally:
            await self._blobs.delete(self._key)


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    if isinstance(rest, AsyncGenerator):
        async with aclosing(rest):
            async for piece in rest:
                yield piece
