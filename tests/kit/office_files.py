"""Small Office files, made by hand of their parts."""

import io
import zipfile
from collections.abc import Mapping, Sequence

MAIN = "http://schemas.openxmlformats.org"
STRICT = "http://purl.oclc.org/ooxml"
_SPACES = {
    "w": "wordprocessingml/2006/main", "a": "drawingml/2006/main", "p": "presentationml/2006/main",
    "m": "officeDocument/2006/math", "r": "officeDocument/2006/relationships", "mc": "markup-compatibility/2006",
    "wps": "x/wps", "c": "drawingml/2006/chart", "dgm": "drawingml/2006/diagram",
}  # fmt: skip
_SHEET = f'xmlns="{MAIN}/spreadsheetml/2006/main" xmlns:r="{MAIN}/officeDocument/2006/relationships"'
Relations = Sequence[tuple[str, str]]


def container(parts: Mapping[str, str | bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return held.getvalue()


def xml(tag: str, inner: str) -> str:
    spaces = " ".join(f'xmlns:{prefix}="{MAIN}/{name}"' for prefix, name in _SPACES.items())
    return f"<{tag} {spaces}>{inner}</{tag.partition(' ')[0]}>"


def relations(found: Relations) -> str:
    """Of (kind, target), with the ids r1, r2, …; a target with `://` is outside."""
    said = "".join(
        f'<Relationship Id="r{number}" Type="{MAIN}/officeDocument/2006/relationships/{kind}" Target="{target}"'
        + (' TargetMode="External"/>' if "://" in target else "/>")
        for number, (kind, target) in enumerate(found, 1)
    )
    return f'<Relationships xmlns="{MAIN}/package/2006/relationships">{said}</Relationships>'


def properties(inner: str) -> str:
    return (
        f'<cp:coreProperties xmlns:cp="{MAIN}/package/2006/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
        f"{inner}</cp:coreProperties>"
    )


def docx(body: str, *, styles: str = "", numbering: str = "", related: Relations = (), **parts: str) -> bytes:
    found = [("styles", "styles.xml"), ("numbering", "numbering.xml"), *related]
    return container(
        {
            "_rels/.rels": relations([("officeDocument", "word/document.xml"), ("core-properties", "core.xml")]),
            "word/_rels/document.xml.rels": relations(found),
            "word/document.xml": xml("w:document", f"<w:body>{body}</w:body>"),
            "word/styles.xml": xml("w:styles", styles),
            "word/numbering.xml": xml("w:numbering", numbering),
            **{name.replace("__", "/").replace("_xml", ".xml"): content for name, content in parts.items()},
        }
    )


def paragraph(words: str, inner: str = "") -> str:
    held = f"<w:pPr>{inner}</w:pPr>" if inner else ""
    return f'<w:p>{held}<w:r><w:t xml:space="preserve">{words}</w:t></w:r></w:p>'


def pptx(slides: Sequence[str], **parts: str) -> bytes:
    """Of the shapes of each slide; parts are named `slide1_rels`, `notes1`, `chart1`."""
    made: dict[str, str | bytes] = {
        "_rels/.rels": relations([("officeDocument", "ppt/presentation.xml")]),
        "ppt/_rels/presentation.xml.rels": relations(
            [("slide", f"slides/slide{number}.xml") for number in range(1, len(slides) + 1)]
        ),
        "ppt/presentation.xml": xml(
            "p:presentation",
            "<p:sldIdLst>"
            + "".join(f'<p:sldId id="{256 + n}" r:id="r{n}"/>' for n in range(1, len(slides) + 1))
            + "</p:sldIdLst>",
        ),
    }
    for number, shapes in enumerate(slides, 1):
        hidden = ' show="0"' if shapes.startswith("hidden:") else ""
        tree = f"<p:cSld><p:spTree>{shapes.removeprefix('hidden:')}</p:spTree></p:cSld>"
        made[f"ppt/slides/slide{number}.xml"] = xml(f"p:sld{hidden}", tree)
    for name, content in parts.items():
        path = name.replace("_rels", ".xml.rels") if name.endswith("_rels") else f"{name}.xml"
        made[f"ppt/slides/_rels/{path}" if name.endswith("_rels") else f"ppt/slides/{path}"] = content
    return container(made)


def shape(words: Sequence[str], *, kind: str = "", at: tuple[int, int] | None = None, each: str = "") -> str:
    place = f'<a:xfrm><a:off x="{at[0]}" y="{at[1]}"/></a:xfrm>' if at else ""
    said = "".join(f"<a:p>{each}<a:r><a:t>{line}</a:t></a:r></a:p>" for line in words)
    return (
        f"<p:sp><p:nvSpPr><p:nvPr>{kind}</p:nvPr></p:nvSpPr><p:spPr>{place}</p:spPr>"
        f"<p:txBody>{said}</p:txBody></p:sp>"
    )


def xlsx(
    sheets: Mapping[str, str], *, strings: Sequence[str] = (), styles: str = "", hidden: Sequence[str] = ()
) -> bytes:
    """Of the rows of each sheet."""
    names = list(sheets)
    states = ("hidden" if name in hidden else "visible" for name in names)
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" state="{state}" r:id="r{n}"/>'
        for n, (name, state) in enumerate(zip(names, states, strict=True), 1)
    )
    kinds = [("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(names) + 1)]
    return container(
        {
            "_rels/.rels": relations([("officeDocument", "xl/workbook.xml")]),
            "xl/_rels/workbook.xml.rels": relations(
                [*kinds, ("sharedStrings", "strings.xml"), ("styles", "styles.xml")]
            ),
            "xl/workbook.xml": f"<workbook {_SHEET}><sheets>{listed}</sheets></workbook>",
            "xl/strings.xml": f"<sst {_SHEET}>" + "".join(f"<si>{said}</si>" for said in strings) + "</sst>",
            "xl/styles.xml": f"<styleSheet {_SHEET}>{styles}</styleSheet>",
            **{
                f"xl/worksheets/sheet{n}.xml": f"<worksheet {_SHEET}><sheetData>{rows}</sheetData></worksheet>"
                for n, rows in enumerate(sheets.values(), 1)
            },
        }
    )
