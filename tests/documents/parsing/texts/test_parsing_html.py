import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.parsing import parsed
from muniment.documents.parsing.texts.html import read_html

PAGE = """<!doctype html><html lang="en-GB"><head>
<title>Leave | Intranet</title><meta name="author" content="Ada">
<meta name="description" content="How leave works.">
<meta name="keywords" content="leave, people"><link rel="canonical" href="https://example.org/leave">
<style>p { color: red }</style></head><body>
<header>Intranet <a href="/">Home</a></header><nav><a>Menu</a></nav>
<h1>Leave</h1><p>Ask your   lead.<br>Then <b>go</b>.</p>
<h2>Days</h2><table><tr><th>Who</th><th>Days</th></tr><tr><td>All</td><td>25</td></tr></table>
<ul><li>one<ul><li>inner</li></ul></li><li><p>two</p></li></ul>
<pre>a
  b</pre>
<p hidden>secret</p><div style="display: none">secret</div><p aria-hidden="true">secret</p>
<script>secret()</script><footer>Copyright</footer></body></html>"""


def test_a_page_is_read_as_people_see_it() -> None:
    parsed = read_html(PAGE, 10**6)
    assert parsed.text == (
        "Leave\n\nAsk your lead.\nThen go.\n\nDays\n\nWho | Days\nAll | 25\n\n- one\n  - inner\n- two\n\na\n  b"
    )
    assert [b.kind for b in parsed.blocks] == ["heading", "paragraph", "heading", "table", "list", "code"]
    assert [s.path for s in parsed.sections] == [("Leave",), ("Leave", "Days")]


def test_the_head_becomes_fields() -> None:
    parsed = read_html(PAGE, 10**6)
    assert parsed.fields == {
        "title": "Leave",
        "author": "Ada",
        "summary": "How leave works.",
        "tags": ["leave", "people"],
        "source_url": "https://example.org/leave",
        "language": "en",
    }
    assert (parsed.title, parsed.language) == ("Leave", "en")


def test_tables_that_only_arrange_a_page_are_read_through() -> None:
    parsed = read_html("<table><tr><td><h1>Title</h1><p>Text.</p></td></tr></table>", 10**6)
    assert [b.kind for b in parsed.blocks] == ["heading", "paragraph"]


def test_a_declared_encoding_is_followed() -> None:
    data = '<html><meta charset="shift_jis"><p>冷蔵庫</p></html>'.encode("shift_jis")
    assert parsed(data, name="a.html", text_characters=1000).text == "冷蔵庫"


def test_deep_nesting_is_no_recursion() -> None:
    assert read_html("<div>" * 3000 + "core" + "</div>" * 3000, 10**6).text == "core"


TAGS = ["<ul>", "</ul>", "<li>", "<table>", "<td>", "<tr>", "</table>", "<h2>", "</h2>", "<pre>", "</pre>", "<p>"]


@given(
    st.lists(st.sampled_from([*TAGS, "<br>", "x", " \n", "é😀", "\v", "\f", "&#0;", "<!-- -->", "<b>", "</b>"]))
)
def test_any_tags_give_blocks_in_order(parts: list[str]) -> None:
    parsed = read_html("<body>" + "".join(parts), 10**6)
    done = 0
    for block in parsed.blocks:
        assert done <= block.start < block.end <= len(parsed.text)
        assert parsed.text[block.start : block.end].strip()
        done = block.end
    assert parsed.text.count("x") == parts.count("x")


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ("<tr><th></th><th>load</th></tr><tr><th>probe</th><td>1</td></tr>", "| load"),
        ("<tr><td>probe</td><td>load</td></tr><tr><td>a</td><td>1</td></tr>", "probe | load"),
        ("<tr><td>a</td><td>1</td></tr><tr><td>b</td><td>2</td></tr>", None),
        ("<tr><th>probe</th><th>load</th></tr>", None),
    ],
)
def test_a_table_tells_its_header(rows: str, header: str | None) -> None:
    found = parsed(f"<html><body><p>x</p><table>{rows}</table>".encode(), name="a.html")
    (table,) = [block for block in found.blocks if block.kind == "table"]
    assert (table.header and found.text[table.header.start : table.header.end]) == header


def test_items_carry_their_numbers() -> None:
    page = (
        "<ol><li>one<li>two<ul><li>x</ul><li value=7>seven<ol start=3><li>three</ol><li>eight</ol><ul><li>z</ul>"
    )
    text = parsed(page.encode(), name="a.html").text
    assert text == "1. one\n2. two\n  - x\n7. seven\n  3. three\n8. eight\n\n- z"


def test_what_is_written_in_place_of_a_picture() -> None:
    page = '<p>See <img alt="The red probe"> <img alt="Image 2"><img alt="a.png"><img alt=""><img>here'
    assert parsed(page.encode(), name="a.html").text == "See The red probe here"
