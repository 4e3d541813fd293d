"""A document's original bytes, to be saved and never to be shown by a browser as if they were ours."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from muniment.documents.contract import Documents, OfVersion
from muniment.gateway.endpoint import Handler
from muniment.gateway.file_names import attachment
from muniment.gateway.reading import Reader
from muniment.kernel.blobs import Blobs

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


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    if isinstance(rest, AsyncGenerator):
        async with aclosing(rest):
            async for piece in rest:
                yield piece
