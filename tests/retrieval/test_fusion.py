"""Orders: one list alone, several as one, scores in [0, 1]."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.retrieval import fusion
from muniment.retrieval.fusion import Ranked, by_documents, merge


def alone(mode, scores, document="d"):
    return fusion.alone(mode, scores, dict.fromkeys(scores, document))


SCORES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 40), max_size=8)


def test_one_list_keeps_its_order_and_shows_what_it_measured():
    assert [(r.id, r.dense, r.keyword) for r in alone("dense", {"a": -0.1, "b": 0.5})] == [
        ("b", 0.5, None),
        ("a", -0.1, None),
    ]
    assert [(r.id, r.dense, r.keyword) for r in alone("keyword", {"a": 3.0, "b": 30.0})] == [
        ("b", None, 30.0),
        ("a", None, 3.0),
    ]
    assert alone("dense", {}) == []


def test_equal_scores_keep_the_order_of_ids():
    assert [r.id for r in alone("dense", {"b": 0.5, "a": 0.5})] == ["a", "b"]


def test_orders_of_several_indexes_become_one():
    first, second = alone("dense", {"a": 0.9, "b": 0.8}), alone("dense", {"x": 0.2, "y": 0.1})
    merged = merge([first, second])
    assert {merged[0].id, merged[1].id} == {"a", "x"}
    assert merge([first]) == first
    assert merge([[], first, []]) == first
    assert merge([]) == []


def test_what_two_orders_have_in_common_is_before_what_leads_one():
    first, second = alone("keyword", {"a": 9.0, "c": 8.0}), alone("keyword", {"b": 9.0, "c": 8.0})
    assert merge([first, second])[0].id == "c"


def place(name, document, score):
    return Ranked(name, document, score, None, None)


def test_passages_stand_where_their_documents_stand_and_within_them_in_their_own_order():
    passages = [place("b", "one", 0.9), place("a", "other", 0.8), place("c", "other", 0.7), place("d", "one", 0.1)]
    found = by_documents(passages, [place("other", "other", 0.6), place("one", "one", 0.4)])
    assert [(r.id, r.score) for r in found] == [("a", 0.6), ("c", 0.6), ("b", 0.4), ("d", 0.4)]


def test_passages_of_a_document_share_its_rank_among_several_indexes():
    """Else a document of many passages would put off all that comes after it in its index."""
    long = by_documents(
        [place(name, "long", 0.5) for name in "abc"] + [place("d", "second", 0.4)],
        [place("long", "long", 0.9), place("second", "second", 0.8)],
    )
    other = by_documents(
        [place("x", "x", 0.5), place("y", "y", 0.4)], [place("x", "x", 0.9), place("y", "y", 0.8)]
    )
    merged = merge([long, other])
    assert {r.id for r in merged[:4]} == {"a", "b", "c", "x"}
    assert {r.score for r in merged if r.id in "dy"} == {merged[4].score}


@pytest.mark.parametrize("mode", ["dense", "keyword"])
@given(one=SCORES, other=SCORES)
def test_scores_order_the_list_and_lie_between_zero_and_one(mode, one, other):
    for ranked in (alone(mode, one), merge([alone(mode, one), alone(mode, other)])):
        assert all(0 <= r.score <= 1 for r in ranked)
        assert [r.score for r in ranked] == sorted((r.score for r in ranked), reverse=True)
    assert {r.id for r in ranked} == one.keys() | other.keys()
