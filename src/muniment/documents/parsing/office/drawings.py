"""What is said in the drawings of Office files: charts and diagrams."""

from xml.etree.ElementTree import Element

from muniment.documents.parsing.office.opc import at
from muniment.documents.parsing.structure import Growing
from muniment.documents.parsing.tables import add_table, cell

_MOST_POINTS = 10_000


def add_drawing(growing: Growing, part: Element) -> None:
    """Add what a chart draws as a table under its title, or what stands in a diagram as a list.

    Raises ParserLimit.
    """
    if part.tag == "dgm:dataModel":
        said = (_text(point) for point in part.iter("dgm:pt") if point.get("type", "node") in {"node", "asst"})
        growing.add("list", "\n".join(f"- {point}" for point in said if point))
    elif part.tag == "c:chartSpace":
        _add_chart(growing, part)


def _add_chart(growing: Growing, chart: Element) -> None:
    title = at(chart, "c:chart/c:title")
    if title is not None:
        growing.add("paragraph", _text(title))
    series = list(chart.iter("c:ser"))
    columns = [_points(one, "c:val") or _points(one, "c:yVal") for one in series]
    categories = [_points(one, "c:cat") or _points(one, "c:xVal") for one in series]
    names = next((found for found in categories if found), {})
    places = sorted(set(names).union(*columns))[:_MOST_POINTS]
    head = ["", *(next(iter(_points(one, "c:tx").values()), "") for one in series)]
    rows = [[names.get(place, ""), *(column.get(place, "") for column in columns)] for place in places]
    add_table(growing, [head, *rows] if any(head) else rows, header_rows=1 if any(head) else 0)


def _points(series: Element, part: str) -> dict[int, str]:
    found: dict[int, str] = {}
    holder = series.find(part)
    for place, point in enumerate(holder.iter("c:pt") if holder is not None else ()):
        said = point.findtext("c:v") or ""
        found[int(point.get("idx", "")) if point.get("idx", "").isdecimal() else place] = cell(_number(said))
    if not found and holder is not None and (alone := holder.findtext("c:v")):
        found[0] = cell(alone)
    return found


def _number(said: str) -> str:
    """A number without what only its binary form adds."""
    try:
        return f"{float(said):.10g}" if "." in said else said
    except ValueError:
        return said


def _text(element: Element) -> str:
    paragraphs = ("".join(run.text or "" for run in paragraph.iter("a:t")) for paragraph in element.iter("a:p"))
    return " ".join(" ".join(paragraphs).split())
