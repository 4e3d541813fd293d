import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.parsing import parsed
from muniment.documents.contract import FileEmpty
from muniment.documents.parsing.model import Parsed

DOCUMENT = """// a comment
= The Title
Ada Lovelace <ada@example.org>; Ben Hur
v1.0, 2026-01-02
:toc: left
:product: Muniment
:keywords: a, b
:ticket: T-7

Intro of {product} with *bold*, _it_, `code`, https://example.org/a[link text], <<sec,see>>
and snake_case_name.

[[sec]]
== Section

.Caption
[source,python]
----
def f():

    return 1
----

NOTE: Careful
with it.

[WARNING]
====
Danger zone.
====

* one
goes on
** two
+
attached

. first

CPU:: the brain

include::/etc/passwd[]

[cols="1,2", options="header"]
|===
|A |B
|1
|2 with `x`
|3 |4
|===

=== Deeper
image::x.png[A picture, 200]

////
hidden
////
"""


def read(text: str) -> Parsed:
    return parsed(text.encode(), name="a.adoc")


def test_the_text_is_what_the_markup_says() -> None:
    found = read(DOCUMENT)
    assert [(b.kind, found.text[b.start : b.end]) for b in found.blocks] == [
        ("heading", "The Title"),
        ("paragraph", "Intro of Muniment with bold, it, code, link text, see and snake_case_name."),
        ("heading", "Section"),
        ("paragraph", "Caption"),
        ("code", "def f():\n\n    return 1"),
        ("paragraph", "NOTE: Careful with it."),
        ("paragraph", "WARNING: Danger zone."),
        ("list", "- one goes on\n  - two attached\n- first\nCPU: the brain"),
        ("table", "A | B\n1 | 2 with x\n3 | 4"),
        ("heading", "Deeper"),
        ("paragraph", "A picture"),
    ]
    (table,) = (b for b in found.blocks if b.kind == "table")
    assert table.header is not None
    assert found.text[table.header.start : table.header.end] == "A | B"
    assert found.sections[-1].path == ("The Title", "Section", "Deeper")


def test_the_header_is_fields() -> None:
    found = read(DOCUMENT)
    assert found.title == "The Title"
    assert found.fields == {
        "author": "Ada Lovelace, Ben Hur",
        "created_at": "2026-01-02T00:00:00Z",
        "product": "Muniment",
        "tags": ["a", "b"],
        "language": "en",
    }
    assert found.metadata == {"ticket": "T-7", "links": ["https://example.org/a"]}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("|===\n|A |B\n\n|1 |2\n|===", "A | B\n1 | 2"),
        ("|===\n2+|wide\n|1 |2\n|===", "wide | \n1 | 2"),
        ('[cols="2*"]\n|===\n|1\n|2\n|3\n|4\n|===', "1 | 2\n3 | 4"),
        (",===\na,b\n1,2\n,===", "a | b\n1 | 2"),
        ("|===\n^h|A ^.^h|B\n|a \\| b|2\n|===", "A | B\na | b | 2"),
        ("|a|b|\n|c|d|", "a | b | \nc | d |"),
    ],
)
def test_tables_have_rows(table: str, said: str) -> None:
    assert read(table).text == said


@given(
    st.lists(
        st.sampled_from(
            ["= T\n", "== S\n", "* a\n",
              "+\n", "----\n", "|===\n", "|a |b\n", "\n", "x y\n", "[NOTE]\n", ":k: v\n",
             "image::a[b]\n", "t:: d\n", ".C\n", "é😀 *b*\n", "====\n", "////\n", ". n\n"]
        )
    )
)  # fmt: skip
def test_any_lines_give_blocks_in_order(lines: list[str]) -> None:
    try:
        found = read("word\n" + "".join(lines))
    except FileEmpty:
        return
    at = 0
    for block in found.blocks:
        assert at <= block.start < block.end <= len(found.text)
        at = block.end


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


@pytest.mark.parametrize(("name", "least"), [("01", 1.0), ("02", 1.0), ("03", 0.84), ("04", 0.9)])
def test_no_word_of_others_files_is_lost(evaldata: Path, name: str, least: float) -> None:
    """Their truth keeps attribute lines and ids of the third and fourth as words; we do not."""
    path = evaldata / "parsing_docling" / "files" / f"asciidoc__asciidoc_{name}.asciidoc"
    if not path.is_file():
        pytest.skip("the evaluation data parsing_docling is not here")
    truth = words(path.with_name(path.name + ".truth.md").read_text())
    found = words(parsed(path.read_bytes(), name=path.name).text)
    assert (truth & found).total() / truth.total() >= least


def test_the_cells_of_a_plain_table_are_those_of_one_that_is_looked_at_closely() -> None:
    plain_rows = "|===\n" + "| cold | warm\n" * 3 + "|===\n"
    marked = plain_rows.replace("| cold |", "a| cold |")
    assert read(plain_rows).text == read(marked).text == "\n".join(["cold | warm"] * 3)
