"""Sentences: spans that are exact, whole and in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.kernel.text.sentences import sentences


def said(text):
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two!  Three?", ["One.", "Two!", "Three?"]),
        ("It costs 3.5 euros. See e.g. Fig. 2 there.", ["It costs 3.5 euros.", "See e.g. Fig. 2 there."]),
        ("Dr. J. Smith came. He left.", ["Dr. J. Smith came.", "He left."]),
        ("See https://a.example/b.c?d. Then go.", ["See https://a.example/b.c?d.", "Then go."]),
        ("He said “Stop.” Then he went.", ["He said “Stop.”", "Then he went."]),
        ("A line\nthat goes on. End.", ["A line\nthat goes on.", "End."]),
        ("No stop\n\nNext part", ["No stop", "Next part"]),
        ("# Title\nText here.", ["# Title", "Text here."]),
        ("- one\n- two. And more.", ["- one", "- two.", "And more."]),
        ("1. First thing.\n2. Second thing.", ["1. First thing.", "2. Second thing."]),
        ("| a | b |\n| c | d |", ["| a | b |", "| c | d |"]),
        ("我来了。你好吗？好。", ["我来了。", "你好吗？", "好。"]),
        ("version v1.2. is out", ["version v1.2. is out"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_where_sentences_end(text, found):
    assert said(text) == found


def test_only_between_the_offsets():
    text = "One. Two. Three."
    assert sentences(text, 5, 9) == [(5, 9)]


@given(st.text(alphabet="ab .!?\n#-*|1)A。é😀", max_size=200))
def test_spans_are_trimmed_in_order_and_hold_everything(text):
    spans = sentences(text)
    held = set()
    last = 0
    for start, end in spans:
        assert last <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        held.update(range(start, end))
        last = end
    assert all(i in held for i, character in enumerate(text) if not character.isspace())
