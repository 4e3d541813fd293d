from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.parsing import parsed
from muniment.documents.contract import FileBroken
from muniment.documents.parsing.paged.pdf import instant
from muniment.documents.parsing.paged.place import spelled, spelling


def read(data: bytes):
    return parsed(data, name="a.pdf", text_characters=10**6)


def lines(y: int, *texts: str) -> list[tuple[float, float, float, str]]:
    return [(10, 50, y - 12 * i, text) for i, text in enumerate(texts)]


PROSE = (
    "The refrigerated truck leaves the loading dock at five in the morn-",
    "ing, and its well-known driver reports the temperature of the load",
    "every hour.",
)


def test_lines_become_paragraphs_and_cut_words_whole(pdf) -> None:
    page = [(20, 50, 740, "Cold chain"), *lines(700, *PROSE), *lines(640, "A second paragraph follows here.")]
    parsed = read(pdf([page]))
    assert parsed.text == (
        "Cold chain\n\nThe refrigerated truck leaves the loading dock at five in the morning, and its well-known "
        "driver reports the temperature of the load every hour.\n\nA second paragraph follows here."
    )
    assert [b.kind for b in parsed.blocks] == ["heading", "paragraph", "paragraph"]
    assert [s.path for s in parsed.sections] == [("Cold chain",)]


def test_pages_are_spans_and_running_lines_are_left_out(pdf) -> None:
    pages = [
        [
            (8, 50, 780, "ACME Handbook 2026"),
            *lines(700, f"Text of page {n} alone."),
            (8, 300, 20, f"Page {n} of 4"),
        ]
        for n in range(1, 5)
    ]
    parsed = read(pdf(pages))
    assert [parsed.text[p.start : p.end] for p in parsed.pages] == [
        f"Text of page {n} alone." for n in range(1, 5)
    ]
    assert [p.number for p in parsed.pages] == [1, 2, 3, 4]
    assert "ACME" not in parsed.text


def test_a_paragraph_goes_on_over_the_page(pdf) -> None:
    parsed = read(pdf([lines(100, "The sentence begins on the first page and"), lines(700, "ends on the next.")]))
    assert parsed.text == "The sentence begins on the first page and ends on the next."
    assert len(parsed.blocks) == 1
    assert parsed.text[parsed.pages[1].start : parsed.pages[1].end] == "ends on the next."


def test_short_lines_stay_lines(pdf) -> None:
    parsed = read(pdf([[*lines(700, *PROSE), *lines(600, "Name Limit", "Hotel 180", "Meal 40")]]))
    assert parsed.text.endswith("Name Limit\nHotel 180\nMeal 40")


def test_a_bold_line_of_its_own_is_a_heading(pdf) -> None:
    body = lines(680, *PROSE, "More text here that is long enough for prose, and it goes on and on.")
    parsed = read(pdf([[(10, 50, 720, "CARE"), *body]]))
    assert parsed.sections[0].path == ("CARE",)


def test_what_the_file_says_about_itself(pdf) -> None:
    info = "/Title (Probe manual) /Author (Erik) /CreationDate (D:20260831090000+02'00')"
    parsed = read(pdf([lines(700, "Text.")], info=info))
    assert parsed.fields == {
        "title": "Probe manual",
        "author": "Erik",
        "created_at": "2026-08-31T07:00:00Z",
    }
    assert parsed.title == "Probe manual"
    assert "title" not in read(pdf([lines(700, "Text.")], info="/Title (Microsoft Word - draft.docx)")).fields


def test_pdf_dates() -> None:
    assert instant("D:2026") == "2026-01-01T00:00:00+00:00"
    assert instant("20260831090000Z") == "2026-08-31T09:00:00+00:00"
    assert instant("yesterday") is None


def test_a_file_that_links_and_has_bookmarks(pdf) -> None:
    link = "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (https://example.org/%s) >> >>"
    more = [
        link % "a",
        link % "b",
        "<< /First 14 0 R /Last 14 0 R /Count 1 >>",
        "<< /Title (Second thoughts) /Parent 12 0 R /Dest [7 0 R /Fit] >>",
        "<< /Title (All of it) /Parent 12 0 R /Dest [5 0 R /Fit] /First 13 0 R /Last 13 0 R /Count 1 >>",
    ]
    pages = [lines(700, *PROSE), lines(700, "It goes on. Second thoughts are given.")]
    data = pdf(pages, page="/Annots [10 0 R 11 0 R]", catalog="/Outlines 12 0 R", more=more)
    found = read(data)
    assert found.metadata["links"] == ["https://example.org/a", "https://example.org/b"]
    assert [(s.path, found.text[s.start : s.start + 6]) for s in found.sections] == [
        (("All of it",), "The re"),
        (("All of it", "Second thoughts"), "Second"),
    ]


def test_an_empty_page_is_no_harm(pdf) -> None:
    found = read(pdf([lines(700, "Before it."), [], lines(700, "After it.")]))
    assert found.text == "Before it.\n\nAfter it."
    assert [p.number for p in found.pages] == [1, 3]


@given(st.text(st.sampled_from("ab-\ufb01\ufb03\u00a0\u2003 \n\r\t\x00\x01\ufffe\ufeff\ud800\U0001f600")))
def test_spelling_is_one_whether_it_says_from_where_or_not(text: str) -> None:
    said, origin = spelling(text)
    assert said == spelled(text)
    assert len(said) == len(origin)
    assert origin == sorted(origin)


def test_lines_lie_in_the_text_and_on_their_pages(evaldata) -> None:
    files = sorted((evaldata / "parsing_formats" / "files").glob("*.pdf"))
    if not files:
        pytest.skip("the evaluation data parsing_formats is not here")
    for path in files[:6]:
        found = read(path.read_bytes())
        spans = {page.number: page for page in found.pages}
        assert all(a.end <= b.start for a, b in pairwise(found.lines))
        for line in found.lines:
            page = spans[line.page]
            assert page.start <= line.start < line.end <= page.end
            assert 0 <= line.x0 < line.x1 <= 1
            assert 0 <= line.y0 < line.y1 <= 1
        drawn = sum(line.end - line.start for line in found.lines)
        assert drawn > 0.9 * len("".join(found.text.split()))


@pytest.mark.parametrize("end", [b"", b"startxref\n1\n%%EOF", b"startxref\n999999999999\n%%EOF"])
def test_a_large_file_without_an_end_is_not_searched(end: bytes) -> None:
    with pytest.raises(FileBroken, match="it has no end"):
        parsed(b"%PDF-1.7\n" + b"\x00" * 1_100_000 + end, name="a.pdf", file_bytes=1_000_000)


def test_a_large_file_with_an_end_is_read(pdf) -> None:
    assert (
        parsed(pdf([[(12, 72, 700, "The probe is warm.")]]), name="a.pdf", file_bytes=1).text
        == "The probe is warm."
    )
