"""The second stage: who leads when, bounds, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.retrieval.constants import RankingWeights
from muniment.retrieval.ranking import judged, whole

SIDES = ("dense", "words", "grams")
NEAR = 0.8


def columns(**rows):
    return {side: np.array(values, float) for side, values in rows.items()}


def apart(count):
    return [f"d{number}" for number in range(count)]


def order(found):
    return [int(place) for place in np.argsort(-found.scores, kind="stable")]


@st.composite
def candidates(draw):
    count = draw(st.integers(1, 12))
    cosines = st.lists(st.floats(-1, 1), min_size=count, max_size=count)
    weights = st.lists(st.floats(0, 500), min_size=count, max_size=count)
    signals = {"dense": draw(cosines), "words": draw(weights), "grams": draw(weights)}
    if not draw(st.booleans()):
        del signals["dense"]
    documents = draw(st.lists(st.sampled_from("abcd"), min_size=count, max_size=count))
    return columns(**signals), documents


def test_what_is_best_by_both_sides_is_first_and_worst_by_both_last():
    found = judged(columns(dense=[0.2, NEAR, 0.5], words=[1, 9, 4], grams=[2, 20, 9]), apart(3))
    assert order(found) == [1, 2, 0]


def test_words_count_for_less_where_they_contradict_meaning():
    rising, falling = [1.0, 2, 3, 4], [4.0, 3, 2, 1]
    agreeing = judged(columns(dense=[0.5, 0.6, 0.7, NEAR], words=rising, grams=rising), apart(4))
    contradicting = judged(columns(dense=[0.5, 0.6, 0.7, NEAR], words=falling, grams=falling), apart(4))
    assert agreeing.words > 1 > contradicting.words
    assert order(contradicting) == [3, 2, 1, 0]


def test_words_lead_where_nothing_is_near_in_meaning():
    far = columns(dense=[0.11, 0.1, 0.09], words=[0, 1, 9], grams=[0, 2, 20])
    near = columns(dense=[0.81, 0.8, 0.79], words=[0, 1, 9], grams=[0, 2, 20])
    assert order(judged(far, apart(3)))[0] == 2
    assert order(judged(near, apart(3))) == [0, 1, 2]


def test_without_vectors_the_words_side_stands_alone():
    found = judged(columns(words=[1, 9, 4], grams=[2, 20, 9]), apart(3))
    assert order(found) == [1, 2, 0]
    assert found.words == 1


def test_a_passage_gains_by_its_documents_best():
    signals = columns(dense=[NEAR, 0.5, 0.5, 0.1], words=[0, 0, 0, 0], grams=[0, 0, 0, 0])
    found = judged(signals, ["one", "one", "other", "third"])
    assert order(found) == [0, 1, 2, 3]
    assert found.scores[1] > found.scores[2]


def test_a_document_is_judged_by_the_best_of_its_passages_for_each_signal():
    """One passage of the long document is near in meaning, another has the name; one of another nearly both."""
    signals = columns(dense=[0.72, 0.3, 0.7, 0.2], words=[0, 9, 7, 1], grams=[0, 30, 25, 4])
    documents = ["long", "long", "nearly", "other"]
    first, best = whole(signals, documents)
    assert first.tolist() == [0, 2, 3]
    assert {side: values.tolist() for side, values in best.items()} == {
        "dense": [0.72, 0.7, 0.2],
        "words": [9, 7, 1],
        "grams": [30, 25, 4],
    }
    assert order(judged(best, [documents[place] for place in first]))[0] == 0
    assert order(judged(signals, apart(4)))[0] == 2


def test_how_many_passages_a_document_has_moves_no_other():
    signals = columns(dense=[0.8, 0.5, 0.2], words=[1, 9, 4], grams=[2, 20, 9])
    once = judged(whole(signals, apart(3))[1], apart(3))
    again = {side: np.append(values, [values[2]] * 5) for side, values in signals.items()}
    often = judged(whole(again, [*apart(3), *["d2"] * 5])[1], apart(3))
    assert often.scores.tolist() == once.scores.tolist()


def test_each_candidate_has_the_prior_of_its_collection():
    signals = columns(dense=[0.5, 0.5, NEAR], words=[9, 9, 0], grams=[20, 20, 0])
    found = judged(signals, apart(3), priors=np.array([0.5, 2.0, 1.0]))
    alike = judged(signals, apart(3))
    assert found.parts["words"].tolist() == pytest.approx((alike.parts["words"] * [0.5, 2.0, 1.0]).tolist())
    assert found.parts["dense"].tolist() == alike.parts["dense"].tolist()
    assert found.scores[1] > alike.scores[1] == alike.scores[0] > found.scores[0]


def test_a_collections_weights_replace_the_defaults():
    signals = columns(dense=[NEAR, 0.5], words=[0, 9], grams=[0, 20])
    assert order(judged(signals, apart(2))) == [0, 1]
    assert order(judged(signals, apart(2), RankingWeights(least=4, most=4))) == [1, 0]
    assert order(judged(signals, apart(2), RankingWeights(least=4, most=4, prior=0.1))) == [0, 1]


def test_signals_that_nobody_weighs_change_nothing():
    signals = columns(dense=[NEAR, 0.5], words=[0, 9], grams=[0, 20])
    more = signals | columns(bigrams=[0, 400])
    assert order(judged(more, apart(2))) == order(judged(signals, apart(2)))


def test_nothing_one_and_all_alike():
    assert judged({}, []).scores.size == 0
    assert judged({}, ["a"]).scores.tolist() == [0.5]
    assert judged(columns(dense=[0.3], words=[2], grams=[3]), ["a"]).scores.tolist() == [0.5]
    alike = judged(columns(dense=[0.1] * 3, words=[0] * 3, grams=[7.7] * 3), apart(3))
    assert np.allclose(alike.scores, 0.5)


@given(candidates())
def test_scores_lie_between_zero_and_one_and_their_parts_explain_their_order(given_):
    signals, documents = given_
    found = judged(signals, documents)
    assert np.isfinite(found.scores).all()
    assert ((found.scores > 0) & (found.scores < 1)).all()
    assert set(found.parts) == set(signals)
    totals = np.sum(list(found.parts.values()), axis=0)
    assert (np.diff(found.scores[np.argsort(totals)]) >= 0).all()


@given(candidates(), st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(given_, random):
    signals, documents = given_
    places = list(range(len(documents)))
    random.shuffle(places)
    found = judged(signals, documents)
    moved = judged({side: values[places] for side, values in signals.items()}, [documents[p] for p in places])
    assert np.allclose(moved.scores, found.scores[places], atol=1e-6)
