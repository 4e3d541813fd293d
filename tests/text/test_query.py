"""A query's terms over passages of several languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.text.query import language_told, query_language, query_terms
from muniment.text.terms import terms


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Wer war der Präsident von Polen?", "de"),
        ("¿Cuál es la capital de los Países Bajos?", "es"),
        ("Quelle est la durée de ce bail ?", "fr"),
        ("What is the term of the lease?", "en"),
        ("kubectl rollout restart", None),
        ("die cast mould", None),
        ("Сколько стоит аренда?", None),
        ("", None),
    ],
)
def test_a_query_tells_its_language_by_its_little_words(text, told):
    assert language_told(text) == told


def test_a_query_has_the_terms_of_each_language():
    found = query_terms("running contratos Häuser", ["en", "es", "de"])
    for language in ("en", "es", "de"):
        assert set(terms("running contratos Häuser", language)) <= set(found)


def test_the_query_s_own_little_words_are_left_out_in_every_language():
    found = query_terms("Wer war der Präsident von Polen?", ["en"])
    assert not {"wer", "der", "von"} & set(found)
    assert {"polen", "präsident"} <= set(found)


def test_what_a_query_says_in_its_own_language_is_asked_as_well():
    assert set(terms("Häuser", "de")) < set(query_terms("Wo sind die Häuser?", ["en"]))


def test_one_language_and_a_query_in_it_is_that_language_s_analysis():
    text = "What is the error E1101 in max_retry of the max_retry client?"
    assert sorted(query_terms(text, ["en"])) == sorted(terms(text, "en"))
    assert sorted(query_terms(text)) == sorted(terms(text, "en"))
    assert sorted(query_terms("die Häuser der Stadt", ["de-AT"])) == sorted(terms("die Häuser der Stadt", "de"))


def test_the_language_of_a_query_is_one_of_those_that_are_there():
    assert query_language("Wer war der Präsident?", ["en", "de"]) == "de"
    assert query_language("Wer war der Präsident?", ["en", "fr"]) == "en"
    assert query_language("renewal", ["fr"]) == "fr"
    assert query_language("renewal") == "en"


@given(st.text(max_size=120), st.lists(st.sampled_from(["en", "de", "fr", "ru", "xx"]), max_size=3))
def test_any_text_and_any_languages(text, languages):
    found = query_terms(text, languages)
    every = {term for code in [*languages, "en", "de", "es", "fr"] for term in terms(text, code)}
    assert set(found) <= every
