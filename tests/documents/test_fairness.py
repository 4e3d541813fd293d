"""One collection's many or long documents do not hold up another's."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.neighbours import WordEmbedding
from kit.office import Office, text_document
from muniment.embedding.contract import Embedded, EmbedPassages

LONG = "\n\n".join(f"# Part {n}\n\nThe probe reads temperature of load and warns driver." for n in range(300))


class Held(WordEmbedding):
    """Embeds what is said of probes only once it may."""

    def __init__(self, tokenizer: Path) -> None:
        super().__init__(tokenizer)
        self.waiting, self.go = 0, asyncio.Event()

    async def embed_passages(self, request: EmbedPassages) -> Embedded:
        if any("probe" in text for text in request.texts):
            self.waiting += 1
            await self.go.wait()
        return await super().embed_passages(request)


@pytest.fixture
async def two(closed_office: Office, tokenizer_file: Path) -> AsyncIterator[tuple[Office, Held]]:
    """Two collections, and three documents at once."""
    office = closed_office
    office.shelves.add("notes")
    office.user("ada", member_of=["handbook", "notes"])
    office.embedding = held = Held(tokenizer_file)
    async with office.opened(ingest_at_once=3):
        yield office, held
        held.go.set()


async def note_is_ingested(office: Office) -> None:
    """Whatever waits in the other collection."""
    note = await office.put("ada", "note.md", "The driver is warned.", collection="notes")
    assert (await office.get("ada", note.id)).version == 1


async def test_one_file_passes_many_of_another_collection(two: tuple[Office, Held]) -> None:
    office, held = two
    many = [text_document(f"{n}.md", f"The probe reads {n}.") for n in range(20)]
    crowd = await office.upload("ada", *many)
    await office.settled(lambda: held.waiting >= 2)
    await note_is_ingested(office)
    assert held.waiting == 2, "the last place is not the crowd's"
    held.go.set()
    assert (await office.over("ada", crowd.run)).state == "succeeded"


async def test_one_chunk_passes_long_documents_of_another_collection(two: tuple[Office, Held]) -> None:
    office, held = two
    long = [await office.upload("ada", text_document(f"{n}.md", LONG)) for n in range(3)]
    await office.settled(lambda: held.waiting >= 2)
    await note_is_ingested(office)
    assert [d.version for d in (await office.listed("ada")).items] == [None, None, None]
    held.go.set()
    for uploaded in long:
        assert (await office.over("ada", uploaded.run)).state == "succeeded"


async def test_a_large_file_passes_large_files_of_another_collection(
    two: tuple[Office, Held], monkeypatch: pytest.MonkeyPatch
) -> None:
    office, held = two
    monkeypatch.setattr("muniment.documents.saga._LARGE_BYTES", 10)
    large = await office.upload("ada", *(text_document(f"{n}.md", f"The probe reads {n}.") for n in range(9)))
    await office.settled(lambda: held.waiting >= 1)
    await note_is_ingested(office)
    assert held.waiting == 1, "a quarter of three, and no more, are at work"
    held.go.set()
    assert (await office.over("ada", large.run)).state == "succeeded"
