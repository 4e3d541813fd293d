"""Quoted phrases: taken out of a query, and looked for word by word."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.text.phrases import demanded, holds, says, unquoted


@pytest.mark.parametrize(
    ("query", "text", "phrases"),
    [
        ('who signs "lease renewal" forms', "who signs lease renewal forms", ("lease renewal",)),
        ("\u201clease  renewal\u201d", "lease  renewal", ("lease renewal",)),
        (
            "\u201eMiete zahlen\u201c und \u00abloyer d\u00fb\u00bb",
            "Miete zahlen und loyer d\u00fb",
            ("Miete zahlen", "loyer d\u00fb"),
        ),
        ("\u300c\u66f4\u65b0\u300d\u306f", "\u66f4\u65b0\u306f", ("\u66f4\u65b0",)),
        ('"a b" "a b" "c"', "a b a b c", ("a b", "c")),
        ('"lease renewal', '"lease renewal', ()),
        ('lease" renewal', 'lease" renewal', ()),
        ('a 5" pipe and a 3" pipe', 'a 5" pipe and a 3" pipe', ()),
        ('a 5" pipe for "hot water"', 'a 5" pipe for hot water', ("hot water",)),
        ('the "" and "..." of it', 'the "" and "..." of it', ()),
        ('one "two" three "four', 'one two three "four', ("two",)),
        ("the tenant's lease 'renewal'", "the tenant's lease 'renewal'", ()),
        ("plain", "plain", ()),
        ("", "", ()),
    ],
)
def test_quotes_are_taken_out_of_a_query(query, text, phrases):
    assert unquoted(query) == (text, phrases)


@pytest.mark.parametrize(
    ("text", "phrase", "held"),
    [
        ("The Lease Renewal form", "lease renewal", True),
        ("of the lease\n   renewal.", "lease renewal", True),
        ("lease\u00a0renewal", "lease renewal", True),
        ("**lease renewal**", "lease renewal", True),
        ("lease of renewal", "lease renewal", False),
        ("renewal lease", "lease renewal", False),
        ("leases renewal", "lease renewal", False),
        ("release renewal", "lease renewal", False),
        ("lease renewals, then the lease renewal", "lease renewal", True),
        ("lease. Renewal", "lease renewal", False),
        ("set max_retry to 3", "max", False),
        ("set max_retry to 3", "max_retry", True),
        ("cafe\u0301", "CAF\u00c9", True),
        ("STRASSE", "stra\u00dfe", True),
        ("the tenant\u2019s lease", "the tenant's lease", True),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0939\u093f\u0928\u094d\u0926", False),
        ("\u6771\u4eac\u90fd\u306f", "\u6771\u4eac", True),
        ("error RW-5103!", "rw-5103", True),
        ("", "lease", False),
    ],
)
def test_a_phrase_is_held_word_by_word(text, phrase, held):
    assert holds(text, phrase) is held


WORDS = st.lists(st.sampled_from(["lease", "Renewal", "\u00dcber", "x9", "v1.2", "of"]), min_size=1, max_size=6)


@given(WORDS, WORDS, WORDS, st.sampled_from([" ", "\n", "\u00a0", " \t "]), st.sampled_from(["NFC", "NFD"]))
def test_a_text_holds_each_run_of_its_words(before, words, after, space, form):
    text = unicodedata.normalize(form, space.join([*before, *words, *after]))
    assert holds(text, " ".join(words).upper())


@given(st.text(max_size=80))
def test_any_query_is_taken_apart_without_loss_of_letters(query):
    text, phrases = unquoted(query)
    assert [c for c in text if c.isalnum()] == [c for c in query if c.isalnum()]
    assert all(holds(text, phrase) for phrase in phrases)


@pytest.mark.parametrize("piece", ['"', '"a', 'a"', '" ', "\u201c\u201d", "\u201e\u201c\u201d"])
def test_no_query_is_slow(piece):
    began = time.process_time()
    unquoted(piece * (8192 // len(piece)))
    assert time.process_time() - began < 1


def test_a_phrase_of_what_unfolds_is_made_ready_once():
    wanted = demanded(["\ufdfa" * 8190])  # one character for eighteen
    began = time.process_time()
    assert not any(says((f"a passage {n}", "its title", "a heading"), wanted) for n in range(1000))
    assert time.process_time() - began < 1


def test_each_phrase_is_said_by_one_of_the_texts():
    assert says(("The lease", "its Renewal"), demanded(["renewal", "the lease"]))
    assert not says(("The lease", "its Renewal"), demanded(["renewal", "lease its"]))
    assert says(("The lease",), demanded([]))


def test_prose_of_many_words_quotes_without_demanding():
    prose = 'When the watch begins with a "bookmark" the server goes on with the events that it has kept, in turn.'
    assert unquoted(prose).phrases == ()
    assert unquoted('When does the watch begin with a "bookmark"?').phrases == ("bookmark",)
