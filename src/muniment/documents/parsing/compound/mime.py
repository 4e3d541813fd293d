"""Internet messages: parts, their bytes, and what their headers say, however badly they are made."""

import binascii
import codecs
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import Message
from email.parser import BytesFeedParser
from email.policy import Compat32, Policy
from email.utils import parsedate_to_datetime
from typing import NamedTuple, cast

from muniment.documents.parsing.decoding import normal
from muniment.documents.parsing.source import Source
from muniment.documents.shapes.problems import FileBroken, ParserLimit

MOST_PARTS = 20_000
MOST_ADDRESSES = 50
_MOST_HEADER = 65_536
_MOST_OF_CONTENT = 4096
"""A `Content-…` header of a part: the standard library's reading of parameters takes their length squared."""

_PIECE_BYTES = 1_048_576
_MOST_NAME = 256
_WORD = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?]{0,20})?\?([bq])\?([^?]*)\?=", re.IGNORECASE)
_ADDRESS_PART = re.compile(r'"(?:[^"\\]|\\.)*"?|[,;]|[^",;]+', re.DOTALL)
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
_NO_ENCODINGS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
_CALLED_LATIN = {"ascii", "iso8859-1"}
"""What calls itself so is in Windows-1252, of which these are parts."""


class Part(Message):
    """A message or a part of one. A message within it is bytes, and no part: it is a document of its own."""

    def get_content_type(self) -> str:
        """The type by which the parser goes."""
        kind = super().get_content_type()
        return "application/octet-stream" if kind.startswith("message/") else kind

    @property
    def media_type(self) -> str:
        """The type that it is said to have, if that is one."""
        kind = super().get_content_type()
        return kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream"

    @property
    def parts(self) -> Sequence["Part"]:
        """The parts, if there are any."""
        inner = self.get_payload()
        return [part for part in inner if isinstance(part, Part)] if isinstance(inner, list) else ()

    @property
    def content(self) -> bytes:
        """The bytes, unpacked from their transfer encoding."""
        with suppress(ValueError, LookupError):
            payload = self.get_payload(decode=True)
            return payload if isinstance(payload, bytes) else b""
        return b""

    @property
    def charset(self) -> str | None:
        """The encoding that the text is said to be in."""
        return self.parameter("charset")

    def parameter(self, name: str, header: str = "content-type") -> str | None:
        """A parameter of a header."""
        with suppress(ValueError, LookupError):
            value = self.get_param(name, header=header)
            if isinstance(value, tuple):
                charset, _, encoded = value
                return shown(as_text(encoded.encode("latin-1", "replace"), charset))
            return None if value is None else header_text(str(value))
        return None

    @property
    def disposition(self) -> str:
        """`attachment`, `inline`, or empty where nothing is said."""
        return str(self.get("content-disposition", "")).partition(";")[0].strip().lower()

    @property
    def file_name(self) -> str | None:
        """The name that it goes by."""
        return self.parameter("filename", "content-disposition") or self.parameter("name")

    def said(self, header: str) -> str:
        """A header as people read it, empty when there is none."""
        return header_text(str(self.get(header, "")))


class Address(NamedTuple):
    """Somebody's name, which may be empty, and address."""

    name: str
    address: str


class _Bounded(Compat32):
    """Headers are kept as they are, up to a length."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[: _MOST_OF_CONTENT if name.lower().startswith("content-") else _MOST_HEADER]

    def header_fetch_parse(self, name: str, value: str) -> str:  # noqa: ARG002 - the policy's own signature
        return value


_POLICY = cast("Policy[Part]", _Bounded())  # its stub ties a policy to the library's own class of messages


def read_message(source: Source) -> Part:
    """The message in a file.

    Raises ParserLimit, FileBroken.
    """
    source.bound()
    parser: BytesFeedParser[Part] = BytesFeedParser(_counting(), policy=_POLICY)
    try:
        with source.path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                parser.feed(piece)
        return parser.close()
    except RecursionError as deep:
        raise too_deep() from deep
    except (MessageError, ValueError, LookupError) as failed:
        raise FileBroken("the e-mail is damaged; save it anew and upload that") from failed


def head_of(data: bytes) -> Part:
    """The message's own headers, from its first bytes."""
    parser: BytesFeedParser[Part] = BytesFeedParser(_counting(), policy=_POLICY)
    parser.feed(re.split(rb"\r?\n\r?\n", data[:_MOST_HEADER], maxsplit=1)[0] + b"\n\n")
    return parser.close()


