"""What is read of a Word paragraph: its words as they are printed, its notes, and the boxes tied to it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from xml.etree.ElementTree import Element

from muniment.documents.parsing.office.equations import equation
from muniment.documents.parsing.office.opc import chosen, is_on
from muniment.documents.parsing.office.word_styles import is_monospaced

_LEFT_OUT = {"w:del", "w:moveFrom", "w:pPr", "w:rPr", "w:instrText", "w:delText", "w:sdtPr", "w:rt", "w:rubyPr"}
_MARKS = {
    "w:tab": "\t", "w:ptab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "\u2011", "w:softHyphen": "",
}  # fmt: skip
_SYMBOLS = dict(zip("abgdezhqiklmnxoprstufcyw", "αβγδεζηθικλμνξοπρστυφχψω", strict=True)) | {
    "\xb7": "•", "\xd8": "➢", "\xfc": "✓", "\xa7": "▪", "\xfe": "☑", "\xa8": "☐", "\xae": "→", "\xb3": "≥",
    "\xa3": "≤",
}  # fmt: skip
_PRIVATE = range(0xF000, 0xF100)


class Words:
    """Reads the paragraphs of one part, one after the other: a field may reach over several."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []
        """The notes referred to since they were last taken: `footnote` or `endnote`, and the id."""

        self.boxes: list[Element] = []
        """The contents of text boxes met since they were last taken."""

        self.parts: list[str] = []
        """The relation ids of charts and diagrams met since they were last taken."""

        self._special: Mapping[str, Callable[[Element], str]] = {
            **dict.fromkeys(("w:drawing", "w:pict", "w:object"), self._drawn),
            **dict.fromkeys(("w:footnoteReference", "w:endnoteReference"), self._note),
            **dict.fromkeys(("w:ruby", "w:rubyBase"), self._inner),
            "mc:AlternateContent": self._alternative,
            "w:sym": _symbol,
        }
        self._fields: list[bool] = []
        self._typed: list[bool] = []

    def read(self, paragraph: Element) -> str:
        """The paragraph's text, a line break where it has one; deleted and hidden words are left out."""
        self._typed = []
        return "".join(self._of(paragraph))

    @property
    def is_typed(self) -> bool:
        """Whether all words of the paragraph read last stand in a typewriter's letters by their own setting."""
        return bool(self._typed) and all(self._typed)

    def _of(self, parent: Element) -> Iterator[str]:
        for element in parent:
            name = element.tag
            if name in _LEFT_OUT:
                continue
            if name == "w:r":
                yield from self._run(element)
            elif name in {"m:oMath", "m:oMathPara"}:
                yield f" {equation(element)} "
            elif name == "mc:AlternateContent":
                form = chosen(element)
                yield from self._of(form) if form is not None else ()
            elif name == "w:txbxContent":
                self.boxes.append(element)
            else:
                yield from self._of(element)

    def _run(self, run: Element) -> Iterator[str]:
        properties = run.find("w:rPr")
        if properties is not None and is_on(properties.find("w:vanish")):
            self._field_marks(run)
            return
        said = "".join(map(self._piece, run))
        if said.strip():
            fonts = properties.find("w:rFonts") if properties is not None else None
            self._typed.append(fonts is not None and is_monospaced(fonts))
        yield said

    def _field_marks(self, run: Element) -> None:
        for element in run.findall("w:fldChar"):
            self._piece(element)

    def _piece(self, element: Element) -> str:
        name = element.tag
        if name == "w:fldChar":
            self._field(element.get("w:fldCharType"))
        if any(self._fields) or name in _LEFT_OUT:
            return ""
        if name == "w:t":
            return element.text or ""
        special = self._special.get(name)
        return special(element) if special is not None else _MARKS.get(name, "")

    def _note(self, element: Element) -> str:
        self.notes.append((element.tag[2:].removesuffix("Reference"), element.get("w:id", "")))
        return f"[{len(self.notes)}]"

    def _inner(self, element: Element) -> str:
        return "".join(self._of(element))

    def _alternative(self, element: Element) -> str:
        """The first form that says something here; of emoji, that is the one for old programs."""
        known = len(self.boxes) + len(self.parts)
        for form in element:
            said = "".join(map(self._piece, form))
            if said or len(self.boxes) + len(self.parts) > known:
                return said
        return ""

    def _field(self, mark: str | None) -> None:
        """Between a field's begin and its separator stands its code."""
        if mark == "begin":
            self._fields.append(True)
        elif mark == "separate" and self._fields:
            self._fields[-1] = False
        elif mark == "end" and self._fields:
            self._fields.pop()

    def _drawn(self, element: Element) -> str:
        """Note what a drawing holds; it stands below the paragraph."""
        for inner in element:
            if inner.tag == "w:txbxContent":
                self.boxes.append(inner)
            elif inner.tag == "mc:AlternateContent":
                form = chosen(inner)
                if form is not None:
                    self._drawn(form)
            elif inner.tag == "c:chart":
                self.parts.append(inner.get("r:id", ""))
            elif inner.tag == "dgm:relIds":
                self.parts.append(inner.get("r:dm", ""))
            else:
                self._drawn(inner)
        return ""


def _symbol(element: Element) -> str:
    try:
        code = min(int(element.get("w:char", ""), 16), sys.maxunicode)
    except ValueError:
        return ""
    if code in _PRIVATE:
        return _SYMBOLS.get(chr(code - _PRIVATE.start), "")
    return chr(code) if chr(code).isprintable() else ""
