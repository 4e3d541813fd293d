"""How texts are put together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.embedding.batching import batches, padded, windows
from muniment.embedding.machine import cores_of, shared_out, threads_for, threads_here
from muniment.embedding.recent import Recent, Row


@given(st.lists(st.integers(1, 256), max_size=60), st.integers(64, 4096))
def test_batches_hold_every_text_once_and_keep_the_budget(lengths: list[int], budget: int) -> None:
    found = batches(lengths, budget)
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or max(lengths[index] for index in batch) * len(batch) <= budget
    ordered = [lengths[index] for batch in found for index in batch]
    assert ordered == sorted(lengths)


@given(st.integers(0, 3000), st.integers(1, 300))
def test_windows_cover_all_evenly(count: int, most: int) -> None:
    found = windows(count, most)
    assert [token for start, end in found for token in range(start, end)] == list(range(count))
    sizes = [end - start for start, end in found]
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(found) == max(1, -(-count // most))


def test_padding_is_masked() -> None:
    feed = padded([[2, 7, 3], [2, 3]])
    assert feed["ids"].tolist() == [[2, 7, 3], [2, 3, 0]]
    assert feed["mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert feed["positions"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("cpus", "quota", "threads"),
    [
        (8, "", 8),
        (8, "max 100000\n", 8),
        (8, "250000 100000\n", 2),
        (8, "50000 100000\n", 1),
        (1, "800000 100000\n", 1),
        (128, "", 16),
        (4, "nonsense", 4),
    ],
)
def test_threads_keep_to_the_share_of_the_machine(cpus: int, quota: str, threads: int) -> None:
    assert threads_for(cpus, quota) == threads
    assert threads_here() >= 1


def test_processors_of_one_core_count_once() -> None:
    assert cores_of({0: "0,4", 4: "0,4", 1: "1,5", 5: "1,5"}) == 2
    assert cores_of({1: "1,5"}) == 1, "what the others do is not known"
    assert cores_of({0: "", 1: "", 2: ""}) == 3


def test_the_cache_forgets_what_was_not_asked_for_the_longest() -> None:
    recent = Recent(2)
    rows = {name: Row(vector=np.full((1, 2), n, np.float32), tokens=n) for n, name in enumerate("abc")}
    recent.put("m", "a", rows["a"])
    recent.put("m", "b", rows["b"])
    assert recent.get("m", "a") is rows["a"]
    assert recent.get("other", "a") is None
    recent.put("m", "c", rows["c"])
    assert recent.get("m", "b") is None
    assert recent.get("m", "a") is rows["a"]


def test_a_small_model_runs_batches_side_by_side_and_a_large_one_each_on_all_threads() -> None:
    assert shared_out(4, 23_000_000) == (4, 1)
    assert shared_out(4, 1_300_000_000) == (1, 4)
