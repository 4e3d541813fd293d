"""Ids of candidates: they are what a tuple of UUIDs is, in this process and on the wire."""

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from muniment.vectors.contract import Candidates, PointIds


def candidates(ids):
    return Candidates(
        ids=ids,
        documents=tuple("doc" for _ in ids),
        signals=("dense",),
        scores=np.zeros((1, len(ids)), np.float32),
        full=False,
    )


@given(st.lists(st.uuids(), max_size=6), st.slices(6))
def test_ids_are_a_sequence_of_uuids(ids: list[UUID], some: slice) -> None:
    packed = PointIds(b"".join(i.bytes for i in ids))
    assert packed == tuple(ids) == PointIds(ids) == PointIds(packed)
    assert hash(packed) == hash(tuple(ids))
    assert packed[some] == tuple(ids[some])
    assert packed.hexes == [i.hex for i in ids]
    assert not ids or packed[-1] == ids[-1]
    with pytest.raises(IndexError):
        packed[len(ids)]


@given(st.lists(st.uuids(), max_size=6))
def test_ids_travel_as_texts(ids: list[UUID]) -> None:
    sent = candidates(PointIds(ids))
    assert sent.model_dump(mode="json")["ids"] == [str(i) for i in ids]
    assert Candidates.model_validate_json(sent.model_dump_json()).ids == tuple(ids)
    assert candidates(tuple(ids)).ids == tuple(ids)


def test_what_is_no_id_is_refused() -> None:
    with pytest.raises(ValidationError, match="ids"):
        candidates(("none",))
