"""Chunks on their way into the index: their ids, their hashes, and the rows that keep them."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import Row

from muniment.documents.chunking.recipe import embedded_text
from muniment.documents.contract import ChunkKind
from muniment.documents.parsing.model import Chunk, Parent

_POINTS = UUID("5b2b1f0e-6a52-4a3b-8f0c-2d1c0a7b9e64")
"""The namespace of our point ids; another one would make every stored point another point."""


class Piece(NamedTuple):
    """A chunk of one version: where it stands, its text and table's header, and the hash of what is embedded."""

    number: int
    start: int
    end: int
    page: int | None
    section: tuple[str, ...]
    kind: ChunkKind
    parent: int
    hash: str
    header: str
    text: str


def point_id(version: str, number: int) -> UUID:
    """The same for the same chunk always, so that a repeated upsert is no second point."""
    return uuid5(_POINTS, f"{version}/{number}")


def chunk_id(version: str, number: int) -> str:
    """The chunk's id, from which its point's can be read."""
    return f"chk_{point_id(version, number).hex}"


def pieces_of(chunks: Sequence[Chunk], *, title: str, text: str) -> tuple[Piece, ...]:
    """Chunks of a text, each with the hash of what is embedded for it."""
    return tuple(
        Piece(
            number=chunk.index,
            start=chunk.start,
            end=chunk.end,
            page=chunk.page,
            section=chunk.section,
            kind=chunk.kind,
            parent=chunk.parent,
            hash=_hash(embedded_text(title, chunk.section, text[chunk.start : chunk.end], chunk.header)),
            header=chunk.header,
            text=text[chunk.start : chunk.end],
        )
        for chunk in chunks
    )


def stored_piece(row: Row[Any]) -> Piece:
    """The piece in a row of the table of chunks, beside which its parent's stands."""
    return Piece(
        number=row.number,
        start=row.span_start,
        end=row.span_end,
        page=row.page,
        section=tuple(row.section),
        kind=row.kind,
        parent=row.parent,
        hash=row.hash,
        header=row.header or "",
        text=row.parent_text[row.span_start - row.parent_start : row.span_end - row.parent_start],
    )


def _hash(embedded: str) -> str:
    return sha256(embedded.encode()).hexdigest()


def chunk_rows(version: str, pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    """The rows of the table of chunks."""
    return [
        {
            "id": chunk_id(version, piece.number),
            "version": version,
            "number": piece.number,
            "span_start": piece.start,
            "span_end": piece.end,
            "page": piece.page,
            "section": list(piece.section),
            "kind": piece.kind,
            "parent": piece.parent,
            "hash": piece.hash,
            "header": piece.header or None,
        }
        for piece in pieces
    ]


def parent_rows(version: str, parents: Sequence[Parent], text: str) -> list[dict[str, Any]]:
    """The rows of the table of parents."""
    return [
        {
            "version": version,
            "number": parent.index,
            "span_start": parent.start,
            "span_end": parent.end,
            "text": text[parent.start : parent.end],
        }
        for parent in parents
    ]


def unchanged(pieces: Sequence[Piece], known: Mapping[str, UUID]) -> dict[int, UUID]:
    """Places in `pieces` of those that were embedded before, and the point that holds the vector."""
    return {place: known[piece.hash] for place, piece in enumerate(pieces) if piece.hash in known}
