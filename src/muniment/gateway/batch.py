"""Documents whose text stands in the request itself."""

from typing import Annotated

from pydantic import Field, StringConstraints

from muniment.documents.contract import Key, NewDocument, Options, Upload
from muniment.kernel.model import Model, Text

_APART = frozenset({"text", "media_type"})


class BatchDocument(Options):
    """One document: its key, its text, and the options of an upload."""

    key: Annotated[Key, StringConstraints(min_length=1)]
    text: Text
    media_type: str = Field(default="text/plain", max_length=256)


class BatchUpload(Model):
    """Up to 1,000 documents for one collection."""

    collection: str = Field(max_length=256)
    documents: tuple[BatchDocument, ...] = Field(min_length=1, max_length=1000)
    idempotency_key: str | None = Field(default=None, max_length=256)


def upload_of(request: BatchUpload) -> Upload:
    """The batch as the upload that it is; options that were left out stay left out."""
    return Upload(
        collection=request.collection,
        documents=tuple(_document(item) for item in request.documents),
        idempotency_key=request.idempotency_key,
    )


def _document(item: BatchDocument) -> NewDocument:
    given = item.model_fields_set - _APART
    options = Options.model_construct(_fields_set=set(given), **{name: getattr(item, name) for name in given})
    return NewDocument(content=item.text, media_type=item.media_type, options=options)
