"""The example handbook is what its scripts make of its sources, is small, and has every format."""

import io
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from kit.parsing import parsed

EXAMPLES = Path(__file__).parents[2] / "examples"
MOST_BYTES = 400_000
SUFFIXES = {
    ".md", ".txt", ".html", ".pdf", ".docx", ".pptx", ".xlsx", ".csv", ".json", ".jsonl", ".eml", ".py", ".ts",
    ".sql", ".ipynb", ".adoc", ".rst", ".epub",
}  # fmt: skip
FACTS = {
    "travel-allowances-2026.xlsx": "Ghent | Belgium | 62 | 31 | 12",
    "early-warning-training.pptx": "named pilot-questions",
    "visitor-guide-gdansk.docx": "seats 14 people",
    "pilot-week-3.eml": "1.1 false warnings per truck",
    "cold-chain-primer.epub": "keeps for twelve days in melting ice",
    "probe-stock-2026-10.csv": "Bergen | P3 probe | 1186",
    "on-call-2026-q4.json": "Imran Sheikh",
    "intake-events-2026-10-14.jsonl": "disk replaced",
    "firmware-5.8-rollout.ipynb": "Only 0.7 percent",
    "glossary.adoc": "archived",
    "shipments-api.rst": "600 requests a minute",
    "code/quiet_hours.py": "MOST_LISTED = 20",
    "code/forecastLine.ts": "STALE_AFTER_MINUTES = 12",
    "code/held_messages.sql": "48 hours",
}


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    for name in ("make_pdfs", "make_office", "office_parts"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return __import__("make_pdfs"), __import__("make_office")


def test_the_scripts_make_the_committed_bytes(scripts):
    made = [file for script in scripts for file in script.made()]
    assert len(made) == 10
    stale = [path.name for path, data in made if not path.exists() or path.read_bytes() != data]
    assert stale == [], "run examples/make_pdfs.py and examples/make_office.py"


def test_the_picture_is_the_scripts(scripts):
    _, office = scripts
    fresh, kept = Image.open(io.BytesIO(office.picture())), Image.open(office.PICTURE)
    assert fresh.size == kept.size
    assert ImageStat.Stat(ImageChops.difference(fresh, kept)).mean[0] < 5  # fonts are drawn a little otherwise


def test_there_is_every_format_and_all_of_it_is_small():
    files = [path for path in EXAMPLES.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    assert {path.suffix for path in (EXAMPLES / "handbook").rglob("*")} >= SUFFIXES


@pytest.mark.parametrize("name", FACTS)
def test_each_document_says_what_can_be_asked_of_it(name):
    path = EXAMPLES / "handbook" / "everyone" / name
    assert FACTS[name] in parsed(path.read_bytes(), name=path.name).text


def test_the_newsletter_is_read_column_by_column():
    path = EXAMPLES / "handbook" / "everyone" / "frost-letter-2026-10.pdf"
    text = parsed(path.read_bytes(), name=path.name).text
    titles = ["New faces", "The wool day", "Bicycles", "Sport", "The library", "Winter tyres", "Christmas"]
    places = [text.index(title) for title in titles]
    assert places == sorted(places)


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="Tesseract is not installed")
def test_the_picture_can_be_read():
    path = EXAMPLES / "pictures" / "dock-7-sign.png"
    assert "4 minutes" in parsed(path.read_bytes(), name=path.name).text
