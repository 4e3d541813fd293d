"""Runs in the environment of a peer: for each path, a line of JSON, the text it reads and the seconds it takes."""

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module


def main() -> None:
    """The peer's name is the argument; each line read is a file."""
    read = PEERS[sys.argv[1]]()
    for line in sys.stdin:
        path = json.loads(line)
        begun = time.perf_counter()
        try:
            text, pages = read(path)
            failed = None
        except Exception as problem:  # noqa: BLE001 - whatever a peer throws is its answer
            text, pages, failed = "", 0, type(problem).__name__
        seconds = time.perf_counter() - begun
        print(json.dumps({"text": text, "pages": pages, "seconds": seconds, "failed": failed}), flush=True)


def _pypdf() -> Callable[[str], tuple[str, int]]:
    pypdf = import_module("pypdf")

    def read(path: str) -> tuple[str, int]:
        pages = pypdf.PdfReader(path).pages
        return "\n".join(page.extract_text() for page in pages), len(pages)

    return read


def _docx() -> Callable[[str], tuple[str, int]]:
    docx = import_module("docx")

    def read(path: str) -> tuple[str, int]:
        found = []
        for part in docx.Document(path).iter_inner_content():
            if hasattr(part, "rows"):
                found += [" | ".join(cell.text for cell in row.cells) for row in part.rows]
            else:
                found.append(part.text)
        return "\n".join(found), 0

    return read


def _pptx() -> Callable[[str], tuple[str, int]]:
    pptx = import_module("pptx")

    def read(path: str) -> tuple[str, int]:
        found, slides = [], pptx.Presentation(path).slides
        for slide in slides:
            for shape in slide.shapes:
                if shape.has_text_frame:
                    found.append(shape.text_frame.text)
                if shape.has_table:
                    found += [" | ".join(cell.text for cell in row.cells) for row in shape.table.rows]
        return "\n".join(found), len(slides)

    return read


def _markitdown() -> Callable[[str], tuple[str, int]]:
    converter = import_module("markitdown").MarkItDown()

    def read(path: str) -> tuple[str, int]:
        return converter.convert(path).text_content, 0

    return read


PEERS = {"pypdf": _pypdf, "python-docx": _docx, "python-pptx": _pptx, "markitdown": _markitdown}


if __name__ == "__main__":
    main()
