"""What every Word, Excel and PowerPoint file has in it, whatever it says."""

from typing import NamedTuple
from xml.sax.saxutils import escape

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
OFFICE = "http://schemas.openxmlformats.org"
RELATIONS = f"{OFFICE}/officeDocument/2006/relationships"
WORD = f"{OFFICE}/wordprocessingml/2006/main"
SPREADSHEET = f"{OFFICE}/spreadsheetml/2006/main"
_PRESENTATION = f"{OFFICE}/presentationml/2006/main"
_DRAWING = f"{OFFICE}/drawingml/2006/main"
_SPACES = f'xmlns:p="{_PRESENTATION}" xmlns:a="{_DRAWING}" xmlns:r="{RELATIONS}"'
_TREE = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'


def relations(*targets: tuple[str, str]) -> str:
    """A part's relations: `rId1`, `rId2` … to the targets, each with its kind."""
    lines = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, start=1)
    )
    return f'{XML}<Relationships xmlns="{OFFICE}/package/2006/relationships">{lines}</Relationships>'


def _style(name: str, shown: str, size: int, outline: int | None = None) -> str:
    level = "" if outline is None else f'<w:outlineLvl w:val="{outline}"/>'
    bold = "" if name == "ListBullet" else "<w:b/>"
    return (
        f'<w:style w:type="paragraph" w:styleId="{name}"><w:name w:val="{shown}"/><w:basedOn w:val="Normal"/>'
        f'<w:pPr>{level}</w:pPr><w:rPr>{bold}<w:sz w:val="{size}"/></w:rPr></w:style>'
    )


DOCX_STYLES = (
    f'{XML}<w:styles xmlns:w="{WORD}">'
    '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>'
    + _style("Title", "Title", 44)
    + _style("Heading1", "heading 1", 32, 0)
    + _style("Heading2", "heading 2", 26, 1)
    + _style("ListBullet", "List Bullet", 22)
    + '<w:style w:type="table" w:styleId="TableGrid"><w:name w:val="Table Grid"/></w:style></w:styles>'
)
NUMBERING = (
    f'{XML}<w:numbering xmlns:w="{WORD}"><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0">'
    '<w:start w:val="1"/><w:numFmt w:val="bullet"/><w:lvlText w:val="•"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
)
XLSX_STYLES = (
    f'{XML}<styleSheet xmlns="{SPREADSHEET}"><fonts count="2"><font/><font><b/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf/><xf fontId="1" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0"/></cellStyles></styleSheet>'
)


class Shapes:
    """The shapes of slides, each under the other."""

    def title(self, text: str) -> str:
        """A slide's title."""
        return self._shape("Title", "title", 400_000, [text])

    def body(self, lines: list[str]) -> str:
        """Lines of text, or notes."""
        return self._shape("Text", "body", 1_600_000, lines)

    def table(self, rows: list[list[str]]) -> str:
        """A table whose first row is its head."""
        grid = '<a:gridCol w="3900000"/>' * len(rows[0])
        lines = "".join(
            '<a:tr h="370000">' + "".join(f"<a:tc>{self._text(cell)}<a:tcPr/></a:tc>" for cell in row) + "</a:tr>"
            for row in rows
        )
        return (
            '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="9" name="Table"/><p:cNvGraphicFramePr/><p:nvPr/>'
            '</p:nvGraphicFramePr><p:xfrm><a:off x="600000" y="1600000"/>'
            '<a:ext cx="7800000" cy="2000000"/></p:xfrm>'
            f'<a:graphic><a:graphicData uri="{_DRAWING.replace("/main", "/table")}"><a:tbl><a:tblPr firstRow="1"/>'
            f"<a:tblGrid>{grid}</a:tblGrid>{lines}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
        )

    def slide(self, kind: str, shapes: list[str], after: str = "") -> str:
        """A slide (`sld`), its notes (`notes`), or what they are made after."""
        return (
            f"{XML}<p:{kind} {_SPACES}><p:cSld><p:spTree>{_TREE}{''.join(shapes)}</p:spTree></p:cSld>"
            f"{after}</p:{kind}>"
        )

    def presentation(self, slides: int) -> str:
        """The presentation's own part: its slides in order."""
        listed = "".join(f'<p:sldId id="{256 + n}" r:id="rId{3 + n}"/>' for n in range(slides))
        return (
            f"{XML}<p:presentation {_SPACES}>"
            '<p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>'
            '<p:notesMasterIdLst><p:notesMasterId r:id="rId2"/></p:notesMasterIdLst>'
            f'<p:sldIdLst>{listed}</p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/>'
            '<p:notesSz cx="6858000" cy="9144000"/></p:presentation>'
        )

    def _shape(self, name: str, kind: str, y: int, lines: list[str]) -> str:
        index = ' idx="1"' if kind == "body" else ""
        return (
            f'<p:sp><p:nvSpPr><p:cNvPr id="{2 if kind == "title" else 3}" name="{name}"/><p:cNvSpPr/>'
            f'<p:nvPr><p:ph type="{kind}"{index}/></p:nvPr></p:nvSpPr><p:spPr><a:xfrm><a:off x="600000" y="{y}"/>'
            f'<a:ext cx="7800000" cy="1000000"/></a:xfrm></p:spPr>{self._text(*lines, tag="p:txBody")}</p:sp>'
        )

    def _text(self, *lines: str, tag: str = "a:txBody") -> str:
        said = "".join(f'<a:p><a:r><a:rPr lang="en-GB"/><a:t>{escape(line)}</a:t></a:r></a:p>' for line in lines)
        return f"<{tag}><a:bodyPr/>{said}</{tag}>"


