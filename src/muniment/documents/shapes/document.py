"""A document as its readers see it, and what may be changed of it."""

from typing import Literal

from pydantic import Field, JsonValue

from muniment.documents.shapes.fields import DocumentType, Fields, Key, ReviewStatus
from muniment.documents.shapes.uploading import ProblemDocument
from muniment.identity.contract import Level, SubjectName
from muniment.kernel.model import Change, Model, Paged, Time

VersionState = Literal["received", "parsed", "chunked", "embedded", "indexed", "current", "retired", "failed"]


class Version(Model):
    """One version of a document, and how far it is."""

    number: int
    state: VersionState
    problem: ProblemDocument | None
    created_at: Time
    current_from: Time | None
    current_to: Time | None
    size_bytes: int
    media_type: str
    chunks: int


class Document(Fields):
    """A document as its readers see it. `version` is the current one's number, null before the first is ready.

    `grants` is null for those who may not change them; `attached_to` is the e-mail that it came with.
    """

    id: str
    collection: str
    key: str
    attached_to: str | None = None
    access_level: Level
    owner: str | None
    grants: tuple[str, ...] | None
    content_hash: str | None
    metadata: dict[str, JsonValue]
    version: int | None
    versions: tuple[Version, ...]


class ListDocuments(Paged):
    """Documents of one collection that the caller may read. `sort`: a field, descending with `-` in front."""

    collection: str = Field(max_length=256)
    state: VersionState | None = None
    status: ReviewStatus | None = None
    type: DocumentType | None = None
    key: str | None = None
    key_prefix: str | None = None
    attached_to: str | None = Field(default=None, max_length=256)
    sort: Literal["key", "-key", "created_at", "-created_at", "modified_at", "-modified_at"] = "key"


class ById(Model):
    """A document or a run, by its id."""

    id: str = Field(max_length=256)


class ByKey(Model):
    """A document by its collection and key."""

    collection: str = Field(max_length=256)
    key: Key


class OfVersion(Model):
    """A document, and one of its versions (null: the current one)."""

    id: str = Field(max_length=256)
    version: int | None = Field(default=None, ge=1)


class UpdateDocument(Fields, Change):
    """A partial update of fields and metadata; embeds nothing, unless the title changes."""

    id: str = Field(max_length=256)
    metadata: dict[str, JsonValue] | None = None


class Access(Model):
    """`readers`-relevant facts of a document. `owner` is null when the user is gone."""

    access_level: Level
    owner: str | None
    grants: tuple[str, ...]


class SetAccess(Change):
    """Omitted keeps, `[]` empties; in force for every request that starts after the answer."""

    id: str = Field(max_length=256)
    access_level: Level | None = None
    owner: SubjectName | None = None
    grants: tuple[SubjectName, ...] | None = None
