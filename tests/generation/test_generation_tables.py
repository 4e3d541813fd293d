"""Rows of tables: read with their header, answered with, and borne out by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.generation.contract import Check, Source, Write
from muniment.generation.prompt import messages
from muniment.generation.service import PassageWriter
from muniment.generation.tables import as_read, reading, tables

ALLOWANCES = Source(
    title="Travel allowances 2026",
    section=("Day allowances",),
    text="""Day allowances

Place | Country | Full day (EUR) | Half day (EUR) | Breakfast deducted (EUR)
Bergen | Norway | 74 | 37 | 15
Ghent | Belgium | 62 | 31 | 12
Lyon | France | 60 | 30 | 12
Oslo | Norway | 79 | 39.5 | 16
Elsewhere in Europe |  | 52 | 26 | 10

Own vehicle

Vehicle | NOK per kilometre
Electric car | 3.9
Bicycle | 2

Expenses are claimed within three months.""",
)
STORIES = Source(
    title="Quiet hours",
    section=(),
    text="| Story | Points |\n|:--|--:|\n| QH-201 | 5 |\n| QH-203 | 8 |\n\n"
    "```\n| no | table |\n|---|---|\n| 1 | 2 |\n```",
)
WEIGHTS = {"travel": 4.8, "allow": 4.2, "ghent": 5.6, "much": 6.1}


@pytest.fixture
def writer(embedding):
    return PassageWriter(embedding)


async def answer(writer, question, *sources, **more):
    asked = Write(question=question, sources=sources, **more)
    return [event async for event in writer.write(asked) if event.kind == "sentence"]


def told(sentence, sources):
    return [sources[quote.source].text[quote.start : quote.end] for quote in sentence.quotes]


async def test_a_row_is_the_answer_read_with_its_header_and_quoted_by_its_characters(writer):
    prose = Source(
        title="Staff FAQ",
        section=(),
        text="Brackenfold pays a home office allowance of NOK 7,500 every three years, from the first day.\n\n"
        "Mean kinetic temperature: The single temperature that would have harmed the goods as much.",
    )
    sources = (ALLOWANCES, prose)
    said, *more = await answer(writer, "How much is the travel allowance for Ghent?", *sources, weights=WEIGHTS)
    assert more == []
    assert said.text == (
        "Place: Ghent · Country: Belgium · Full day (EUR): 62 · Half day (EUR): 31 · Breakfast deducted (EUR): 12."
    )
    assert told(said, sources) == [
        "Ghent | Belgium | 62 | 31 | 12",
        "Place | Country | Full day (EUR) | Half day (EUR) | Breakfast deducted (EUR)",
    ]


async def test_each_table_of_a_text_has_its_own_header_and_empty_cells_keep_their_columns(writer):
    (car, *_) = await answer(writer, "What is paid per kilometre with an electric car?", ALLOWANCES)
    assert car.text == "Vehicle: Electric car · NOK per kilometre: 3.9."
    (rest,) = await answer(writer, "What is the full day elsewhere in Europe?", ALLOWANCES)
    assert rest.text.startswith("Place: Elsewhere in Europe · Full day (EUR): 52 ·")


async def test_rows_that_match_alike_stand_together_and_their_neighbours_do_not(writer):
    found = await answer(writer, "What is the full day in Norway?", ALLOWANCES)
    assert {s.text.split(" · ")[0] for s in found} == {"Place: Bergen", "Place: Oslo"}


async def test_of_a_wide_row_the_first_cell_and_what_is_asked(writer):
    names = ["Part", *(f"Property number {n}" for n in range(20)), "Unit price (EUR)"]
    rows = [[f"PN-{n}", *(f"value {n} of {c}" for c in range(20)), f"{n}.50"] for n in range(100, 130)]
    source = Source(title="Parts", section=(), text="\n".join(" | ".join(row) for row in [names, *rows]))
    (said, *more) = await answer(
        writer, "What is the unit price of PN-117?", source,
        weights={"unit": 3.0, "price": 3.0, "pn-117": 6.0, "117": 6.0, "pn": 0.2},
    )  # fmt: skip
    assert more == []
    assert said.text == "Part: PN-117 · Unit price (EUR): 117.50."
    assert told(said, [source])[0] == " | ".join(rows[17])


def test_markdown_tables_have_headers_too_and_code_has_none():
    (table,) = tables(STORIES)
    assert [reading(row) for row in table.rows] == ["Story: QH-201 · Points: 5.", "Story: QH-203 · Points: 8."]
    assert STORIES.text[table.rows[1].start : table.rows[1].end] == "| QH-203 | 8 |"


@pytest.mark.parametrize(
    "text",
    [
        "Home | About\nNews | Contact",
        "title: str | None = None\ntags: list[str] | None = None",
        "It was | as they say | a long line of prose.",
    ],
)
def test_lines_with_bars_that_may_be_anything_are_no_table(text):
    assert tables(Source(title="", section=(), text=text)) == []


def test_where_a_table_was_cut_in_two_no_row_is_taken_for_the_header():
    text = "Alerts | Aisha Karimi | Python\nWeb | Jonas Lie | TypeScript"
    (table,) = tables(Source(title="", section=(), text=text))
    assert [row.names for row in table.rows] == [(), ()]
    (headed,) = tables(Source(title="", section=(), text=text, header="Team | Lead | Language"))
    assert reading(headed.rows[0]) == "Team: Alerts · Lead: Aisha Karimi · Language: Python."
    assert headed.rows[0].header is None


def test_a_model_is_shown_the_header_that_stands_before_the_text():
    source = Source(title="T", section=(), text="Alerts | Aisha Karimi", header="Team | Lead")
    _, user = messages("Who leads?", [source], 1000)
    assert "\nTeam | Lead\nAlerts | Aisha Karimi\n" in user["content"]


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("Place: Ghent · Full day (EUR): 62.", "quoted"),
        ("Ghent | Belgium | 62 | 31 | 12", "quoted"),
        ("The full day allowance for Ghent in Belgium is EUR 62.", "supported"),
        ("Place: Ghent · Full day (EUR): 74.", "unsupported"),
        ("The full day allowance for Ghent in Belgium is EUR 74.", "unsupported"),
    ],
)
async def test_a_row_bears_out_what_it_says_and_not_what_its_neighbour_says(writer, claim, verdict):
    checked = await writer.check(Check(sentence=claim, sources=(STORIES, ALLOWANCES)))
    assert checked.verdict == verdict
    if verdict == "quoted":
        assert told(checked, (STORIES, ALLOWANCES))[0] == "Ghent | Belgium | 62 | 31 | 12"


CELL = st.text(alphabet="aB1·:. ", min_size=1, max_size=6).map(lambda cell: " ".join(cell.split()) or "x")


@given(st.lists(st.lists(CELL, min_size=3, max_size=5), min_size=1, max_size=6), st.data())
def test_whatever_is_read_of_a_row_is_known_as_that_rows_words(cells, data):
    header = ["Alpha", "Beta", "Gamma", "Delta", "Eps"]
    text = "\n".join(["Before.", "", " | ".join(header), *(" | ".join(row) for row in cells)])
    source = Source(title="", section=(), text=text)
    (table,) = tables(source)
    for row, expected in zip(table.rows, cells, strict=True):
        assert text[row.start : row.end] == " | ".join(expected)
        assert row.cells == tuple(expected)
    row = data.draw(st.sampled_from(table.rows))
    if not any(" · " in f" {cell} " for cell in row.cells):
        known = as_read(reading(row), source)
        assert known is not None
        assert [c.rstrip(".") for c in known.cells] == [c.rstrip(".") for c in row.cells]
