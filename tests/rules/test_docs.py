"""Generated pages are current, and every command and setting stands in them."""

import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_generated_pages_are_current(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.delitem(sys.modules, "generate", raising=False)
    generate = __import__("generate")
    stale = [path for path, text in generate.pages().items() if _read(DOCS / path) != text]
    assert stale == [], "run `make docs`"
    rooms = {path.name for path in (DOCS / "rooms").iterdir()}
    assert rooms == {Path(path).name for path in generate.pages() if path.startswith("rooms/")}


def _read(path):
    return path.read_text("utf-8") if path.exists() else None
