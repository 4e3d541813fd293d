"""Terms: what is found by what, at both ends of a search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.kernel.text.terms import spans, terms


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The leases are renewed.", ["leas", "renew"]),
        ("max_retry_count", ["max_retry_count", "max", "retri", "count"]),
        ("parseHttpHeader", ["parsehttpheader", "pars", "http", "header"]),
        ("error RW-5103", ["error", "rw-5103", "rw", "5103"]),
        ("PostgreSQL 17.2", ["postgresql", "postgr", "sql", "17.2", "17", "2"]),
        ("well-known facts", ["well", "known", "fact"]),
        ("Ada's pages don't", ["ada", "page", "don"]),
        ("1,312 records", ["1312", "record"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("ISO 9001", ["iso", "9001"]),
        ("", []),
        ("—  … !", []),
    ],
)
def test_english(text, found):
    assert terms(text) == found


def test_the_language_chooses_stems_and_stop_words():
    assert terms("die Häuser der Stadt", "de") == ["haus", "stadt"]
    assert terms("los contratos", "es") == ["contrat"]
    assert terms("naming", "xx") == ["naming"]


def test_case_and_width_do_not_matter():
    assert terms("STRASSE Ｓｔｒａße", "xx") == ["strasse", "strasse"]


@given(st.text(max_size=300))
def test_spans_hold_what_they_name(text):
    for term, start, end in spans(text):
        assert 0 <= start < end <= len(text)
        assert term
        assert not text[start:end].isspace()


@given(st.lists(st.sampled_from(["lease", "max_retry", "v1.2", "Ada", "東京", "x9", "don't"]), max_size=12))
def test_a_text_has_the_terms_of_its_words(words):
    assert terms(" ".join(words)) == [term for word in words for term in terms(word)]
