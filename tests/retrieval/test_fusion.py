"""Fusion: lists in, one order out, scores in [0, 1]."""

from hypothesis import given
from hypothesis import strategies as st

from muniment.retrieval.fusion import fuse, merge

SCORES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 40), max_size=8)


def test_first_in_both_is_one_and_agreement_beats_a_single_first_place():
    ranked = fuse({"a": 0.9, "b": 0.8, "c": 0.7}, {"a": 9.0, "c": 8.0})
    assert [r.id for r in ranked] == ["a", "c", "b"]
    assert ranked[0].score == 1
    assert (ranked[1].dense, ranked[1].keyword) == (0.7, 8.0)
    assert ranked[2].keyword is None


def test_one_list_keeps_its_order():
    assert [r.id for r in fuse({"a": -0.1, "b": 0.5}, None)] == ["b", "a"]
    assert [r.id for r in fuse(None, {"a": 3.0, "b": 30.0})] == ["b", "a"]
    assert fuse(None, None) == []


def test_orders_of_several_indexes_become_one():
    first, second = fuse({"a": 0.9, "b": 0.8}, None), fuse({"x": 0.2, "y": 0.1}, None)
    merged = merge([first, second])
    assert {merged[0].id, merged[1].id} == {"a", "x"}
    assert merge([first]) == first
    assert merge([]) == []


@given(SCORES, SCORES)
def test_scores_order_the_list_and_lie_between_zero_and_one(dense, keyword):
    ranked = fuse({k: v / 40 for k, v in dense.items()}, keyword)
    assert {r.id for r in ranked} == dense.keys() | keyword.keys()
    assert all(0 <= r.score <= 1 for r in ranked)
    assert [r.score for r in ranked] == sorted((r.score for r in ranked), reverse=True)
    assert fuse(dict(reversed(dense.items())), keyword)[:1] == fuse(dense, keyword)[:1]
