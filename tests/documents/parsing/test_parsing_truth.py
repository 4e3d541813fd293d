"""Against the Markdown from which the same documents were made in other formats."""

import re
from collections import Counter
from pathlib import Path

import pytest

from kit.parsing import parsed

ADDRESS = re.compile(r"\]\([^)]*\)")


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", ADDRESS.sub("]", text).lower()))


def f1(found: Counter[str], truth: Counter[str]) -> float:
    return 2 * (found & truth).total() / (found.total() + truth.total())


@pytest.mark.parametrize(
    ("suffix", "least"), [(".md", 1.0), (".html", 0.99), (".pdf", 0.99), (".docx", 0.98), (".pptx", 0.98)]
)
def test_the_words_are_those_of_the_source(evaldata: Path, suffix: str, least: float) -> None:
    folder = evaldata / "parsing_formats" / "files"
    if not folder.is_dir():
        pytest.skip("the evaluation data parsing_formats is not here")
    scores = []
    for path in sorted(folder.glob(f"*{suffix}")):
        truth = words(path.with_suffix(".md").read_text())
        scores.append(f1(words(parsed(path.read_bytes(), name=path.name).text), truth))
    assert sum(scores) / len(scores) >= least
