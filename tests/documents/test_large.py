"""What is large costs memory by the slice, not by the whole."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from sqlalchemy import func, insert, select

from kit.office import Office, text_document
from muniment.documents import ingest_store, store
from muniment.documents.contract import DocumentText, SectionSpan
from muniment.documents.parsing.model import Chunk, Chunked, Parent
from muniment.kernel.database import open_database
from muniment.kernel.model import now

CHUNKS, LENGTH = 8_000, 40
MOST_MB = 4
"""All rows at once are about 12 MB."""


def chunked(count: int) -> Chunked:
    spans = [(n * LENGTH, (n + 1) * LENGTH - 2) for n in range(count)]
    return Chunked(
        parents=tuple(Parent(index=n, start=start, end=end) for n, (start, end) in enumerate(spans)),
        chunks=tuple(
            Chunk(index=n, start=start, end=end, page=None, section=("Part",), kind="body", parent=n)
            for n, (start, end) in enumerate(spans)
        ),
    )


async def test_rows_of_many_chunks_are_made_some_at_a_time(tmp_path: Path) -> None:
    url, made, text = f"sqlite:///{tmp_path}", chunked(CHUNKS), "x" * (CHUNKS * LENGTH)
    async with open_database(url, room="documents", migrations=store.MIGRATIONS) as database:
        async with database.write() as connection:
            await connection.execute(insert(store.documents), _document())
            await connection.execute(insert(store.versions), _version())
        tracemalloc.start()
        try:
            async with database.write() as connection:
                await ingest_store.put_chunks(connection, "ver_1", made, title="T", text=text)
            peak = tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()
        async with database.read() as connection:
            for table in (store.chunks, store.parents):
                assert await connection.scalar(select(func.count()).select_from(table)) == CHUNKS
    assert peak < MOST_MB


def test_sections_of_a_text_are_light() -> None:
    """As models they would take 27 MB."""
    tracemalloc.start()
    try:
        sections = tuple(SectionSpan(start=n, end=n + 1, path=("Part",)) for n in range(CHUNKS))
        text = DocumentText(version=1, text="", pages=(), sections=sections)
        assert len(TypeAdapter(DocumentText).dump_json(text)) > CHUNKS * LENGTH
        peak = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert peak < MOST_MB


async def test_slices_leave_nothing_out(sqlite_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_store, "_ROWS", 7)
    text = "\n\n".join(f"# Part {n}\n\n" + "The probe reads words. " * 40 for n in range(40))
    put = await sqlite_office.put("ada", "a.md", text)
    passages = await sqlite_office.passages("ada")
    document = await sqlite_office.get("ada", put.id)
    assert len(passages) == document.versions[0].chunks >= 40
    for passage in passages:
        assert text[passage.chunk.span.start : passage.chunk.span.end] == passage.chunk.text


async def test_very_many_documents_are_one_upload(sqlite_office: Office) -> None:
    files = [text_document(f"{n}.md", f"The probe reads {n}.") for n in range(60)]
    uploaded = await sqlite_office.upload("ada", *files)
    assert [d.key for d in uploaded.documents] == [f"{n}.md" for n in range(60)]
    assert (await sqlite_office.over("ada", uploaded.run, seconds=60)).progress.done == 60


def _document() -> dict[str, object]:
    held = {"id": "doc_1", "collection": "col_1", "key": "a", "owner": None, "access_level": "internal"}
    seen = {"title": "a", "type": "Other", "fields": {}, "metadata": {}, "created_at": now(), "modified_at": now()}
    return held | seen | {"grants": [], "acl_version": 1, "indexed_acl": 1, "patched": {}, "latest": "ver_1"}


def _version() -> dict[str, object]:
    bytes_ = {"staged": "s", "sha256": "0", "size_bytes": 1, "name": "a", "media_type": "text/plain"}
    counted = {"chunks": 0, "indexed_chunks": 0, "acl_version": 1, "created_at": now()}
    said = {"options": {}, "said": {}, "state": "parsed", "run": "run_1", "number": 1}
    return {"id": "ver_1", "document": "doc_1"} | bytes_ | counted | said


FREED = """
from pathlib import Path
from muniment.documents.slack import give_back

def held():
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])

before = held()
large = [bytearray(50_000) for _ in range(600)]
last = bytearray(5_000)
del large
give_back()
print((held() - before) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at /proc")
def test_holes_below_what_is_held_go_back_to_the_system() -> None:
    said = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(said.stdout) < 8, "MB are held, of 30"
