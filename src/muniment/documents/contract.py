"""Documents' contract: what is kept, who may read it, and how far its ingestion is."""

from datetime import date
from typing import Annotated, Literal, Protocol

from pydantic import Field, JsonValue, StringConstraints

from muniment.collections.contract import (
    DeadLetter,
    IndexState,
    ListDeadLetters,
    OfCollection,
    OfDeadLetter,
    PrepareIndex,
)
from muniment.identity.contract import Level, SubjectName
from muniment.kernel.blobs import Staged
from muniment.kernel.contract import idempotent
from muniment.kernel.model import Change, Model, Nothing, Page, Paged, Text, Time
from muniment.kernel.problems import Problem, Throttled
from muniment.vectors.contract import Mark

DocumentType = Literal["PRD", "Epic", "UserStory", "Task", "TechSpec", "Code", "Email", "Ticket", "Page", "Other"]
ReviewStatus = Literal["draft", "review", "approved", "deprecated"]
VersionState = Literal["received", "parsed", "chunked", "embedded", "indexed", "current", "retired", "failed"]
RunState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ChunkKind = Literal["body", "header", "code", "table", "list"]
Key = Annotated[Text, StringConstraints(min_length=1, max_length=1024)]
Word = Annotated[Text, StringConstraints(min_length=1, max_length=256)]
Words = tuple[Word, ...]
ProblemDocument = dict[str, JsonValue]
"""A problem as in RFC 9457."""


class Span(Model):
    """[start, end) in Unicode code points of a version's text."""

    start: int
    end: int


class Fields(Model):
    """The known fields of a document that people and front matter set (the glossary's common fields)."""

    title: Text | None = Field(default=None, max_length=1024)
    type: DocumentType | None = None
    summary: Text | None = Field(default=None, max_length=8192)
    author: Word | None = None
    status: ReviewStatus | None = None
    source_url: Text | None = Field(default=None, max_length=4096)
    department: Word | None = None
    tags: Words | None = None
    created_at: Time | None = None
    modified_at: Time | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] | None = None
    product: Word | None = None
    epic: Word | None = None
    release: Word | None = None
    priority: Literal["P0", "P1", "P2", "P3"] | None = None
    stakeholders: Words | None = None
    target_date: date | None = None
    dependencies: Words | None = None
    feature_tags: Words | None = None
    approval_status: Word | None = None
    story_points: float | None = None
    component: Word | None = None
    layer: Word | None = None
    technology_stack: Words | None = None
    api_endpoints: Words | None = None
    review_status: Word | None = None
    implementation_status: Word | None = None
    repository: Word | None = None
    file_path: Text | None = Field(default=None, max_length=4096)
    programming_language: Word | None = None
    test_coverage: float | None = None
    last_commit: Word | None = None


FIELD_NAMES: frozenset[str] = frozenset(Fields.model_fields)


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


class Version(Model):
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
    id: str = Field(max_length=256)


class ByKey(Model):
    collection: str = Field(max_length=256)
    key: Key


class OfVersion(Model):
    """A document, and one of its versions (null: the current one)."""

    id: str = Field(max_length=256)
    version: int | None = Field(default=None, ge=1)


class PageSpan(Span):
    number: int


class SectionSpan(Span):
    path: tuple[str, ...]


class DocumentText(Model):
    """The extracted text of a version; every span of it counts in this text."""

    version: int
    text: str
    pages: tuple[PageSpan, ...]
    sections: tuple[SectionSpan, ...]


class SpanOf(OfVersion):
    """[start, end) of a version's text."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Rectangle(Model):
    """A part of a page, in fractions of its width and height from its top left."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


class Rectangles(Model):
    """One for each drawn line, in the text's order; none where the format has no places."""

    rectangles: tuple[Rectangle, ...]


class PageOf(OfVersion):
    """A page of a version, from 1, and how wide its picture is to be, in pixels."""

    number: int = Field(ge=1)
    width: int = Field(default=1200, ge=64, le=4096)


