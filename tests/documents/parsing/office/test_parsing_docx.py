import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.office_files import MAIN, STRICT, container, docx, paragraph, properties, relations, xml
from kit.parsing import parsed
from muniment.documents.contract import FileBroken, ParserLimit
from muniment.documents.parsing.model import Parsed

STYLES = """
<w:style w:styleId="T"><w:name w:val="Title"/></w:style>
<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="own"><w:name w:val="Mein Kapitel"/><w:basedOn w:val="berschrift1"/></w:style>
<w:style w:styleId="two"><w:name w:val="Abschnitt"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
<w:style w:styleId="src"><w:name w:val="Source Code"/></w:style>
<w:style w:styleId="toc"><w:name w:val="toc 1"/></w:style>
<w:style w:styleId="loop"><w:name w:val="Loop"/><w:basedOn w:val="loop"/></w:style>
"""
NUMBERING = """
<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="x"/></w:lvl>
<w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/><w:lvlText w:val="y"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="2"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/>
<w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="lowerRoman"/><w:lvlText w:val="%1.%2)"/></w:lvl>
</w:abstractNum>
<w:num w:numId="5"><w:abstractNumId w:val="1"/></w:num><w:num w:numId="6"><w:abstractNumId w:val="2"/></w:num>
<w:num w:numId="7"><w:abstractNumId w:val="2"/>
<w:lvlOverride w:ilvl="0"><w:startOverride w:val="4"/></w:lvlOverride></w:num>
"""


def styled(words: str, style: str) -> str:
    return paragraph(words, f'<w:pStyle w:val="{style}"/>')


