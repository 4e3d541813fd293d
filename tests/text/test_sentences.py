"""Sentences: spans that are exact, whole and in order."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.text.sentences import sentences


def cut(text):
    return [text[a:b] for a, b in sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        [],
        ["One sentence.", "And another!", "A third?", "The rest"],
        ["Mr. Smith met Dr. Jones in Washington, D.C.", "He paid 3.14 dollars."],
        ["J. K. Rowling wrote it.", "George W. Bush did not.", "So did I.", "You too."],
        ["See Fig. 3 and Sec. IV.", "He said no.", "Then he left."],
        ["The U.S. Army left.", "They live in the U.S.", "It is large."],
        ["Vitamin C.", "The end."],
        ["Acme Inc. Holdings sold it.", "It was bought by Acme Inc.", "The price was low."],
        ["Read https://a.example/b.c?d=1.", "Then write to x@y.example."],
        ["Use e.g. Python, i.e. The language.", "Fine."],
        ["Version v1.2. is out.", "Good."],
        ['"Is it so?" he asked.', "(It was.)", "\u201cYes.\u201d", "Good."],
        ["Wait... what.", "Really?!", "Yes."],
        ["これは文です。", "次の文\uff01", "「はい。」", "終"],
        ["Am 3. Oktober war Feiertag.", "Es war 1990.", "Danach kam 1991."],
        ["As shown.[12]", "Later work differs."],
    ],
)
def test_sentences_end_where_a_reader_ends_them(expected):
    joiner = "" if "これは文です。" in expected else " "
    assert cut(joiner.join(expected)) == expected


def test_lines_that_are_their_own():
    text = (
        "# Title\nA first line\nthat wraps. Two.\n\nNo stop here\n\n- item one. Its end\n- item two\n"
        "  goes on\n1. first\n2. second\n| a | b |\n| c | d |\nEnd"
    )
    assert cut(text) == [
        "# Title", "A first line\nthat wraps.", "Two.", "No stop here", "- item one.", "Its end",
        "- item two\n  goes on", "1. first", "2. second", "| a | b |", "| c | d |", "End",
    ]  # fmt: skip


def test_only_the_span_asked_for_is_cut():
    text = "Zero. One is here. Two."
    assert [text[a:b] for a, b in sentences(text, 6, 17)] == ["One is here"]


ODD = st.text(alphabet=st.sampled_from("aB1 .!?\n\t-#|*)(\"'\u201d。」é\u2028\x0b😀"), max_size=80)


@given(ODD | st.text(), st.data())
def test_nothing_but_white_space_lies_outside(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    at = start
    for a, b in sentences(text, start, end):
        assert at <= a < b <= end
        assert not text[at:a].strip()
        assert text[a:b] == text[a:b].strip()
        at = b
    assert not text[at:end].strip()


@pytest.mark.parametrize(
    "text", ["." * 100_000, ". " * 50_000, "a\n" * 50_000, "a.)" * 30_000, "Mr. " * 30_000, "- " * 50_000]
)
def test_no_text_is_slow(text):
    began = time.process_time()
    sentences(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("filler", [" ", "\t", "a. ", "| ", "(", ".", "- "])
def test_a_long_line_of_nearly_nothing_is_cut_in_no_time(filler: str) -> None:
    begun = time.process_time()
    sentences(filler * 40_000 + "x")
    assert time.process_time() - begun < 2