class Content(Model):
    """The original bytes by reference: a key in the shared blob store."""

    blob: str
    name: str
    media_type: str
    size_bytes: int


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


class Progress(Model):
    done: int
    total: int | None
    unit: str


class Run(Model):
    """One execution of a task."""

    id: str
    kind: str
    state: RunState
    progress: Progress
    attempts: int
    next_attempt_at: Time | None
    eta_seconds: float | None
    problem: ProblemDocument | None
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
    collection: str | None
    document: str | None


class ListRuns(Paged):
    state: RunState | None = None
    kind: str | None = None
    collection: str | None = None


class PurgeCollection(Model):
    """A collection was deleted: remove all its documents, as the run `run`. Data of `collection.deleted`."""

    id: str
    name: str
    run: str


class Hydrate(Model):
    """Chunks found by a search, to be read by the present caller; of the versions that were current at `as_of`."""

    chunks: tuple[str, ...] = Field(max_length=2000)
    as_of: Time | None = None


class DocumentBrief(Model):
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
    document: DocumentBrief
    chunk: ChunkText
    parent: ParentText


class Passages(Model):
    """By chunk id, as of one snapshot: only chunks of current versions that the caller may read.

    Of an earlier version the document's fields are what they were when it was replaced.
    """

    passages: dict[str, Passage]


class Counts(Model):
    """Documents readable by the caller, by collection id."""

    counts: dict[str, int]


class CountReadable(Model):
    """`collections` null: all collections in which the caller reads anything."""

    collections: tuple[str, ...] | None = None


class HistoryKept(Model):
    """How many days replaced versions are kept, by collection id: null for ever, 0 not at all."""

    days: dict[str, int | None]


DiscrepancyKind = Literal[
    "orphan-points", "missing-points", "missing-history", "late-history", "wrong-readers", "orphan-blobs",
    "missing-blobs", "stuck-versions",
]  # fmt: skip


class Reconcile(Model):
    """Compare tables, index and blobs; with `repair`, make index and blobs say what the tables say."""

    repair: bool = False


class Discrepancy(Model):
    """What does not fit: how many, the ids of a few, and what a repair does about it (or cannot)."""

    kind: DiscrepancyKind
    count: int
    examples: tuple[str, ...]
    cure: str


class Reconciled(Model):
    """How much was looked at, and what did not fit; a repair that embeds anew goes on in runs."""

    documents: int
    versions: int
    points: int
    blobs: int
    discrepancies: tuple[Discrepancy, ...]
    repaired: bool


class DocumentsStatus(Model):
    """Numbers for the operator; they name nothing."""

    documents: int
    chunks: int
    versions: dict[str, int]
    runs: dict[str, int]
    size_bytes: int = 0
    ingested_last_minute: int = 0


class DocumentMissing(Problem, status=404):
    """No such document, or none that the caller may read; `document` names it."""


class VersionMissing(Problem, status=404): ...


class KeyTaken(Problem, status=409):
    """The key belongs to a document that the caller may not read; choose another key."""


class PageMissing(Problem, status=404): ...


class QueueFull(Throttled, status=429, retryable=True):
    """More documents wait for their ingestion than the server lets wait; nothing of the upload was taken."""


class RunMissing(Problem, status=404): ...


class RunNotOver(Problem, status=409):
    """Only a run that ended can be retried; only one that has not can be cancelled."""


class RunCancelled(Problem, status=409):
    """The run was called off before its end; it can be retried."""


class NotText(Problem, status=422):
    """The bytes are not text in a known encoding."""


class FileBroken(Problem, status=422):
    """The file cannot be read as what it claims to be: broken, truncated."""


class FileEncrypted(Problem, status=422):
    """The file is protected by a password; upload an unprotected copy."""


class FileEmpty(Problem, status=422):
    """The file holds no text."""