SHAPES = Shapes()
_COLOURS = {
    "dk1": "000000", "lt1": "FFFFFF", "dk2": "1F3A4D", "lt2": "EEF3F6", "accent1": "2F6F8F", "accent2": "8FB8CC",
    "accent3": "C2703D", "accent4": "5B7F5B", "accent5": "7A5C8E", "accent6": "B0A160", "hlink": "2F6F8F",
    "folHlink": "7A5C8E",
}  # fmt: skip
_FONT = '<a:latin typeface="Arial"/><a:ea typeface=""/><a:cs typeface=""/>'
_FILL = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
_THEME = (
    f'{XML}<a:theme xmlns:a="{_DRAWING}" name="Plain"><a:themeElements><a:clrScheme name="Plain">'
    + "".join(f'<a:{name}><a:srgbClr val="{value}"/></a:{name}>' for name, value in _COLOURS.items())
    + f'</a:clrScheme><a:fontScheme name="Plain"><a:majorFont>{_FONT}</a:majorFont>'
    f"<a:minorFont>{_FONT}</a:minorFont></a:fontScheme>"
    f'<a:fmtScheme name="Plain"><a:fillStyleLst>{_FILL * 3}</a:fillStyleLst>'
    f"<a:lnStyleLst>{f'<a:ln>{_FILL}</a:ln>' * 3}</a:lnStyleLst>"
    f"<a:effectStyleLst>{'<a:effectStyle><a:effectLst/></a:effectStyle>' * 3}</a:effectStyleLst>"
    f"<a:bgFillStyleLst>{_FILL * 3}</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>"
)
_MAP = (
    '<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" '
    + " ".join(f'{name}="{name}"' for name in list(_COLOURS)[4:])
    + "/>"
)


class _Parts(NamedTuple):
    files: dict[str, str]
    types: dict[str, str]


def _presentation_parts() -> _Parts:
    kind = "application/vnd.openxmlformats-officedocument.presentationml"
    theme = "application/vnd.openxmlformats-officedocument.theme+xml"

    layouts = '<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst>'
    return _Parts(
        {
            "ppt/theme/theme1.xml": _THEME,
            "ppt/theme/theme2.xml": _THEME,
            "ppt/slideMasters/slideMaster1.xml": SHAPES.slide("sldMaster", [], _MAP + layouts),
            "ppt/slideMasters/_rels/slideMaster1.xml.rels": relations(
                ("slideLayout", "../slideLayouts/slideLayout1.xml"), ("theme", "../theme/theme1.xml")
            ),
            "ppt/slideLayouts/slideLayout1.xml": SHAPES.slide("sldLayout", []),
            "ppt/slideLayouts/_rels/slideLayout1.xml.rels": relations(
                ("slideMaster", "../slideMasters/slideMaster1.xml")
            ),
            "ppt/notesMasters/notesMaster1.xml": SHAPES.slide("notesMaster", [], _MAP),
            "ppt/notesMasters/_rels/notesMaster1.xml.rels": relations(("theme", "../theme/theme2.xml")),
        },
        {
            "/ppt/theme/theme1.xml": theme,
            "/ppt/theme/theme2.xml": theme,
            "/ppt/slideMasters/slideMaster1.xml": f"{kind}.slideMaster+xml",
            "/ppt/slideLayouts/slideLayout1.xml": f"{kind}.slideLayout+xml",
            "/ppt/notesMasters/notesMaster1.xml": f"{kind}.notesMaster+xml",
        },
    )


PRESENTATION_PARTS = _presentation_parts()
