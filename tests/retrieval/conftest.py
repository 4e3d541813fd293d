"""Retrieval over the documents room at work, with fakes for its other neighbours."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from documents.conftest import word_tokenizer
from kit.office import Office
from kit.parsing import parsers_here
from muniment.collections.contract import Collections
from muniment.embedding.contract import Embedding
from muniment.retrieval.service import HybridRetrieval
from muniment.vectors.contract import Vectors


@pytest.fixture
async def office(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setattr("muniment.documents.build.parsers", parsers_here)
    tokenizer = tmp_path / "tokenizer.json"
    word_tokenizer().save(str(tokenizer))
    office = Office.staffed(tmp_path, sqlite_url, tokenizer)
    async with office.opened():
        yield office


def retrieval_over(office: Office, **settings: int) -> HybridRetrieval:
    return HybridRetrieval(
        cast("Collections", office.shelves),
        office.room,
        cast("Embedding", office.embedding),
        cast("Vectors", office.vectors),
        **settings,
    )