def item(words: str, number: int, level: int = 0) -> str:
    return paragraph(words, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def read(body: str, **parts: str) -> Parsed:
    return parsed(docx(body, styles=STYLES, numbering=NUMBERING, **parts), name="a.docx")


def table(*rows: str) -> str:
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"


def cell(words: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(words)}</w:tc>"


def test_headings_are_told_by_style_outline_and_what_styles_are_based_on() -> None:
    found = read(
        styled("Manual", "T") + styled("Care", "own") + paragraph("a") + styled("Battery", "two") + paragraph("b")
        + paragraph("Deep", '<w:outlineLvl w:val="2"/>') + paragraph("c") + styled("loose", "loop")
    )  # fmt: skip
    assert found.title == "Manual"
    assert [section.path for section in found.sections] == [
        ("Manual",), ("Manual", "Care"), ("Manual", "Care", "Battery"), ("Manual", "Care", "Battery", "Deep"),
    ]  # fmt: skip
    assert found.text.split("\n\n") == ["Manual", "Care", "a", "Battery", "b", "Deep", "c", "loose"]


def test_lists_are_drawn_as_they_are_counted() -> None:
    found = read(
        item("a", 5) + item("b", 5, 1) + paragraph("") + item("c", 5)
        + paragraph("between") + item("one", 6) + item("deep", 6, 1) + item("two", 6) + item("four", 7)
    )  # fmt: skip
    assert found.text == "- a\n  - b\n- c\n\nbetween\n\n1. one\n  1.i) deep\n2. two\n4. four"
    assert [block.kind for block in found.blocks] == ["list", "paragraph", "list"]


def test_a_numbered_heading_says_its_number() -> None:
    numbered = '<w:pStyle w:val="berschrift1"/><w:numPr><w:ilvl w:val="0"/><w:numId w:val="6"/></w:numPr>'
    found = read(paragraph("Scope", numbered) + paragraph("x") + paragraph("Use", numbered))
    assert [section.path for section in found.sections] == [("1. Scope",), ("2. Use",)]


def test_tables_say_what_is_merged_once_and_tell_their_header() -> None:
    found = read(
        table(
            cell("probe") + cell("load", '<w:gridSpan w:val="2"/>'),
            cell("a", '<w:vMerge w:val="restart"/>') + cell("1 | 2") + cell("x"),
            cell("a", "<w:vMerge/>") + cell("") + cell("y"),
        )
    )
    assert found.text == "probe | load\na | 1 / 2 | x\n|  | y"
    header = found.blocks[0].header
    assert header is not None
    assert found.text[header.start : header.end] == "probe | load"


def test_tables_within_tables_and_tables_that_only_arrange_a_page() -> None:
    inner = f"<w:tc>{table(cell('p') + cell('q'), cell('r') + cell('s'))}{paragraph('end')}</w:tc>"
    found = read(table(cell("a") + inner, cell("b") + cell("c")) + table(cell("boxed")))
    assert found.text == "a | p, q; r, s end\nb | c\n\nboxed"
    assert [block.kind for block in found.blocks] == ["table", "paragraph"]


def test_revisions_fields_and_hidden_words() -> None:
    body = (
        "<w:p><w:r><w:t>The </w:t></w:r><w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>new</w:t></w:r></w:ins>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r>"
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>PAGE</w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t> probe</w:t></w:r>'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r><w:r><w:tab/><w:t>is</w:t><w:br/><w:t>warm</w:t></w:r></w:p>'
    )
    assert read(body + styled("Care......3", "toc")).text == "The new probe is\nwarm"


def test_notes_stand_below_their_paragraph_and_boxes_are_said_once() -> None:
    notes = xml(
        "w:footnotes",
        f'<w:footnote w:id="-1" w:type="separator">{paragraph("---")}</w:footnote>'
        f'<w:footnote w:id="2">{paragraph("See the manual.")}</w:footnote>',
    )
    box = f"<w:txbxContent>{paragraph('boxed')}</w:txbxContent>"
    found = read(
        '<w:p><w:r><w:t>It warns</w:t><w:footnoteReference w:id="2"/><w:t>.</w:t></w:r></w:p>'
        "<w:p><w:r><mc:AlternateContent><mc:Choice><w:drawing>" + box + "</w:drawing></mc:Choice>"
        "<mc:Fallback><w:pict>" + box + "</w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>",
        related=[("footnotes", "footnotes.xml")],
        word__footnotes_xml=notes,
    )
    assert found.text == "It warns[1].\n\n[1] See the manual.\n\nboxed"


def test_code_keeps_its_lines_and_equations_are_readable() -> None:
    typed = '<w:p><w:r><w:rPr><w:rFonts w:ascii="Consolas"/></w:rPr><w:t xml:space="preserve">{}</w:t></w:r></w:p>'
    fraction = (
        "<w:p><m:oMath><m:r><m:t>x=</m:t></m:r><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num>"
        "<m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></w:p>"
    )
    found = read(
        styled("if warm:", "src") + styled("    warns()", "src") + fraction
        + typed.format("def f(x):") + typed.format("    return x")
    )  # fmt: skip
    assert found.text.split("\n\n")[:2] == ["if warm:\n    warns()", "x=(a+b)/2"]
    assert found.text.split("\n\n")[2].startswith("def f(x):\n    return x")


def test_properties_links_and_macros_are_told() -> None:
    found = read(
        paragraph("x"),
        related=[("hyperlink", "https://example.com/a"), ("hyperlink", "file:///etc/passwd")],
        core_xml=properties(
            "<dc:title>Manual</dc:title><dc:creator>Ann</dc:creator><cp:keywords>load, probe</cp:keywords>"
            "<dcterms:created>2024-05-01T10:00:00Z</dcterms:created><dc:language>de-DE</dc:language>"
            "<cp:category>guides</cp:category>"
        ),
        **{"word/vbaProject.bin": "macros"},
    )
    assert (found.title, found.language) == ("Manual", "de")
    assert found.fields == {
        "title": "Manual", "author": "Ann", "tags": ["load", "probe"], "language": "de",
        "created_at": "2024-05-01T10:00:00Z",
    }  # fmt: skip
    assert found.metadata == {"category": "guides", "macros": True, "links": ["https://example.com/a"]}


def test_the_strict_form_is_read_alike() -> None:
    space = f"{STRICT}/wordprocessingml/main"
    body = f'<d:document xmlns:d="{space}"><d:body><d:p><d:r><d:t>strict</d:t></d:r></d:p></d:body></d:document>'
    rels = relations([("officeDocument", "word/document.xml")]).replace(f"{MAIN}/officeDocument/2006", STRICT)
    assert parsed(container({"_rels/.rels": rels, "word/document.xml": body}), name="a.docx").text == "strict"


@pytest.mark.parametrize("part", ["word/document.xml", "word/styles.xml", "core.xml"])
def test_bombs_are_refused_wherever_they_lie(part: str) -> None:
    entities = '<!DOCTYPE d [<!ENTITY a "haha"><!ENTITY b "&a;&a;">]><d>&b;</d>'
    with pytest.raises(FileBroken, match="entities"):
        read(paragraph("x"), **{part: entities})
    with pytest.raises(ParserLimit) as refused:
        parsed(
            docx(paragraph("x"), **{part: f"<a>{' ' * 9_000_000}</a>"}), name="a.docx", unpacked_bytes=8_000_000
        )
    assert refused.value.document()["limit"] == "unpacked"


def test_a_damaged_part_is_told() -> None:
    with pytest.raises(FileBroken):
        read("<w:p><w:r>")


BODIES = st.recursive(
    st.sampled_from([paragraph("words"), styled("Care", "berschrift1"), item("a", 5), item("b", 6, 1), "<w:p/>"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda cells: table("".join(f"<w:tc>{said}</w:tc>" for said in cells), cell("x"))
        ),
        inner.map(lambda said: f"<w:sdt><w:sdtContent>{said}</w:sdtContent></w:sdt>"),
        inner.map(
            lambda said: f"<w:p><w:r><w:drawing><w:txbxContent>{said}</w:txbxContent></w:drawing></w:r></w:p>"
        ),
    ),
    max_leaves=12,
)


@given(body=BODIES)
def test_blocks_and_sections_lie_in_order_over_all_of_the_text(body: str) -> None:
    found = read(body + paragraph("end"))
    done = 0
    for block in found.blocks:
        assert not found.text[done : block.start].strip()
        assert found.text[block.start : block.end].strip()
        assert block.header is None or block.start <= block.header.start < block.header.end <= block.end
        done = block.end
    assert done == len(found.text)
    for before, after in zip(found.sections, found.sections[1:], strict=False):
        assert before.end == after.start
    assert found.text.count("words") == body.count("words")
