"""What may be quoted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.generation.contract import Source
from muniment.generation.sentences import quotable


def quotes(text, title="T", section=()):
    return [text[a:b] for a, b, *_ in quotable(Source(title=title, section=section, text=text))]


@pytest.mark.parametrize(
    "furniture",
    [
        "# A heading of the page",
        "**Bold heading**",
        "Short heading",
        "Copyright 2024 Example Inc. All rights reserved.",
        "Table of contents",
        "1. Introduction ........ 4",
        "Home | About | Products | Contact us",
        "|---|---|",
        "```\nprint('The code is no sentence.')\n```",
        "Page 3 of 12",
        "Skip to content",
        "How do I renew a lease?",
        "12.5 17.2 19.1 22.0 31.4.",
    ],
)
def test_furniture_is_not_quoted(furniture):
    text = f"{furniture}\n\nThe vault renews every lease by itself.\n"
    assert quotes(text) == ["The vault renews every lease by itself."]


def test_the_title_and_the_section_are_not_quoted():
    text = "How the vault keeps its leases alive for long.\n\nThe vault renews every lease."
    assert quotes(text, title="How the vault keeps its leases alive for long") == ["The vault renews every lease."]


def test_a_list_item_loses_its_mark():
    assert quotes("- The first rule is simple.\n2. The second rule is hard.\n") == [
        "The first rule is simple.",
        "The second rule is hard.",
    ]


def test_what_refers_back_is_joined_with_what_it_refers_to():
    text = "Leases last long. However, they expire. This is final.\n\nIt stands alone."
    assert quotes(text) == [
        "Leases last long.",
        "Leases last long. However, they expire.",
        "Leases last long. However, they expire. This is final.",
    ]


def test_what_begins_in_the_middle_is_not_quoted():
    assert quotes("and so it went on for years. The end came late.") == ["The end came late."]


def test_a_table_is_quoted_by_rows_without_its_header():
    assert quotes("| Item | Price |\n|---|---|\n| Lunch | 90 crowns |") == ["| Lunch | 90 crowns |"]


def test_rows_of_a_table_without_borders_stand_apart():
    assert quotes("Expense | Limit | Approved by\nHotel | 1,800 crowns a night | the manager") == [
        "Hotel | 1,800 crowns a night | the manager"
    ]


def test_the_heading_over_a_sentence_is_known():
    source = Source(title="T", section=("S",), text="First words here.\n\n## Abroad\n\nTwenty days a year.")
    assert [q.heading for q in quotable(source)] == ["", "## Abroad"]


@given(st.text(alphabet=st.sampled_from("Ab. \n-#|1This?é。"), max_size=120))
def test_quotes_are_spans_without_white_space_around(text):
    for a, b, *_ in quotable(Source(title="t", section=(), text=text)):
        assert 0 <= a < b <= len(text)
        assert text[a:b] == text[a:b].strip()
        assert not text[a:b].startswith(("This", "# "))


def test_a_question_may_be_quoted_with_what_answers_it():
    text = "Ada asked when it closes. Bo said that nothing is decided. The lease ends in May."
    assert "Ada asked when it closes. Bo said that nothing is decided." in quotes(text)
    assert "The lease ends in May." in quotes(text)
    assert "May I work at home? Yes, on two days." in quotes("May I work at home? Yes, on two days.")
