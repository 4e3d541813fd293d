"""What goes up, and what becomes of it."""

from pydantic import Field, JsonValue

from muniment.documents.shapes.fields import Fields, Key
from muniment.identity.contract import Level, SubjectName
from muniment.kernel.blobs import Staged
from muniment.kernel.model import Model, Text

ProblemDocument = dict[str, JsonValue]
"""A problem as in RFC 9457."""


class Options(Fields):
    """What may be said with an upload. Access options left out of a later upload keep what stands."""

    key: Key | None = None
    access_level: Level | None = None
    owner: SubjectName | None = None
    grants: tuple[SubjectName, ...] | None = None
    metadata: dict[str, JsonValue] | None = None


class NewDocument(Model):
    """A document to be taken: its bytes staged in the blob store, or its text. `name` is the file's, if any."""

    content: Staged | Text
    name: str | None = Field(default=None, max_length=1024)
    media_type: str | None = Field(default=None, max_length=256)
    options: Options = Options()


class Upload(Model):
    """Documents for one collection, in order."""

    collection: str = Field(max_length=256)
    documents: tuple[NewDocument, ...] = Field(min_length=1, max_length=10_000)
    idempotency_key: str | None = Field(default=None, max_length=256)


class Admit(Model):
    """An upload to come, of so many documents."""

    collection: str = Field(max_length=256)
    documents: int = Field(default=1, ge=1)


class UploadedDocument(Model):
    """What became of one document: `run` is null when nothing is to be done, `problem` set when it was refused."""

    id: str | None
    key: str | None
    version: int | None
    duplicate: bool = False
    run: str | None = None
    problem: ProblemDocument | None = None


class Uploaded(Model):
    """`run` is the batch's, which ends when all of its documents' have; null when nothing is to be done."""

    run: str | None
    documents: tuple[UploadedDocument, ...]
