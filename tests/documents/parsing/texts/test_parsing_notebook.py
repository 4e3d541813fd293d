import json

import pytest

from kit.parsing import parsed
from muniment.documents.contract import FileBroken
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.texts.notebook import MOST_OUTPUT

NOTEBOOK = {
    "nbformat": 4,
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "authors": [{"name": "Ada"}],
    },
    "cells": [
        {"cell_type": "markdown", "source": ["# Cold chain\n", "See [it](https://example.org/a).\n"]},
        {
            "cell_type": "code",
            "source": "print(1)\n",
            "outputs": [
                {"output_type": "stream", "text": ["1\n"]},
                {"output_type": "execute_result", "data": {"text/plain": "42", "text/html": "<b>42</b>"}},
                {"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["\u001b[31mE\u001b[0m: x"]},
                {"output_type": "display_data", "data": {"image/png": "aGVsbG8="}},
            ],
        },
        {"cell_type": "markdown", "source": "## Limits\nMore."},
    ],
}


def read(notebook: object) -> Parsed:
    return parsed(json.dumps(notebook).encode(), name="a.ipynb")


def test_cells_become_prose_code_and_output() -> None:
    found = read(NOTEBOOK)
    assert [(b.kind, found.text[b.start : b.end]) for b in found.blocks] == [
        ("heading", "# Cold chain"),
        ("paragraph", "See [it](https://example.org/a)."),
        ("code", "print(1)"),
        ("code", "1"),
        ("code", "42"),
        ("code", "E: x"),
        ("heading", "## Limits"),
        ("paragraph", "More."),
    ]
    assert [s.path for s in found.sections] == [("Cold chain",), ("Cold chain", "Limits")]
    assert found.title == "Cold chain"
    assert found.fields == {"author": "Ada", "programming_language": "python"}
    assert found.metadata == {"kernel": "Python 3", "links": ["https://example.org/a"]}


def test_the_older_format_is_read() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Old"]},
        {"cell_type": "code", "input": ["x = 1"], "outputs": [{"output_type": "pyout", "text": ["1"]}]},
    ]
    found = read({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}]})
    assert found.text == "## Old\n\nx = 1\n\n1"


def test_long_outputs_are_cut() -> None:
    output = {"output_type": "stream", "text": "line\n" * 10_000}
    found = read({"cells": [{"cell_type": "code", "source": "run()", "outputs": [output]}]})
    assert MOST_OUTPUT / 2 < len(found.text) < MOST_OUTPUT + 20
    assert found.text.endswith("line\n…")


@pytest.mark.parametrize("data", [b'{"cells": [', b'{"x": 1}', b"[" * 100_000, b'["a"]'])
def test_what_is_no_notebook_says_so(data: bytes) -> None:
    with pytest.raises(FileBroken, match="Jupyter"):
        parsed(data, name="a.ipynb")


def test_odd_cells_do_no_harm() -> None:
    cells = [1, None, {}, {"cell_type": "code", "source": 3, "outputs": [4, {"data": 5}]}, {"source": ["a", 1]}]
    assert read({"metadata": [], "cells": cells}).text == "a1"
