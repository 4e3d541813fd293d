"""A multipart body as it arrives: parts, and the bytes of each, never more than a piece of one in memory."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from muniment.gateway.contract import MediaTypeUnfit
from muniment.kernel.problems import Invalid

_LONGEST_NAME = 1024
_MEDIA_TYPE = re.compile(rb"[\x20-\x7e]{1,256}")


class PartBegins(NamedTuple):
    """A part's own headers. `file_name` is as sent, None where the part has none, as is `media_type`."""

    name: str
    file_name: str | None
    media_type: str | None


class PartEnds(NamedTuple):
    """The part is whole."""


PartEvent = PartBegins | bytes | PartEnds


async def part_events(content_type: str, pieces: AsyncIterator[bytes]) -> AsyncGenerator[PartEvent, None]:
    """What is in the body, in order: for each part its beginning, its bytes, its end.

    Raises MediaTypeUnfit when the body is not multipart, and Invalid when it is broken or cut.
    """
    parsing = _Parsing(_boundary(content_type))
    async for piece in pieces:
        for event in parsing.feed(piece):
            yield event
    if not parsing.over:
        raise _broken("it ends before its closing boundary")


def _boundary(content_type: str) -> bytes:
    kind, parameters = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        shown = kind.decode("latin-1") or "nothing"
        raise MediaTypeUnfit(f"this takes multipart/form-data, not {shown}", accepted=["multipart/form-data"])
    boundary = parameters.get(b"boundary", b"")
    if not boundary:
        raise _broken("its Content-Type names no boundary")
    return boundary


class _Parsing:
    """The parser's callbacks, gathered into events."""

    def __init__(self, boundary: bytes) -> None:
        self.over = False
        self._events: list[PartEvent] = []
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._on_field,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": lambda data, start, end: self._events.append(bytes(data[start:end])),
                    "on_part_end": lambda: self._events.append(PartEnds()),
                    "on_end": self._on_end,
                },
                max_header_size=16_384,
            )
        except FormParserError as broken:
            raise _broken(str(broken)) from broken

    def feed(self, piece: bytes) -> list[PartEvent]:
        try:
            self._parser.write(piece)
        except FormParserError as broken:
            raise _broken(str(broken)) from broken
        events, self._events = self._events, []
        return events

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field, self._value = b"", b""

    def _on_headers(self) -> None:
        _, parameters = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"name" not in parameters:
            raise _broken("a part has no name")
        file_name = parameters.get(b"filename")
        media_type = self._headers.get(b"content-type", b"").strip()
        self._events.append(
            PartBegins(
                _text(parameters[b"name"])[:_LONGEST_NAME],
                None if file_name is None else _text(file_name),
                media_type.decode() if media_type and _MEDIA_TYPE.fullmatch(media_type) else None,
            )
        )

    def _on_end(self) -> None:
        self.over = True


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _broken(reason: str) -> Invalid:
    return Invalid(
        f"the multipart body does not fit: {reason}", errors=[{"field": "body", "reason": f"multipart: {reason}"}]
    )
