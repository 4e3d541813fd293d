import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.office_files import xlsx
from kit.parsing import parsed
from muniment.documents.contract import ParserLimit
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.office.cell_values import formats
from muniment.documents.parsing.office.safe_xml import tree

SPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def rows(*lines: list[str | float | None], first: int = 1) -> str:
    """Rows of cells: text in the cell, numbers in the first format."""
    made = []
    for number, cells in enumerate(lines, first):
        said = "".join(
            f'<c r="{chr(65 + place)}{number}" t="inlineStr"><is><t>{cell}</t></is></c>'
            if isinstance(cell, str)
            else f'<c r="{chr(65 + place)}{number}"><v>{cell}</v></c>'
            for place, cell in enumerate(cells)
            if cell is not None
        )
        made.append(f'<row r="{number}">{said}</row>')
    return "".join(made)


def headers(found: Parsed) -> list[str | None]:
    return [b.header and found.text[b.header.start : b.header.end] for b in found.blocks if b.kind == "table"]


def test_each_sheet_is_a_section_and_a_page() -> None:
    found = parsed(
        xlsx(
            {
                "Loads": rows(["probe", "load"], ["a", 1], ["b", 2.50]),
                "Empty": "",
                "Spare": rows(["x", "y"], ["c", 3]),
            },
            hidden=["Spare"],
        ),
        name="a.xlsx",
    )
    assert found.text == "Loads\n\nprobe | load\na | 1\nb | 2.5\n\nSpare\n\nx | y\nc | 3"
    assert [section.path for section in found.sections] == [("Loads",), ("Spare",)]
    assert [(page.number, found.text[page.start :][:5]) for page in found.pages] == [(1, "Loads"), (3, "Spare")]
    assert found.metadata == {"hidden_sheets": ["Spare"]}
    assert headers(found) == ["probe | load", "x | y"]


def test_blank_rows_part_tables_and_blank_columns_are_not_drawn() -> None:
    found = parsed(
        xlsx(
            {
                "Sheet1": rows(["Loads of May"], ["probe", None, "load"], ["a", None, 1])
                + rows(["truck", None, "weight"], ["t", None, 5], first=6)
            }
        ),
        name="a.xlsx",
    )
    assert found.text == "Loads of May\n\nprobe | load\na | 1\n\ntruck | weight\nt | 5"
    assert [block.kind for block in found.blocks] == ["paragraph", "table", "table"]
    assert headers(found) == ["probe | load", "truck | weight"]


def test_a_table_goes_on_after_a_gap_under_the_same_header() -> None:
    found = parsed(
        xlsx({"Sheet1": rows(["probe", "truck"], ["a", "b"]) + rows(["c", "d"], ["e", "f"], first=5)}),
        name="a.xlsx",
    )
    assert found.text == "probe | truck\na | b\n\nc | d\ne | f"
    assert headers(found) == ["probe | truck", "probe | truck"]


