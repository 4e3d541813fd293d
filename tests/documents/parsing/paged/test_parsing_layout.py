"""The order in which pages are read, whatever order their text has in the file."""

from itertools import zip_longest

import pytest

from kit.parsing import parsed
from kit.pdf import make_pdf, prose

LEFT = (
    "The cold chain begins where the crop is",
    "harvested, and it ends where it is eaten.",
    "Whoever breaks it in between loses the",
    "whole load, which the insurer knows.",
)
RIGHT = (
    "Probes are therefore read every minute,",
    "and what they say is kept for ten years.",
    "A driver who sees the red lamp stops at",
    "once and calls the office in the harbour.",
)
THIRD = (
    "Nobody opens the doors without a reason",
    "that is written down in the book of the",
    "truck, with the hour and the name below.",
    "Books that are full go to the archives.",
)
TITLE = "On the keeping of cold chains by drivers, probes and offices in all harbours of the north"
CLOSING = "This report was written for the harbour council, which may copy it as often as it wants to."


def text_of(*pages, **options: str) -> str:
    return parsed(make_pdf(pages, **options), name="a.pdf").text


def across(columns):
    """The lines of columns in the order of rows, as some programs write them."""
    return [line for row in zip_longest(*columns) for line in row if line]


def in_order(text: str, *parts: str) -> bool:
    flat = " ".join(text.split())
    places = [flat.find(part) for part in parts]
    return -1 not in places and places == sorted(places)


@pytest.mark.parametrize("rotated", ["", "/Rotate 180"])
@pytest.mark.parametrize("by_rows", [True, False])
def test_two_columns_between_full_lines(*, by_rows: bool, rotated: str) -> None:
    columns = [prose(50, 700, *LEFT), prose(310, 700, *RIGHT)]
    body = across(columns) if by_rows else [*columns[1], *columns[0]]
    text = text_of([*prose(50, 640, CLOSING), *body, *prose(50, 740, TITLE)], page=rotated)
    assert in_order(text, TITLE, " ".join(LEFT), " ".join(RIGHT), CLOSING)


def test_three_columns() -> None:
    columns = [prose(30, 700, *LEFT, size=8), prose(215, 700, *RIGHT, size=8), prose(400, 700, *THIRD, size=8)]
    text = text_of(across(columns))
    assert in_order(text, " ".join(LEFT), " ".join(RIGHT), " ".join(THIRD))


def test_a_sentence_goes_on_in_the_next_column() -> None:
    right = ("and nobody asks why, since it is known.", *RIGHT[1:])
    text = text_of(
        across([prose(50, 700, *LEFT[:3], "whole load, which the insurer knows well"), prose(310, 700, *right)])
    )
    assert "which the insurer knows well and nobody asks why" in text


def test_a_table_is_no_columns() -> None:
    rows = [
        ("Probe", "Limit", "Owner"),
        ("Front door", "7 C", "Ada"),
        ("Rear", "4 C", "Ben"),
        ("Roof", "9 C", "Eve"),
    ]
    cells = [
        (10, x, 650 - 20 * i, cell)
        for i, row in enumerate(rows)
        for x, cell in zip((50, 200, 320), row, strict=True)
    ]
    found = parsed(make_pdf([[*prose(50, 700, *LEFT[:2]), *cells, *prose(50, 550, *RIGHT[2:])]]), name="a.pdf")
    assert "Probe | Limit | Owner\nFront door | 7 C | Ada\nRear | 4 C | Ben\nRoof | 9 C | Eve" in found.text
    table = next(b for b in found.blocks if b.kind == "table")
    assert table.header is not None
    assert found.text[table.header.start : table.header.end] == "Probe | Limit | Owner"


def test_bullets_are_no_table() -> None:
    items = [
        (10, x, 700 - 14 * i, text) for i in range(4) for x, text in ((50, "-"), (70, f"Item {i} of the list"))
    ]
    assert "|" not in text_of(items)


def test_notes_stay_out_of_sentences() -> None:
    first = [
        *prose(50, 700, *LEFT[:3], "whole load, as the insurer wrote to"),
        *prose(50, 80, "1 See the letter of the insurer of May.", "2 Kept in the archives.", size=7),
    ]
    second = prose(50, 700, "the council in a letter that was lost.", *RIGHT)
    found = parsed(make_pdf([first, second]), name="a.pdf")
    blocks = [found.text[b.start : b.end] for b in found.blocks]
    assert "1 See the letter of the insurer of May." in blocks
    assert "2 Kept in the archives." in blocks
    assert not any("archives. the council" in block for block in blocks)


def test_notes_of_the_left_column_come_after_the_right_one() -> None:
    left = [
        *prose(50, 700, *LEFT[:3], "whole load, as the insurer wrote to"),
        (7, 50, 600, "1 See the letter of May."),
    ]
    text = text_of([*left, *prose(310, 700, "the council in a letter that was lost.", *RIGHT)])
    assert "as the insurer wrote to the council in a letter" in text
    assert text.endswith("1 See the letter of May.")


def test_headers_and_footers_of_two_columns_are_left_out() -> None:
    pages = [
        [
            (8, 50, 780, "ACME yearbook"),
            (8, 500, 780, f"Page {n}"),
            *across([prose(50, 700, *LEFT, f"Left {n}."), prose(310, 700, *RIGHT, f"Right {n}.")]),
            (8, 300, 20, str(n)),
        ]
        for n in range(1, 5)
    ]
    text = text_of(*pages)
    assert "ACME" not in text
    assert "Page" not in text


@pytest.mark.parametrize("turn", [90, 270])
def test_a_turned_page_with_upright_text(turn: int) -> None:
    """A landscape page: its text is turned as the page is."""
    matrix = "0 1 -1 0 {x} {y} Tm" if turn == 90 else "0 -1 1 0 {x} {y} Tm"
    columns = across([prose(50, 500, *LEFT), prose(420, 500, *RIGHT)])
    streams = []
    for size, x, y, text in columns:
        place = matrix.format(x=600 - y, y=x) if turn == 90 else matrix.format(x=y, y=800 - x)
        streams.append(f"BT /F {size} Tf {place} ({text}) Tj ET")
    stream = "\n".join(streams)
    data = make_pdf(
        [[]],
        page=f"/Rotate {turn} /Contents 8 0 R",
        more=[f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream"],
    )
    text = parsed(data, name="a.pdf").text
    assert in_order(text, " ".join(LEFT), " ".join(RIGHT))


def test_what_is_seen_as_on_top_is_read_first() -> None:
    assert in_order(text_of([*prose(50, 500, *RIGHT), *prose(50, 700, *LEFT)]), " ".join(LEFT), " ".join(RIGHT))
