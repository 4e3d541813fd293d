"""What an uploaded document is to what stands under its key: pure decisions."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from sqlalchemy import Row

from muniment.documents import access
from muniment.documents.contract import Options, Upload
from muniment.documents.fields import Layer
from muniment.identity.contract import Level
from muniment.kernel.blobs import Staged

What = Literal["new", "version", "again", "fields", "duplicate"]


class Wanted(NamedTuple):
    """One document of an upload, checked: subjects are ids, and what was left out is None.

    `attached_to` is the document of the e-mail that brought it, if one did.
    """

    place: int
    key: str
    name: str
    media_type: str
    staged: Staged
    layer: Layer
    level: Level | None
    owner: str | None
    grants: tuple[str, ...] | None
    attached_to: str | None = None


class Decision(NamedTuple):
    """What is to be done, and to which version if to one that is there."""

    what: What
    version: Row[Any] | None = None


def decide(wanted: Wanted, document: Row[Any] | None, versions: Sequence[Row[Any]]) -> Decision:
    """Bytes make versions; the same bytes again are no new work, unless they failed."""
    if document is None:
        return Decision("new")
    latest = versions[-1]
    current = next((v for v in versions if v.id == document.current), None)
    same = latest.sha256 == wanted.staged.sha256
    if same and latest.state == "failed":
        return Decision("again", latest)
    if not same:
        later = versions if current is None else [v for v in versions if v.number > current.number]
        given_up = all(v.state == "failed" for v in later)
        if current is None or current.sha256 != wanted.staged.sha256 or not given_up:
            return Decision("version")
        latest = current
    unchanged = Layer.model_validate(latest.options) == wanted.layer
    return Decision("duplicate" if unchanged else "fields", latest)


def regranted(wanted: Wanted, facts: access.Holding) -> access.Holding:
    """The document's access after the upload; what the upload does not say stands."""
    return facts._replace(
        owner=facts.owner if wanted.owner is None else wanted.owner,
        level=wanted.level or facts.level,
        grants=facts.grants if wanted.grants is None else wanted.grants,
    )


def overridden(patched: Layer, options: Layer) -> Layer:
    """What was changed by hand, less what an upload now says otherwise."""
    return Layer(
        fields={k: v for k, v in patched.fields.items() if k not in options.fields},
        metadata={k: v for k, v in patched.metadata.items() if k not in options.metadata},
    )


def subjects(options: Options) -> tuple[str, ...]:
    """The names of people and groups in the options."""
    return (*((options.owner,) if options.owner else ()), *(options.grants or ()))


def digest(request: Upload, contents: Sequence[Staged]) -> str:
    """What an upload says, bytes included, wherever they were staged."""
    said = request.model_dump_json(exclude={"documents": {"__all__": {"content"}}, "idempotency_key": True})
    return sha256("\n".join((said, *(c.sha256 for c in contents))).encode()).hexdigest()
