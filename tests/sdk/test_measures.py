"""Measures of rankings, against figures worked out by hand, and what must hold of any."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.sdk.measures import difference, scores

NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)
RELEVANT = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.5, 3), min_size=1)


def test_figures_worked_out_by_hand() -> None:
    found = scores(["x", "a", "b"], {"a": 1, "b": 2, "c": 1}, 10)
    ideal = 2 + 1 / math.log2(3) + 1 / 2
    assert found.ndcg == pytest.approx((1 / math.log2(3) + 2 / 2) / ideal)
    assert found.recall == pytest.approx(2 / 3)
    assert found.reciprocal_rank == 0.5


def test_what_stands_below_the_depth_counts_for_nothing() -> None:
    assert scores(["x", "a"], {"a": 1}, 1) == (0, 0, 0)
    assert scores([], {"a": 1}, 5) == (0, 0, 0)


@given(NAMES, RELEVANT, st.integers(1, 8))
def test_measures_are_shares_and_the_ideal_order_is_the_best(names, relevant, depth):
    found = scores(names, relevant, depth)
    assert all(0 <= value <= 1 + 1e-9 for value in found)
    ideal = scores(sorted(relevant, key=lambda name: -relevant[name]), relevant, depth)
    assert ideal.ndcg == pytest.approx(1)
    assert found.ndcg <= ideal.ndcg + 1e-9


def test_a_difference_shows_only_where_questions_agree() -> None:
    assert difference([0.1] * 30, [0.2] * 30).shows
    assert difference([0.1] * 30, [0.2] * 30) == pytest.approx((0.1, 0.1, 0.1))
    mixed = difference([0.0, 1.0] * 15, [1.0, 0.0] * 15)
    assert not mixed.shows
    assert mixed.low < 0 < mixed.high
    assert difference([0.5], [0.5]) == (0, 0, 0)
    with pytest.raises(ValueError, match="shorter"):
        difference([0.5], [])