def too_deep() -> ParserLimit:
    """The problem of a message whose parts lie too deep."""
    return ParserLimit(
        "the e-mail's parts lie too deep within one another; add what matters of it as a file of its own",
        limit="nesting",
    )


def _counting() -> Callable[..., Part]:
    """Makes parts, and not too many."""
    made = 0

    def make(*, policy: Compat32) -> Part:
        nonlocal made
        made += 1
        if made > MOST_PARTS:
            raise ParserLimit(f"the e-mail has more than {MOST_PARTS:,} parts; split it", limit="parts")
        return Part(policy)

    return make


def as_text(data: bytes, charset: str | None) -> str:
    """Text in the encoding it is said to be in, or in the most plausible one: something is always read."""
    for name in (charset, "utf-8", "cp1252"):
        with suppress(LookupError, ValueError):
            known = codecs.lookup(name or "utf-8").name
            if known not in _NO_ENCODINGS:
                return normal(data.decode("cp1252" if known in _CALLED_LATIN else known))
    return normal(data.decode("latin-1"))


def header_text(raw: str) -> str:
    """A header as people read it: unfolded, its encoded words and stray bytes decoded."""
    if not raw.isascii():
        raw = as_text(raw.encode("utf-8", "surrogateescape"), None)
    parts: list[str] = []
    pending, charset, end = b"", "", 0
    for word in _WORD.finditer(raw):
        between = raw[end : word.start()]
        data = _word_bytes(word[2].lower(), word[3])
        if between.strip() or word[1].lower() != charset:
            # A letter may be cut in two between encoded words, so those side by side are one.
            parts += [as_text(pending, charset), between if between.strip() or not end else ""]
            pending, charset = b"", word[1].lower()
        pending, end = pending + data, word.end()
    return shown("".join((*parts, as_text(pending, charset), raw[end:])))


def _word_bytes(coding: str, encoded: str) -> bytes:
    data = encoded.encode("utf-8", "replace")
    if coding == "q":
        return binascii.a2b_qp(data, header=True)
    with suppress(binascii.Error):
        return binascii.a2b_base64(data + b"==")
    return data


def shown(text: str) -> str:
    """The text in one line, without what does not show."""
    return " ".join(_UNSHOWN.sub(" ", normal(text)).split())


def addresses(raw: str) -> tuple[Address, ...]:
    """Who stands in a header of addresses, up to a number; names may hold commas in quotes."""
    found: list[Address] = []
    piece: list[str] = []
    for token in (*(match[0] for match in _ADDRESS_PART.finditer(raw)), ","):
        if token not in {",", ";"}:
            piece.append(token)
            continue
        name, bracket, rest = "".join(piece).rpartition("<")
        piece.clear()
        address = shown(rest.partition(">")[0] if bracket else rest.rpartition(":")[2])
        if "@" in address and len(address) <= _MOST_NAME:
            name = header_text(name.replace("\\", "").replace('"', ""))
            found.append(Address(name[:_MOST_NAME], address))
            if len(found) == MOST_ADDRESSES:
                break
    return tuple(found)


def instant(raw: str) -> datetime | None:
    """A header's time, in UTC; None for what is no time."""
    with suppress(ValueError, TypeError, IndexError, OverflowError):
        at = parsedate_to_datetime(raw[:_MOST_NAME])
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    return None
