from kit.office_files import pptx, relations, shape, xml
from kit.parsing import parsed

TITLE = '<p:ph type="title"/>'
BODY = '<p:ph idx="1"/>'


def frame(inner: str) -> str:
    return f"<p:graphicFrame><a:graphic><a:graphicData>{inner}</a:graphicData></a:graphic></p:graphicFrame>"


def test_each_slide_is_a_page_under_its_title() -> None:
    found = parsed(
        pptx(
            [
                shape(["warm", "cold"], kind=BODY) + shape(["Loads"], kind=TITLE),
                shape(["no title here"]),
                shape([""]),
                "hidden:" + shape(["Spare"], kind=TITLE) + shape(["3"], kind='<p:ph type="sldNum"/>'),
            ]
        ),
        name="a.pptx",
    )
    assert found.text == "Loads\n\n- warm\n- cold\n\nno title here\n\nSpare"
    pages = [(page.number, found.text[page.start : page.end]) for page in found.pages]
    assert pages == [(1, "Loads\n\n- warm\n- cold"), (2, "no title here"), (4, "Spare")]
    sections = [(section.path, found.text[section.start : section.end]) for section in found.sections]
    assert sections == [(("Loads",), "Loads\n\n- warm\n- cold"), (("Spare",), "Spare")]
    assert found.metadata == {"hidden_slides": [4]}
    assert found.title == "Loads"


def test_shapes_are_read_as_they_lie_and_groups_together() -> None:
    group = (
        '<p:grpSp><p:grpSpPr><a:xfrm><a:off x="0" y="3000000"/></a:xfrm></p:grpSpPr>'
        + shape(["below"], at=(0, 9))
        + shape(["above"], at=(0, 5))
        + "</p:grpSp>"
    )
    slide = (
        shape(["last"], at=(0, 9_000_000)) + group + shape(["right"], at=(500, 10)) + shape(["left"], at=(1, 90))
    )
    assert parsed(pptx([slide]), name="a.pptx").text == "left\n\nright\n\nabove\n\nbelow\n\nlast"


def test_places_without_a_position_lie_where_their_layout_has_them() -> None:
    layout = xml(
        "p:sldLayout",
        "<p:cSld><p:spTree>"
        + shape([], kind='<p:ph type="body" idx="7"/>', at=(0, 5_000_000))
        + shape([], kind='<p:ph type="body" idx="8"/>', at=(0, 1_000_000))
        + "</p:spTree></p:cSld>",
    )
    slide = shape(["second"], kind='<p:ph type="body" idx="7"/>') + shape(
        ["first"], kind='<p:ph type="body" idx="8"/>'
    )
    data = pptx([slide], slide1_rels=relations([("slideLayout", "layout.xml")]), layout=layout)
    assert parsed(data, name="a.pptx").text == "first\n\nsecond"


def test_points_are_counted_and_nested() -> None:
    counted = '<a:pPr><a:buAutoNum type="arabicPeriod"/></a:pPr>'
    deep = '<a:pPr lvl="1"/>'
    body = (
        "<p:sp><p:nvSpPr><p:nvPr>" + BODY + "</p:nvPr></p:nvSpPr><p:txBody>"
        f"<a:p>{counted}<a:r><a:t>one</a:t></a:r></a:p><a:p>{deep}<a:r><a:t>deep</a:t></a:r></a:p>"
        f"<a:p>{counted}<a:r><a:t>two</a:t></a:r><a:br/><a:r><a:t>lines</a:t></a:r></a:p></p:txBody></p:sp>"
    )
    assert parsed(pptx([body]), name="a.pptx").text == "1. one\n  - deep\n2. two\n  lines"


def test_a_point_that_is_counted_by_hand_is_not_marked_twice() -> None:
    assert (
        parsed(pptx([shape(["1. one", "- two", "three"], kind=BODY)]), name="a.pptx").text
        == "1. one\n- two\n- three"
    )


def test_tables_charts_diagrams_and_notes() -> None:
    cell = "<a:tc{}><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>"
    rows = (
        "<a:tr>" + cell.format("", "probe") + cell.format("", "load") + "</a:tr>"
        "<a:tr>" + cell.format(' gridSpan="2"', "both") + cell.format(' hMerge="1"', "both") + "</a:tr>"
    )
    chart = xml(
        "c:chartSpace",
        "<c:chart><c:title><a:p><a:r><a:t>Heat</a:t></a:r></a:p></c:title><c:ser>"
        "<c:tx><c:strRef><c:pt idx='0'><c:v>probe</c:v></c:pt></c:strRef></c:tx>"
        "<c:cat><c:pt idx='0'><c:v>May</c:v></c:pt><c:pt idx='1'><c:v>June</c:v></c:pt></c:cat>"
        "<c:val><c:pt idx='0'><c:v>1.0</c:v></c:pt><c:pt idx='1'><c:v>2.5</c:v></c:pt></c:val></c:ser></c:chart>",
    )
    diagram = xml(
        "dgm:dataModel",
        "<dgm:pt><dgm:t><a:p><a:r><a:t>plan</a:t></a:r></a:p></dgm:t></dgm:pt><dgm:pt type='parTrans'/>"
        "<dgm:pt><dgm:t><a:p><a:r><a:t>do</a:t></a:r></a:p></dgm:t></dgm:pt>",
    )
    notes = (
        "<p:cSld><p:spTree>" + shape(["said aloud"], kind='<p:ph type="body" idx="1"/>') + "</p:spTree></p:cSld>"
    )
    slide = (
        frame(f'<a:tbl><a:tblPr firstRow="1"/>{rows}</a:tbl>')
        + frame('<c:chart r:id="r1"/>')
        + frame('<dgm:relIds r:dm="r2"/>')
    )
    found = parsed(
        pptx(
            [slide],
            slide1_rels=relations(
                [("chart", "chart1.xml"), ("diagramData", "diagram1.xml"), ("notesSlide", "notes1.xml")]
            ),
            chart1=chart,
            diagram1=diagram,
            notes1=xml("p:notes", notes),
        ),
        name="a.pptx",
    )
    assert found.text.split("\n\n") == [
        "probe | load\nboth", "Heat", "| probe\nMay | 1\nJune | 2.5", "- plan\n- do", "said aloud",
    ]  # fmt: skip
    headers = [b.header and found.text[b.header.start : b.header.end] for b in found.blocks if b.kind == "table"]
    assert headers == ["probe | load", "| probe"]


def test_a_slide_that_is_named_but_not_there_is_passed_over() -> None:
    data = pptx([shape(["a"]), shape(["b"])])
    broken = data.replace(b"ppt/slides/slide2.xml", b"ppt/slides/slide9.xml")
    assert parsed(broken, name="a.pptx").text == "a"
