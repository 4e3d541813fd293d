"""Changes to what a document's readers see, inside a transaction that holds its lock."""

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.documents import registry
from muniment.documents.fields import Effective, Layer, metadata_names
from muniment.documents.indexing import made_at, modified_at


async def rewrite(connection: AsyncConnection, row: Row[Any], patched: Layer) -> bool:
    """Work out anew what readers see; whether the current version must be indexed anew for it.

    A title stands before every chunk, keywords are made in the language, and a name that is gone can be taken from
    a point only with the point.
    """
    current = await registry.version(connection, row.current)
    before = Effective(row.title, row.fields, row.metadata)
    # Before the first version is ready, what is said with the upload is seen already.
    of = current or await registry.version(connection, row.latest)
    after = registry.seen(row, of, patched=patched)
    columns = registry.columns_of(after, created_at=made_at(row.id), modified_at=modified_at(row, of))
    values = {**columns, "patched": patched.model_dump(), "acl_version": row.acl_version + 1}
    await registry.change(connection, row.id, values)
    lost = metadata_names(before) - metadata_names(after)
    said = before.fields.get("language") != after.fields.get("language")
    return current is not None and (after.title != current.title or said or bool(lost))
