"""Documents' contract: what is kept, who may read it, and how far its ingestion is."""

from typing import Protocol

from muniment.collections.contract import (
    DeadLetter,
    IndexState,
    ListDeadLetters,
    OfCollection,
    OfDeadLetter,
    PrepareIndex,
)
from muniment.documents.shapes.document import (
    Access,
    ById,
    ByKey,
    Document,
    ListDocuments,
    OfVersion,
    SetAccess,
    UpdateDocument,
    Version,
    VersionState,
)
from muniment.documents.shapes.fields import (
    FIELD_NAMES,
    DocumentType,
    Fields,
    Key,
    ReviewStatus,
    Word,
    Words,
)
from muniment.documents.shapes.passage import (
    ChunkText,
    CountReadable,
    Counts,
    DocumentBrief,
    HistoryKept,
    Hydrate,
    ParentText,
    Passage,
    Passages,
)
from muniment.documents.shapes.problems import (
    DocumentMissing,
    FileBroken,
    FileEmpty,
    FileEncrypted,
    FormatUnknown,
    KeyTaken,
    NotText,
    OcrMissing,
    PageMissing,
    ParserLimit,
    QueueFull,
    RunCancelled,
    RunMissing,
    RunNotOver,
    VersionMissing,
)
from muniment.documents.shapes.run import ListRuns, Progress, PurgeCollection, Run, RunState
from muniment.documents.shapes.span import ChunkKind, PageSpan, SectionSpan, Span
from muniment.documents.shapes.text import Content, DocumentText, PageOf, Rectangle, Rectangles, SpanOf
from muniment.documents.shapes.upkeep import Discrepancy, DiscrepancyKind, DocumentsStatus, Reconcile, Reconciled
from muniment.documents.shapes.uploading import (
    Admit,
    NewDocument,
    Options,
    ProblemDocument,
    Upload,
    Uploaded,
    UploadedDocument,
)
from muniment.kernel.contract import idempotent
from muniment.kernel.model import Nothing, Page
from muniment.vectors.contract import Mark

__all__ = [
    "FIELD_NAMES", "Access", "Admit", "ById", "ByKey", "ChunkKind", "ChunkText", "Content", "CountReadable",
    "Counts", "Discrepancy", "DiscrepancyKind", "Document", "DocumentBrief", "DocumentMissing", "DocumentText",
    "DocumentType", "Documents", "DocumentsStatus", "Fields", "FileBroken", "FileEmpty", "FileEncrypted",
    "FormatUnknown", "HistoryKept", "Hydrate", "Key", "KeyTaken", "ListDocuments", "ListRuns", "NewDocument",
    "NotText", "OcrMissing", "OfVersion", "Options", "PageMissing", "PageOf", "PageSpan", "ParentText",
    "ParserLimit", "Passage", "Passages", "ProblemDocument", "Progress", "PurgeCollection", "QueueFull",
    "Reconcile", "Reconciled", "Rectangle", "Rectangles", "ReviewStatus", "Run", "RunCancelled", "RunMissing",
    "RunNotOver", "RunState", "SectionSpan", "SetAccess", "Span", "SpanOf", "UpdateDocument", "Upload", "Uploaded",
    "UploadedDocument", "Version", "VersionMissing", "VersionState", "Word", "Words",
]  # fmt: skip


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
    async def list(self, request: ListDocuments) -> Page[Document]:
        """Page by page; CollectionMissing for one that the caller does not see."""
        ...

    @idempotent
    async def get(self, request: ById) -> Document:
        """With all versions that the caller may know of."""
        ...

    @idempotent
    async def text(self, request: OfVersion) -> DocumentText:
        """The text in which spans count. VersionMissing before it is parsed."""
        ...

    @idempotent
    async def content(self, request: OfVersion) -> Content:
        """The bytes as they were uploaded."""
        ...

    @idempotent
    async def rectangles(self, request: SpanOf) -> Rectangles:
        """Where a span is drawn. Raises Invalid for one outside the text."""
        ...

    async def page(self, request: PageOf) -> Content:
        """A picture of a page, staged: whoever takes it deletes it. Its name is the same for the same picture."""
        ...

    @idempotent
    async def update(self, request: UpdateDocument) -> Document:
        """Null clears, omitted keeps; metadata are replaced as a whole."""
        ...

    @idempotent
    async def get_access(self, request: ById) -> Access:
        """For those who may change it; Forbidden for other readers."""
        ...

    @idempotent
    async def set_access(self, request: SetAccess) -> Access:
        """A revocation is in force with the answer; a grant is answered for once the index has taken it."""
        ...

    @idempotent
    async def delete(self, request: ById) -> Nothing:
        """In no search that starts after the answer."""
        ...

    @idempotent
    async def delete_by_key(self, request: ByKey) -> Nothing:
        """As `delete`, for who knows a document by its name."""
        ...

    @idempotent
    async def get_run(self, request: ById) -> Run:
        """How far it is. RunMissing for what the caller may not see, too."""
        ...

    @idempotent
    async def list_runs(self, request: ListRuns) -> Page[Run]:
        """The newest first."""
        ...

    @idempotent
    async def retry_run(self, request: ById) -> Run:
        """Goes on where it stood; of a batch, with those that did not succeed. RunNotOver before its end."""
        ...

    @idempotent
    async def cancel_run(self, request: ById) -> Run:
        """What is current stays so. RunNotOver after its end."""
        ...

    @idempotent
    async def list_dead_letters(self, request: ListDeadLetters) -> Page[DeadLetter]:
        """What failed for good and waits for a person."""
        ...

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
    async def count_readable(self, request: CountReadable) -> Counts:
        """For the edge, and for who sees a collection by its documents alone."""
        ...

    @idempotent
    async def purge_collection(self, request: PurgeCollection) -> Nothing:
        """Takes the event; the work is a run."""
        ...

    async def build_index(self, request: PrepareIndex) -> Run:
        """Make the second index and fill it beside the present one. StandbyThere while there is one."""
        ...

    @idempotent
    async def index_status(self, request: OfCollection) -> IndexState:
        """How much of the second index stands."""
        ...

    async def switch_index(self, request: OfCollection) -> IndexState:
        """Search in the second index from now on; the first stands by. StandbyNotReady before it is whole."""
        ...

    async def drop_index(self, request: OfCollection) -> IndexState:
        """Give up the index that stands by."""
        ...

    @idempotent
    async def reconcile(self, request: Reconcile) -> Reconciled:
        """Prove that nothing is lost, doubled or left behind. Needs `collections:admin`."""
        ...

    @idempotent
    async def mark(self, request: Nothing) -> Mark:
        """Moves with everything that is written here."""
        ...

    @idempotent
    async def status(self, request: Nothing) -> DocumentsStatus:
        """How much there is, in numbers."""
        ...
