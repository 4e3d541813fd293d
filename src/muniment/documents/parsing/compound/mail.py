"""E-mail: who wrote what to whom, and the files that came with it."""

import mimetypes
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import cast

from pydantic import JsonValue

from muniment.documents.parsing.compound.grafting import graft
from muniment.documents.parsing.compound.mime import (
    Address,
    Part,
    addresses,
    as_text,
    head_of,
    instant,
    read_message,
    shown,
    too_deep,
)
from muniment.documents.parsing.fields import sort_fields
from muniment.documents.parsing.formats import MEDIA_TYPES
from muniment.documents.parsing.model import Attachment, Limits, Parsed
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.parsing.texts.html import declared_charset, read_html
from muniment.documents.parsing.texts.plain import parse_plain
from muniment.documents.shapes.problems import FileEncrypted

MOST_DEPTH = 32
MOST_NAME = 200
_MOST_TITLE = 1000
_MOST_SHOWN = 1000
_MOST_SAID = 1000
_MOST_REFERENCES = 20
_MOST_LISTED = 100
_SMALL_PICTURE_BYTES = 20_000
_SIGNATURES = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
_SEALED = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
_REPORTS = {"message/delivery-status", "message/disposition-notification", "text/rfc822-headers"}
_UNFIT = re.compile(r'[<>:"|?*]+')
_ARMOUR = re.compile(
    r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:[A-Za-z-]+:[^\n]*\n)*\n?|"
    r"-----BEGIN PGP SIGNATURE-----[^-]*-----END PGP SIGNATURE-----"
)
_WORDS = re.compile(r"\w+")


def parse_mail(source: Source) -> Parsed:
    """The message's subject, the lines that say from whom, to whom and when, and its text.

    Raises FileEncrypted, FileBroken, ParserLimit.
    """
    message = read_message(source)
    found = _Found(source.limits)
    found.take(message, 0)
    subject = message.said("subject")[:_MOST_TITLE]
    growing = Growing(source.limits.text_characters)
    growing.add("heading", subject, level=1)
    growing.add("paragraph", _letterhead(message))
    below = 1 if subject else 0
    for body in found.bodies:
        graft(growing, body, below=below)
    said = _said(message) | {"type": "Email", "attachments": [file.name for file in found.attachments] or None}
    links = list(dict.fromkeys(link for body in found.bodies for link in _links(body)))
    said |= {"attachments_left_out": found.left_out or None, "links": links[:200] or None}
    fields, metadata = sort_fields({name: value for name, value in said.items() if value is not None})
    languages = {body.language for body in found.bodies if body.language}
    return Parsed(
        text=growing.text,
        media_type=MEDIA_TYPES["eml"],
        title=subject or None,
        language=cast("str | None", fields.get("language")) or (languages.pop() if len(languages) == 1 else None),
        sections=sections(growing.headings, growing.length),
        fields={**fields, "title": subject} if subject else fields,
        metadata=metadata,
        blocks=tuple(growing.blocks),
        attachments=tuple(found.attachments),
    )


def _links(body: Parsed) -> Sequence[JsonValue]:
    links = body.metadata.get("links")
    return links if isinstance(links, list) else ()


def _letterhead(message: Part) -> str:
    lines = ((name, message.said(name)) for name in ("From", "To", "Cc", "Date"))
    return "\n".join(f"{name}: {_cut(value, _MOST_SHOWN)}" for name, value in lines if value)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _said(message: Part) -> dict[str, object]:
    """What the headers say, each within bounds."""
    people = {name: addresses(str(message.get(name, ""))) for name in ("from", "to", "cc", "reply-to")}
    author = next(iter(people["from"]), Address("", ""))
    given = message.said("from")[:256]
    references = message.said("references").split()[-_MOST_REFERENCES:]
    said: dict[str, object] = {
        "author": author.name or author.address or given,
        "created_at": instant(message.said("date")),
        "language": message.said("content-language")[:35].partition(",")[0],
        "from": author.address,
        "references": [reference[:_MOST_SAID] for reference in references],
    }
    for name in ("to", "cc", "reply-to"):
        said[name.replace("-", "_")] = [person.address for person in people[name]]
    for name in ("message-id", "in-reply-to", "list-id"):
        said[name.replace("-", "_")] = message.said(name)[:_MOST_SAID]
    return {name: value for name, value in said.items() if value}


