"""Slips: one edit away from what passages hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.text.terms import terms
from muniment.text.typo import is_one_edit, likely_slips, mended, nearest_words

PASSAGES = [
    "The renewal of certificates",
    "Each certificate needs a renewal",
    "Müller signs in Zurich",
    "code RW-5103",
]


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("certifcate renewal", "certificate"),
        ("certificatte", "certificate"),
        ("certifycate", "certificate"),
        ("cretificate", "certificate"),
        ("Mullér", None),
        ("Muller", "Müller"),
        ("renewla", "renewal"),
        ("zuric", "Zurich"),
        ("certfcate", None),
        ("RW-5104", None),
        ("teh", None),
    ],
)
def test_a_word_one_edit_away_is_meant(query, meant):
    known = {term for passage in PASSAGES for term in terms(passage)}
    unknown = set(terms(query)) - known
    found = nearest_words(query, unknown, PASSAGES)
    assert [near[0] for near in found.values()] == ([] if meant is None else [meant.casefold()])


def test_what_most_passages_hold_comes_first():
    passages = ["the lead", "the lead", "the leaf", "the bead", "a loaf"]
    assert nearest_words("leax", {"leax"}, passages) == {"leax": ("lead", "leaf")}
    assert nearest_words("lead", {"leax"}, passages) == {}
    assert nearest_words("leax", set(), passages) == {}


def test_edited_words_are_compared_as_written_not_as_stems():
    assert nearest_words("runnng", {"runnng"}, ["He was running"]) == {"runnng": ("running",)}


def test_a_query_is_mended_where_it_slipped_and_nowhere_else():
    unknown = {"certifc", "zuric"}
    assert mended("the Certifcate, zuric: renewal", unknown, PASSAGES) == "the certificate, zurich: renewal"
    assert mended("xylophone", {"xylophon"}, PASSAGES) is None


def test_a_slip_is_likely_where_a_word_is_in_no_passage_but_a_near_one_is():
    assert likely_slips("certifcate renewal", PASSAGES) == ("certifcate",)
    assert likely_slips("xylophone certifcate", PASSAGES) == ("certifcate", "xylophone")
    assert likely_slips("Zurihc!", ["(Zurich)."]) == ("zurihc",)
    for sound in ("certificates renewed", "xylophone", "RW-5104", "teh", "", "Zurich"):
        assert likely_slips(sound, PASSAGES) == ()
    assert likely_slips("tell", ["cells and a cell"]) == likely_slips("letter", ["better"]) == ()
    assert likely_slips("certifcate", []) == ()


@given(st.text("abé", min_size=6, max_size=8), st.text("abé", min_size=1, max_size=9))
def test_no_near_word_that_begins_alike_is_overlooked(word, other):
    likely = likely_slips(word, [other], "xx") == (word,)
    assert likely == (is_one_edit(word, other) and word[0] == other[0] and not other.startswith(word))


def test_a_query_of_unheard_words_is_no_slip_though_one_is_near_another():
    query = "wann wird ein signal kalibriert"
    assert mended(query, set(terms(query)), PASSAGES) is None
    assert mended("signz ORA-00942", {"signz", *terms("ORA-00942")}, PASSAGES) == "signs ORA-00942"


LETTERS = st.text(alphabet="abc", min_size=1, max_size=6)


@given(LETTERS, st.data())
def test_each_single_edit_is_one(word, data):
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("xyz"))
    swapped = word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]
    for edited in (
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + letter + word[at + 1 :],
    ):
        assert is_one_edit(word, edited)
        assert is_one_edit(edited, word)
    assert is_one_edit(word, swapped) is (swapped != word)


def distance(a, b):
    """Optimal string alignment, by its textbook recurrence."""
    table = {(i, -1): i + 1 for i in range(-1, len(a))} | {(-1, j): j + 1 for j in range(-1, len(b))}
    for i in range(len(a)):
        for j in range(len(b)):
            cost = int(a[i] != b[j])
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + cost)
            if i and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return table[len(a) - 1, len(b) - 1]


@given(LETTERS, LETTERS)
def test_one_edit_is_a_distance_of_one(a, b):
    assert is_one_edit(a, b) is (distance(a, b) == 1)
