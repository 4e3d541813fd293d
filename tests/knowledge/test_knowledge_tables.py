"""Answers out of tables: shown with the header, cited to the characters of the row and of the header."""

import pytest

from knowledge.conftest import Said, Shelf, hit
from muniment.knowledge.contract import Ask
from muniment.knowledge.service import CheckedKnowledge

SHEET = """What the company pays, by place.

Day allowances

Place | Country | Full day (EUR) | Half day (EUR)
Bergen | Norway | 74 | 37
Ghent | Belgium | 62 | 31
Lyon | France | 60 | 30
"""
PARENT = SHEET[SHEET.index("Day") :]
QUESTION = "What is the full day allowance in Ghent?"


def knowledge(*said):
    shelf = Shelf(
        hit("doc_1", PARENT[:80], PARENT, text=SHEET), hit("doc_1", PARENT[80:], PARENT, text=SHEET, number=2)
    )
    return CheckedKnowledge(shelf, Said(*said), least=-0.7)


async def test_the_row_is_quoted_with_its_header():
    answer = await knowledge().ask(Ask(question=QUESTION, model="extractive"))
    (said,) = answer.sentences
    assert (
        answer.answer == said.text == "Place: Ghent · Country: Belgium · Full day (EUR): 62 · Half day (EUR): 31."
    )
    assert (said.verdict, said.footnotes) == ("quoted", (1, 2))
    assert [note.quote for note in answer.footnotes] == [
        "Ghent | Belgium | 62 | 31",
        "Place | Country | Full day (EUR) | Half day (EUR)",
    ]
    assert all(note.quote == SHEET[note.span.start : note.span.end] for note in answer.footnotes)


@pytest.mark.parametrize(
    ("sentence", "verdicts"),
    [
        ("The full day allowance in Ghent in Belgium is 62 EUR.", ["supported"]),
        ("Place: Ghent · Full day (EUR): 62.", ["quoted"]),
    ],
)
async def test_what_a_model_says_of_a_row_is_borne_out_by_it(sentence, verdicts):
    answer = await knowledge((sentence, 0)).ask(Ask(question=QUESTION))
    assert [said.verdict for said in answer.sentences] == verdicts
    assert answer.footnotes[0].quote == "Ghent | Belgium | 62 | 31"


async def test_a_neighbours_number_is_not_passed_off():
    answer = await knowledge(("The full day allowance in Ghent in Belgium is 74 EUR.", 0)).ask(
        Ask(question=QUESTION)
    )
    assert answer.model == "extractive"
    assert {said.verdict for said in answer.sentences} == {"quoted"}


async def test_a_row_far_below_its_header_is_read_with_it():
    deep = "PN-11499 | 36.30\nPN-11500 | 36.40\nPN-11501 | 36.50"
    found = hit("doc_1", deep, deep, text=f"Part number | Unit price (EUR)\n{deep}")
    header = "Part number | Unit price (EUR)"
    told = found.model_copy(update={"chunk": found.chunk.model_copy(update={"header": header})})
    answer = await CheckedKnowledge(Shelf(told), Said(), least=-0.7).ask(
        Ask(question="What is the unit price of PN-11500?", model="extractive")
    )
    assert answer.answer == "Part number: PN-11500 · Unit price (EUR): 36.40."
    assert answer.footnotes[0].quote == "PN-11500 | 36.40"
