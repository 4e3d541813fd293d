"""Equations of Office documents in one line, as they are typed in plain text."""

from collections.abc import Callable, Mapping
from xml.etree.ElementTree import Element

from muniment.documents.parsing.office.opc import at

_REVISED_AWAY = {"w:del", "w:moveFrom"}


def equation(element: Element) -> str:
    """An equation, or a part of one, as a line."""
    return " ".join(_said(element).split())


def _said(element: Element) -> str:
    name = element.tag
    if name in {"m:t", "w:t"}:
        return element.text or ""
    if name.endswith("Pr") or name in _REVISED_AWAY:
        return ""
    return _FORMS.get(name, _inner)(element)


def _inner(element: Element | None) -> str:
    return "".join(map(_said, element)) if element is not None else ""


def _part(element: Element, name: str) -> str:
    return _inner(element.find(name))


def _grouped(element: Element, name: str) -> str:
    """A part in brackets, unless it is one word or number."""
    said = _part(element, name).strip()
    return said if said.isalnum() or not said else f"({said})"


def _scripts(element: Element) -> str:
    below, above = _grouped(element, "m:sub"), _grouped(element, "m:sup")
    return (f"_{below}" if below else "") + (f"^{above}" if above else "")


def _mark(element: Element, path: str, default: str) -> str:
    said = at(element, path)
    return said.get("m:val", "") if said is not None else default


def _listed(element: Element, between: str) -> str:
    return between.join(_inner(child) for child in element if child.tag == "m:e")


def _root(element: Element) -> str:
    degree, root = _part(element, "m:deg").strip(), _part(element, "m:e")
    return f"root({degree}, {root})" if degree else f"√({root})"


def _sum(element: Element) -> str:
    return f"{_mark(element, 'm:naryPr/m:chr', '∫')}{_scripts(element)} {_part(element, 'm:e')}"


def _brackets(element: Element) -> str:
    begin, end = _mark(element, "m:dPr/m:begChr", "("), _mark(element, "m:dPr/m:endChr", ")")
    return f"{begin}{_listed(element, ', ')}{end}"


def _matrix(element: Element) -> str:
    return "[" + "; ".join(_listed(row, ", ") for row in element if row.tag == "m:mr") + "]"


def _scripted(element: Element) -> str:
    return _part(element, "m:e") + _scripts(element)


def _limit(element: Element) -> str:
    return f"{_part(element, 'm:e')} {_part(element, 'm:lim')} "


_FORMS: Mapping[str, Callable[[Element], str]] = {
    "m:f": lambda element: f"{_grouped(element, 'm:num')}/{_grouped(element, 'm:den')}",
    "m:rad": _root,
    "m:sSup": _scripted,
    "m:sSub": _scripted,
    "m:sSubSup": _scripted,
    "m:sPre": _scripted,
    "m:nary": _sum,
    "m:d": _brackets,
    "m:func": lambda element: f" {_part(element, 'm:fName')} {_part(element, 'm:e')}",
    "m:limLow": _limit,
    "m:limUpp": _limit,
    "m:m": _matrix,
    "m:eqArr": lambda element: _listed(element, "; "),
}