def test_cells_say_what_a_person_sees() -> None:
    cells = (
        '<c r="A1" t="s"><v>0</v></c><c r="B1" t="b"><v>1</v></c><c r="C1" t="e"><v>#REF!</v></c>'
        '<c r="D1" t="str"><f>A1&amp;"x"</f><v>probex</v></c><c r="E1"><f>1+1</f><v>2</v></c>'
        '<c r="F1"><f>1</f></c>'
        '<c r="AA1"><v>0.30000000000000004</v></c><c><v>-3</v></c><c r="AC1" t="s"><v>9</v></c>'
    )
    data = xlsx(
        {"Sheet1": f"<row>{cells}</row>"},
        strings=["<r><t>pro</t></r><r><t>be</t></r><rPh><t>reading</t></rPh>"],
    )
    assert parsed(data, name="a.xlsx").text == "probe | TRUE | #REF! | probex | 2 | 0.3 | -3"


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("General", -6.0, "-6"), ("General", 12345678901.0, "12345678901"), ("0%", 0.256, "26%"),
        ("0.0%", -0.256, "-25.6%"), ("#,##0.00", 1234567.891, "1,234,567.89"), ("0.##", 2.5, "2.5"),
        ("00000", 123.0, "00123"), ("#,##0,", 1234567.0, "1,235"), ("[$€-407] #,##0.00", 5.0, "€ 5.00"),
        ('#,##0 "km"', 1200.0, "1,200 km"), ('0.00;(0.00);"none"', -2.0, "(2.00)"),
        ('0.00;(0.00);"none"', 0.0, "none"), ("0.00E+00", 12345.0, "1.23E+04"),
        ("yyyy\\-mm\\-dd", 45413.0, "2024-05-01"), ("d. mmm yy", 45413.75, "2024-05-01"),
        ("m/d/yy h:mm", 45413.75, "2024-05-01 18:00"), ("yyyy-mm-dd h:mm:ss", 45413.0, "2024-05-01"),
        ("h:mm AM/PM", 0.75, "18:00"), ("[h]:mm", 1.5, "36:00"), ("mmm yyyy", 1.0, "1900-01-01"),
        ("yyyy", 1e9, "1000000000"), (";;;", 5.0, ""),
        ("[Red]0.0", 1.0, "1.0"), ("@", 7.0, "7"),
    ],
)  # fmt: skip
def test_numbers_are_shown_in_their_format(code: str, value: float, shown: str) -> None:
    escaped = code.replace("&", "&amp;").replace('"', "&quot;")
    styles = (
        f'<styleSheet xmlns="{SPACE}"><numFmts><numFmt numFmtId="200" formatCode="{escaped}"/></numFmts>'
        '<cellXfs><xf numFmtId="200"/></cellXfs></styleSheet>'
    )
    (show,) = formats(tree([styles.encode()]), since_1904=False)
    assert show(value) == shown


@given(code=st.text(max_size=30), value=st.floats(allow_nan=False, allow_infinity=False))
def test_any_format_shows_something(code: str, value: float) -> None:
    from_code = formats(None, since_1904=False)
    assert from_code == []
    styles = tree(
        [b"<x:s xmlns:x='" + SPACE.encode() + b"'><x:numFmts><x:numFmt numFmtId='9'/></x:numFmts>"
         b"<x:cellXfs><x:xf numFmtId='9'/></x:cellXfs></x:s>"]
    )  # fmt: skip
    styles[0][0].set("formatCode", code)
    (show,) = formats(styles, since_1904=True)
    assert isinstance(show(value), str)


def test_a_sheet_of_too_much_text_is_refused_early() -> None:
    data = xlsx({"Sheet1": rows(*[["word " * 20, 1]] * 200)})
    with pytest.raises(ParserLimit) as refused:
        parsed(data, name="a.xlsx", text_characters=5_000)
    assert refused.value.document()["limit"] == "text"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_what_parts_the_cells_is_told(delimiter: str) -> None:
    lines = [["probe", "load, net", "x"], ["a", '"1;5"', "two"], ["b", "2", '"three\nlines"']]
    data = "\n".join(delimiter.join(f'"{c}"' if "," in c else c for c in line) for line in lines)
    found = parsed(data.encode(), name="a.csv")
    assert found.text == "probe | load, net | x\na | 1;5 | two\nb | 2 | three lines"
    assert headers(found) == ["probe | load, net | x"]


def test_a_stray_quotation_mark_does_not_swallow_the_rest() -> None:
    data = 'probe,size\n"a,5\n' + "b,6\n" * 200
    assert parsed(data.encode(), name="a.csv").text.count("\n") == 201


def test_a_named_delimiter_and_other_encodings() -> None:
    assert parsed("sep=;\na;b\n1;2".encode("utf-16"), name="a.csv").text == "a | b\n1 | 2"
    assert parsed("Prüfer;Größe\nMüller;2".encode("cp1252"), name="a.csv").text == "Prüfer | Größe\nMüller | 2"


WORDS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='"|,;'), min_size=1, max_size=8)


@given(lines=st.lists(st.lists(WORDS, min_size=2, max_size=5), min_size=1, max_size=20))
def test_no_row_is_lost(lines: list[list[str]]) -> None:
    found = parsed("\n".join(",".join(line) for line in lines).encode(), name="a.csv", media_type="text/csv")
    assert found.text.split("\n") == [" | ".join(line) for line in lines]
    assert [(block.start, block.end) for block in found.blocks] == [(0, len(found.text))]
