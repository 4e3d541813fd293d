"""PDFs made by hand: a few lines at chosen places and sizes."""

from collections.abc import Sequence


def make_pdf(
    pages: Sequence[Sequence[tuple[float, float, float, str]]],
    info: str = "",
    trailer: str = "",
    more: Sequence[str] = (),
    page: str = "",
    catalog: str = "",
) -> bytes:
    """Pages of (size, x, y, text); a text in capitals only is set in bold.

    `page` and `catalog` are further entries of every page's and of the document's own object; `more` are further
    objects, the first of which has the number 6 + 2 * len(pages).
    """
    bodies: list[str] = []
    kids = " ".join(f"{5 + 2 * i} 0 R" for i in range(len(pages)))
    bodies.append(f"<< /Type /Catalog /Pages 2 0 R {catalog} >>")
    bodies.append(f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>")
    fonts = ["<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    fonts.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>")
    bodies += fonts
    for i, lines in enumerate(pages):
        stream = "\n".join(
            f"BT /{'B' if text.isupper() else 'F'} {size} Tf {x} {y} Td ({text}) Tj ET"
            for size, x, y, text in lines
        )
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {6 + 2 * i} 0 R "
            f"/Resources << /Font << /F 3 0 R /B 4 0 R >> >> {page} >>"
        )
        bodies.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    bodies.append(f"<< {info} >>")
    bodies += more
    out = "%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(bodies) + 1
    root = f"/Size {size} /Root 1 0 R /Info {5 + 2 * len(pages)} 0 R {trailer}"
    end = f"trailer\n<< {root} >>\nstartxref\n{len(out)}\n"
    return (out + f"xref\n0 {size}\n0000000000 65535 f \n{table}{end}%%EOF").encode("latin-1")


def prose(
    x: float, y: float, *texts: str, size: float = 10, leading: float = 12
) -> list[tuple[float, float, float, str]]:
    """Lines below one another."""
    return [(size, x, y - leading * i, text) for i, text in enumerate(texts)]
