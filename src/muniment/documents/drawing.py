"""Where a span of the text is drawn, and pictures of pages."""

from collections.abc import Sequence
from typing import Any

from muniment.documents import ingest_store
from muniment.documents.base import blob_key, once
from muniment.documents.contract import Content, PageOf, Rectangle, Rectangles, SpanOf, VersionMissing
from muniment.documents.parsing.model import Drawn, Line
from muniment.documents.reading import Reading
from muniment.kernel.caller import caller
from muniment.kernel.problems import Invalid

_MOST_PICTURE_BYTES = 128_000_000
_SAME_LINE = 0.5


class Drawing(Reading):
    """The use cases that look at pages. What the caller may not read is missing."""

    async def rectangles(self, request: SpanOf) -> Rectangles:
        """From the lines that were kept at parsing; those that the span cuts are measured again in the file."""
        caller().require("documents:read")
        async with self._database.read() as connection:
            version = await self._version(connection, request)
            extent = await ingest_store.extent(connection, version.id)
            if extent is None:
                what = f"version {version.number} of {request.id} has no text yet"
                raise VersionMissing(what, document=request.id, version=version.number)
            _require_within(request, extent.characters)
            pages = [p.number for p in extent.pages if p.start < request.end and request.start < p.end]
            lines = await ingest_store.lines_within(connection, version.id, pages)
        found = [line for line in lines if max(line.start, request.start) < min(line.end, request.end)]
        return Rectangles(rectangles=tuple(_joined(found, await self._exact(version, found, request))))

    async def _exact(self, version: Any, lines: Sequence[Line], span: SpanOf) -> list[Rectangle]:
        """The lines' places, as far as they lie in the span."""
        places = [Rectangle(page=line.page, x0=line.x0, y0=line.y0, x1=line.x1, y1=line.y1) for line in lines]
        cut = [
            (i, line.first)
            for i, line in enumerate(lines)
            if line.first is not None and (line.start < span.start or span.end < line.end)
        ]
        if not cut:
            return places
        drawn = [
            Drawn(
                page=lines[i].page,
                first=first,
                start=max(span.start - lines[i].start, 0),
                end=min(span.end, lines[i].end) - lines[i].start,
            )
            for i, first in cut
        ]
        path = await self._parts.blobs.path(blob_key(version.id))
        boxes = (await self._parts.parsers.rectangles(path, drawn)).boxes
        for (i, _), (x0, y0, x1, y1) in zip(cut, boxes, strict=True):
            places[i] = Rectangle(page=lines[i].page, x0=x0, y0=y0, x1=x1, y1=y1)
        return places

    async def page(self, request: PageOf) -> Content:
        """Drawn anew each time, by the parsers."""
        caller().require("documents:read")
        async with self._database.read() as connection:
            version = await self._version(connection, request)
        path = await self._parts.blobs.path(blob_key(version.id))
        picture = await self._parts.parsers.page(
            path,
            name=version.name,
            media_type=version.media_type,
            number=request.number,
            width=request.width,
        )
        staged = await self._parts.blobs.stage(once(picture.png), limit_bytes=_MOST_PICTURE_BYTES)
        return Content(
            blob=staged.key,
            name=f"{version.id}-{request.number}-{request.width}.png",
            media_type="image/png",
            size_bytes=staged.size_bytes,
        )


def _require_within(request: SpanOf, characters: int) -> None:
    if not request.start <= request.end <= characters:
        reason = f"is no span of the text, which has {characters} characters"
        raise Invalid(f"[{request.start}, {request.end}) {reason}", errors=[{"field": "end", "reason": reason}])


def _joined(lines: Sequence[Line], places: Sequence[Rectangle]) -> list[Rectangle]:
    """One for each line of text: words that were recognised one by one are put together."""
    found: list[Rectangle] = []
    was_word = False
    for line, place in zip(lines, places, strict=True):
        is_word = line.first is None
        if was_word and is_word and _is_beside(found[-1], place):
            found[-1] = _around(found[-1], place)
        else:
            found.append(place)
        was_word = is_word
    return found


def _is_beside(last: Rectangle, place: Rectangle) -> bool:
    shared = min(last.y1, place.y1) - max(last.y0, place.y0)
    height = min(last.y1 - last.y0, place.y1 - place.y0)
    return last.page == place.page and shared > _SAME_LINE * height


def _around(a: Rectangle, b: Rectangle) -> Rectangle:
    x0, y0, x1, y1 = min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1)
    return Rectangle(page=a.page, x0=x0, y0=y0, x1=x1, y1=y1)
