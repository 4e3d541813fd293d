"""The room with the real engine and the real parsers: what is put into the index can be filtered by, and goes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from kit.neighbours import DIMENSIONS
from kit.office import Office
from muniment.documents.contract import ById, ListRuns, UpdateDocument
from muniment.kernel.blobs import Blobs
from muniment.kernel.house import Ground
from muniment.kernel.local import local
from muniment.vectors.build import VectorsSettings, build
from muniment.vectors.contract import AnyOf, Condition, DenseQuery, Exists, Range, SearchPoints, Vectors

LONG = "# Leases\n\n" + "The vault renews each lease every ten seconds. " * 120
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def parsing_here() -> None:
    """In children here, as in real life."""


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Vectors]:
    ground = Ground(
        data=tmp_path / "vectors",
        database_url="",
        blobs=Blobs.open((tmp_path / "blobs").as_uri()),
        secrets=(),
        subscribers={},
        announcements={},
        mounted=[],
        addresses={},
        peers={},
    )
    async with build(VectorsSettings(), ground) as service:
        yield local(Vectors, service)


async def test_what_is_indexed_can_be_filtered_by_and_goes(
    tmp_path: Path, sqlite_url: str, tokenizer_file: Path, engine: Vectors
) -> None:
    office = Office.staffed(tmp_path, sqlite_url, tokenizer_file)
    office.vectors = engine
    readers = office.callers["ben"].tokens

    async def found(*conditions: Condition) -> int:
        query = DenseQuery(vector=np.ones((1, DIMENSIONS), np.float32), limit=1000)
        index = office.shelves.refs["handbook"].index.name
        search = SearchPoints(index=index, queries=(query,), readers=readers, filter=conditions)
        points = (await engine.search(search)).lists[0]
        return len(await office.hydrated("ben", [f"chk_{point.id.hex}" for point in points]))

    async with office.opened():
        put = await office.put(
            "ada",
            "a.md",
            LONG,
            tags=("storage", "ops"),
            target_date="2026-01-01",
            story_points=3,
            metadata={"team": "infra", "of": {"floor": 4}, "seats": [1, "b"], "open": True},
        )
        whole = await found()
        assert whole > 5
        for condition in (
            AnyOf(field="tags", values=("ops",)),
            AnyOf(field="type", values=("Other",)),
            AnyOf(field="metadata.team", values=("infra",)),
            AnyOf(field="metadata.of.floor", values=(4,)),
            AnyOf(field="metadata.seats", values=("b",)),
            AnyOf(field="metadata.open", values=(True,)),
            Range(field="target_date", gte=NEW_YEAR, lte=NEW_YEAR),
            Range(field="created_at", gte=NEW_YEAR),
            Range(field="story_points", gte=3),
            Exists(field="status", exists=False),
        ):
            assert await found(condition) == whole, condition
        with office.asking("ada") as room:
            await room.update(UpdateDocument(id=put.id or "", status="approved", tags=None))
            assert (
                await found(AnyOf(field="status", values=("approved",)), Exists(field="tags", exists=False))
                == whole
            )
            await room.update(UpdateDocument(id=put.id or "", title="L"))
            (run,) = (await room.list_runs(ListRuns(kind="reindex"))).items
        assert (await office.over("ada", run.id)).state == "succeeded"
        assert await found() == (await office.get("ada", put.id)).versions[0].chunks
        with office.asking("ada") as room:
            await room.delete(ById(id=put.id or ""))
        assert await found() == 0
