"""What a search shows of documents, to whom may read them."""

from pydantic import Field, JsonValue

from muniment.documents.shapes.fields import DocumentType, ReviewStatus
from muniment.documents.shapes.span import ChunkKind, Span
from muniment.kernel.model import Model, Time


class Hydrate(Model):
    """Chunks found by a search, to be read by the present caller; of the versions that were current at `as_of`.

    Only those that say each of the `phrases`, in their text, their document's title or the headings above them.
    """

    chunks: tuple[str, ...] = Field(max_length=2000)
    as_of: Time | None = None
    phrases: tuple[str, ...] = ()


class DocumentBrief(Model):
    """What a hit says of its document."""

    id: str
    key: str
    title: str
    collection: str
    type: DocumentType
    status: ReviewStatus | None = None
    version: int
    source_url: str | None
    metadata: dict[str, JsonValue]


class ChunkText(Model):
    """`text` = `text[span.start:span.end]` of the version; `header` names the columns of its table."""

    id: str
    text: str
    span: Span
    page: int | None
    section: tuple[str, ...]
    kind: ChunkKind
    header: str = ""


class ParentText(Model):
    """What a reader or a model should read around a chunk."""

    text: str
    span: Span


class Passage(Model):
    """A chunk, its document, and what is to be read around it."""

    document: DocumentBrief
    chunk: ChunkText
    parent: ParentText


class Passages(Model):
    """By chunk id, as of one snapshot: only chunks of current versions that the caller may read.

    Of an earlier version the document's fields are what they were when it was replaced. `unsaid`: the ids of those
    that do not say the phrases.
    """

    passages: dict[str, Passage]
    unsaid: tuple[str, ...] = ()


class Counts(Model):
    """Documents readable by the caller, by collection id."""

    counts: dict[str, int]


class CountReadable(Model):
    """`collections` null: all collections in which the caller reads anything."""

    collections: tuple[str, ...] | None = None


class HistoryKept(Model):
    """How many days replaced versions are kept, by collection id: null for ever, 0 not at all."""

    days: dict[str, int | None]
