"""Of many points the list of grams is looked for only where the other lists bring nothing near."""

from pathlib import Path
from uuid import UUID, uuid5

import numpy as np
import pytest

from muniment.vectors import keywords
from muniment.vectors.contract import AnyOf, Payload
from muniment.vectors.engine.edge import gather as edge_gather
from muniment.vectors.engine.edge.shards import EdgeShards
from muniment.vectors.engine.engine import EnginePoint, Gathered, Gathering

VECTOR = np.array([1, 0], np.float32)
MINE, HIDDEN = "usr_a", "usr_b"
QUERY = "leasing"
TEXTS = {"near": "teasing pods", "spelt": "a leasinghold", "other": "a cluster"}
"""No word of the query stands in them, and most of its grams in one that is far."""


def point(name: str) -> UUID:
    return uuid5(UUID(int=7), name)


def shards(folder: Path, *, cosine: float = 1.0, reader: str = MINE) -> EdgeShards:
    """With a point of this cosine that this reader may read, one that is spelt alike, and another."""
    made = EdgeShards(folder)
    made.ensure("main", 2, lean=True)
    readers = dict.fromkeys(TEXTS, MINE) | {"near": reader}
    points = [
        EnginePoint(
            point(name),
            Payload(readers=(readers[name],), document=name, version="v", collection="col_a"),
            keywords.of_passage(text, None, 4.0),
        )
        for name, text in TEXTS.items()
    ]
    vectors = [(cosine, (1 - cosine**2) ** 0.5), (-1.0, 0.0), (0.3, 0.954)]
    made.upsert("main", points, np.array(vectors, np.float32))
    return made


def gathered(made: EdgeShards, *, near: float | None = 0.6, dense: bool = True) -> Gathered:
    """By lists of one."""
    families = dict(zip(keywords.FAMILIES, keywords.of_query(QUERY), strict=True))
    asked = Gathering(VECTOR if dense else None, families, 1, near)
    return edge_gather.gather(made.index("main"), asked, (AnyOf(field="readers", values=(MINE,)),))


def names(found: Gathered) -> set[str]:
    return {home.document for home in found.homes}


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_gather, "MANY_POINTS", len(TEXTS))


@pytest.mark.usefixtures("many")
def test_where_something_is_near_nothing_is_looked_for_by_grams(tmp_path: Path) -> None:
    found = gathered(shards(tmp_path))
    assert names(found) == {"near"}
    assert found.full
    scores = dict(zip(found.signals, found.scores[:, 0].tolist(), strict=True))
    assert scores["dense"] == pytest.approx(1.0)
    assert scores["words"] == 0
    assert scores["grams"] > 0  # what they say of it is told all the same


@pytest.mark.usefixtures("many")
def test_where_nothing_is_near_it_is(tmp_path: Path) -> None:
    assert names(gathered(shards(tmp_path, cosine=0.5))) == {"near", "spelt"}


@pytest.mark.usefixtures("many")
def test_what_is_hidden_is_not_near(tmp_path: Path) -> None:
    assert names(gathered(shards(tmp_path, reader=HIDDEN))) == {"other", "spelt"}


@pytest.mark.usefixtures("many")
def test_without_a_vector_or_a_bound_it_is(tmp_path: Path) -> None:
    made = shards(tmp_path)
    assert names(gathered(made, dense=False)) == {"spelt"}
    assert names(gathered(made, near=None)) == {"near", "spelt"}


def test_of_few_points_it_is(tmp_path: Path) -> None:
    assert names(gathered(shards(tmp_path))) == {"near", "spelt"}
