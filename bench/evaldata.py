"""The evaluation sets that the benches read: a folder named by MUNIMENT_EVALDATA, never part of the product."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.report import Skipped

FOLDER = Path(__file__).parent.parent.parent / "shared" / "evaldata"


def folder() -> Path:
    """Where the sets are.

    Raises Skipped.
    """
    found = Path(os.environ.get("MUNIMENT_EVALDATA", FOLDER))
    if not found.is_dir():
        raise Skipped(f"no evaluation data at {found}; name its folder in MUNIMENT_EVALDATA")
    return found


def lines(name: str) -> Iterator[dict[str, Any]]:
    """The lines of `<set>/<file>.jsonl`, plain or gzipped.

    Raises Skipped when it is absent.
    """
    plain = folder() / f"{name}.jsonl"
    packed = plain.with_suffix(".jsonl.gz")
    if plain.is_file():
        with plain.open(encoding="utf-8") as file:
            yield from map(json.loads, file)
    elif packed.is_file():
        with gzip.open(packed, "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)
    else:
        raise Skipped(f"no {plain} and no {packed}")


class Document(NamedTuple):
    """One document of a set."""

    id: str
    title: str
    text: str


def documents(name: str) -> list[Document]:
    """The documents of a set that hold any text."""
    found = (Document(d["_id"], d.get("title") or "", d["text"]) for d in lines(f"{name}/corpus"))
    return [document for document in found if document.text.strip()]


def judgements(name: str) -> dict[str, dict[str, float]]:
    """Relevance by document, by query."""
    path = folder() / name / "qrels.tsv"
    if not path.is_file():
        raise Skipped(f"no {path}")
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text().splitlines()[1:]:
        query, document, score = line.split("\t")
        if float(score) > 0:
            found.setdefault(query, {})[document] = float(score)
    return found