class FormatUnknown(Problem, status=422):
    """No parser here reads this type."""


class OcrMissing(Problem, status=422):
    """The file is a picture or a scan, and what reads pictures is not installed."""


class ParserLimit(Problem, status=422):
    """Parsing went over its bound of time, memory or output; `limit` names it."""


class Documents(Protocol):
    """The registry of documents and their ingestion. Every operation is under the caller's rights."""

    async def upload(self, request: Upload) -> Uploaded:
        """Take documents; what is answered for is durable. Ingestion follows, visible in the runs.

        A document that comes alone and is refused raises its problem; of several each has its own in the answer.
        """
        ...

    async def admit(self, request: Admit) -> Nothing:
        """Whether an upload would be taken, asked before its bytes.

        It is not repeated by itself, so that a full queue is said at once. Raises QueueFull, or Unavailable when
        the disk is nearly full.
        """
        ...

    @idempotent
    async def list(self, request: ListDocuments) -> Page[Document]: ...

    @idempotent
    async def get(self, request: ById) -> Document: ...

    @idempotent
    async def text(self, request: OfVersion) -> DocumentText: ...

    @idempotent
    async def content(self, request: OfVersion) -> Content: ...

    @idempotent
    async def rectangles(self, request: SpanOf) -> Rectangles:
        """Where a span is drawn. Raises Invalid for one outside the text."""
        ...

    async def page(self, request: PageOf) -> Content:
        """A picture of a page, staged: whoever takes it deletes it. Its name is the same for the same picture."""
        ...

    @idempotent
    async def update(self, request: UpdateDocument) -> Document: ...

    @idempotent
    async def get_access(self, request: ById) -> Access: ...

    @idempotent
    async def set_access(self, request: SetAccess) -> Access: ...

    @idempotent
    async def delete(self, request: ById) -> Nothing:
        """In no search that starts after the answer."""
        ...

    @idempotent
    async def delete_by_key(self, request: ByKey) -> Nothing: ...

    @idempotent
    async def get_run(self, request: ById) -> Run: ...

    @idempotent
    async def list_runs(self, request: ListRuns) -> Page[Run]: ...

    @idempotent
    async def retry_run(self, request: ById) -> Run: ...

    @idempotent
    async def cancel_run(self, request: ById) -> Run: ...

    @idempotent
    async def list_dead_letters(self, request: ListDeadLetters) -> Page[DeadLetter]: ...

    @idempotent
    async def retry_dead_letter(self, request: OfDeadLetter) -> Nothing:
        """Back to work with all its attempts; what works already is left."""
        ...

    @idempotent
    async def drop_dead_letter(self, request: OfDeadLetter) -> Nothing:
        """Give it up: an ingestion's bytes go, and the older version stays current."""
        ...

    @idempotent
    async def hydrate(self, request: Hydrate) -> Passages:
        """The second lock: text of found chunks, if their version is current and the caller may read it now."""
        ...

    @idempotent
    async def history(self, request: CountReadable) -> HistoryKept:
        """How far back those collections, or all in which the caller reads anything, can be searched."""
        ...

    @idempotent
    async def count_readable(self, request: CountReadable) -> Counts: ...

    @idempotent
    async def purge_collection(self, request: PurgeCollection) -> Nothing: ...

    async def build_index(self, request: PrepareIndex) -> Run: ...

    @idempotent
    async def index_status(self, request: OfCollection) -> IndexState: ...

    async def switch_index(self, request: OfCollection) -> IndexState: ...

    async def drop_index(self, request: OfCollection) -> IndexState: ...

    @idempotent
    async def reconcile(self, request: Reconcile) -> Reconciled:
        """Prove that nothing is lost, doubled or left behind. Needs `collections:admin`."""
        ...

    @idempotent
    async def mark(self, request: Nothing) -> Mark:
        """Moves with everything that is written here."""
        ...

    @idempotent
    async def status(self, request: Nothing) -> DocumentsStatus: ...