class _Found:
    """What is read of a message, in order: its texts, and its attachments as far as the limits let them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left_bytes = limits.unpacked_bytes
        self.bodies: list[Parsed] = []
        self.attachments: list[Attachment] = []
        self.left_out: list[str] = []

    def take(self, part: Part, depth: int) -> None:
        """Read a part and all that is in it."""
        kind = part.media_type
        if depth > MOST_DEPTH:
            raise too_deep()
        if kind == "multipart/encrypted" or (kind in _SEALED and not depth):
            raise _sealed()
        if kind == "multipart/alternative" and part.parts:
            self._alternatives(part, depth)
        elif part.parts:
            for inner in part.parts:
                self.take(inner, depth + 1)
        elif _is_text(part):
            body = self._body(part)
            if body is not None:
                self.bodies.append(body)
        elif kind not in _SIGNATURES:
            self._attach(part)

    def _alternatives(self, part: Part, depth: int) -> None:
        """The plain text where it says what the others say, else the last one of those that do."""
        choices: list[list[Parsed]] = []
        for inner in part.parts:
            if inner.media_type == "text/calendar":
                continue  # the invitation in letters follows, or stands before it
            before, self.bodies = self.bodies, []
            self.take(inner, depth + 1)
            choices.append(self.bodies)
            self.bodies = before
        lengths = [sum(len(_WORDS.findall(body.text)) for body in choice) for choice in choices]
        if choices:
            longest = max(lengths)
            self.bodies += next(c for c, n in zip(choices, lengths, strict=True) if 2 * n >= longest)

    def _body(self, part: Part) -> Parsed | None:
        data = part.content
        if part.media_type == "text/html":
            page = as_text(data, part.charset or declared_charset(data))
            return read_html(page, self._limits.text_characters)
        text = as_text(data, part.charset).strip("\n")
        if text.lstrip().startswith("-----BEGIN PGP MESSAGE-----"):
            raise _sealed()
        if "-----BEGIN PGP SIGN" in text:
            text = _ARMOUR.sub("", text)
        if (part.parameter("format") or "").lower() == "flowed":
            text = "\n".join(_unflowed(text, joint="" if part.parameter("delsp") == "yes" else " "))
        return parse_plain(text) if text.strip() else None

    def _attach(self, part: Part) -> None:
        data, kind = part.content, part.media_type
        inline = part.get("content-id") is not None or part.disposition == "inline"
        if kind.startswith("image/") and inline and len(data) < _SMALL_PICTURE_BYTES:
            return  # a logo, or what counts who has read it
        name = _name(part, data, len(self.attachments) + 1)
        self._left_bytes -= len(data)
        if len(self.attachments) >= self._limits.attachments or self._left_bytes < 0:
            if len(self.left_out) < _MOST_LISTED:
                self.left_out.append(name)
            return
        # Not by validation, which would have it in base64 first.
        self.attachments.append(Attachment.model_construct(name=name, media_type=kind, data=data))


def _is_text(part: Part) -> bool:
    """Whether it is to be read with the message, and is no file beside it."""
    if part.disposition == "attachment" or part.file_name:
        return False
    kind = part.media_type
    return kind in {"text/plain", "text/html"} or kind in _REPORTS or kind.startswith("multipart/")


def _name(part: Part, data: bytes, number: int) -> str:
    """A file name, as one part of a path."""
    said = part.file_name
    suffix = mimetypes.guess_extension(part.media_type) or ""
    if said is None and part.media_type == "message/rfc822":
        said, suffix = head_of(data).said("subject").replace("/", " "), ".eml"
        said = shown(said)[: MOST_NAME - 8] + suffix if said else None
    path = PurePosixPath((said or "").replace("\\", "/"))
    name = _UNFIT.sub("_", shown(path.name)).strip()
    if not name.strip(". _"):
        return f"attachment-{number}{suffix}"
    if len(name) <= MOST_NAME:
        return name
    ending = PurePosixPath(name).suffix[:16]
    return name[: MOST_NAME - len(ending)].rstrip() + ending


def _unflowed(text: str, *, joint: str) -> Iterator[str]:
    """Lines of a text whose lines were broken to fit (RFC 3676), whole again."""
    whole: str | None = None
    depth = 0
    for line in text.split("\n"):
        quoted = len(line) - len(line.lstrip(">"))
        rest = line[quoted:].removeprefix(" ")
        if whole is not None and quoted == depth and rest != "-- ":
            whole += rest
        else:
            if whole is not None:
                yield whole.rstrip()
            whole, depth = (">" * quoted + " " if quoted else "") + rest, quoted
        if not rest.endswith(" ") or rest == "-- ":
            yield whole.rstrip() if rest != "-- " else "--"
            whole = None
        else:
            whole = whole[:-1] + joint
    if whole is not None:
        yield whole.rstrip()


def _sealed() -> FileEncrypted:
    return FileEncrypted(
        "the e-mail is encrypted or sealed (S/MIME, PGP): save it decrypted from the mail program, and upload that"
    )
