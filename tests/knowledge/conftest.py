"""A retrieval over a few documents in memory, and generation as it is, over vectors of words."""

import asyncio
import zlib

import numpy as np
import pytest

from muniment.documents.contract import ChunkText, DocumentBrief, ParentText, Span
from muniment.embedding.contract import Embedded
from muniment.generation.contract import Finished, Sentence
from muniment.generation.service import PassageWriter
from muniment.retrieval.contract import Hit, Hits, Scores, Weights
from muniment.text.terms import terms

LEASES = (
    "Preface of the version, which is in no parent.\n\n"
    "The vault renews every lease after ten seconds. This keeps the holder alive.\n\n"
    "A lease that is not renewed for thirty seconds expires. Its holder is told by a message.\n\n"
    "Backups of the vault are taken at night. They are kept for ninety days.\n"
)


class WordVectors:
    async def embed_queries(self, request):
        rows = np.full((len(request.texts), 256), 0.01, np.float32)
        for row, text in zip(rows, request.texts, strict=True):
            for term in terms(text):
                row[zlib.crc32(term.encode()) % 256] += 1
        return Embedded(vectors=rows / np.linalg.norm(rows, axis=1, keepdims=True), tokens=0)


def hit(document, chunk, parent, *, number=1, dense=0.6, text=LEASES, page=1):
    start, end = text.index(chunk), text.index(chunk) + len(chunk)
    a, b = text.index(parent), text.index(parent) + len(parent)
    return Hit(
        document=DocumentBrief(
            id=document, key=f"{document}.md", title="Vault", collection="handbook", type="TechSpec", version=3,
            source_url=None, metadata={},
        ),
        chunk=ChunkText(
            id=f"chk_{document}_{number}", text=chunk, span=Span(start=start, end=end), page=page,
            section=("Leases",), kind="body",
        ),
        parent=ParentText(text=parent, span=Span(start=a, end=b)),
        score=0.9,
        scores=Scores(dense=dense, keyword=3.0),
    )  # fmt: skip


class Shelf:
    """Retrieval: gives `hits` whatever is asked, and weighs every term the same."""

    def __init__(self, *hits, degraded=()):
        self.hits, self.degraded, self.searches, self.weighed = hits, degraded, [], []
        self.problem = None

    async def search(self, request):
        self.searches.append(request)
        await asyncio.sleep(0)
        if self.problem:
            raise self.problem
        return Hits(hits=self.hits, took_ms=1, degraded=self.degraded)

    async def weigh(self, request):
        self.weighed.append(request)
        return Weights(weights=dict.fromkeys(terms(request.text), 2.0), unknown=())


class Said(PassageWriter):
    """Generation whose model says what the test tells it to; quotes and checks are the real ones."""

    def __init__(self, *sentences, degraded=()):
        super().__init__(WordVectors())
        self.sentences, self.degraded, self.closed, self.asked = sentences, degraded, asyncio.Event(), []

    async def writers(self, request):
        known = await super().writers(request)
        model = known.items[0].model_copy(update={"name": "m", "kind": "openai"})
        return known.model_copy(update={"items": (*known.items, model)})

    def write(self, request):
        self.asked.append(request)
        return super().write(request) if request.model == "extractive" else self._told()

    async def _told(self):
        try:
            for text, *cites in self.sentences:
                yield Sentence(text=text, cites=tuple(cites))
            yield Finished(model="m", degraded=self.degraded)
        finally:
            self.closed.set()


FIRST = LEASES[LEASES.index("The vault") : LEASES.index("Backups")].strip()
SECOND = LEASES[LEASES.index("Backups") :].strip()


@pytest.fixture
def shelf():
    return Shelf(
        hit("doc_1", "The vault renews every lease after ten seconds.", FIRST),
        hit(
            "doc_1", "A lease that is not renewed for thirty seconds expires.", FIRST, number=2, dense=0.5, page=2
        ),
        hit("doc_2", "Backups of the vault are taken at night.", SECOND, dense=0.3),
    )
