"""Q3: how much of the judged spans the first five passages hold, and how little else (`chroma_chunking`).

    python -m bench.passages [--corpora 5]

Beside it recursive splitters of 200 and 400 tokens without overlap, with the same model in the same run. Recall is
the share of the judged characters that were found; IoU that share of judged and found together, as in Chroma's
"Evaluating Chunking Strategies for Retrieval" (Smith and Troynikov, 2024).
"""

import argparse
import asyncio
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
from bench import evaldata, report
from bench.house import admin, collection, house, ingest
from tokenizers import Tokenizer

from muniment.documents.contract import NewDocument, Options
from muniment.embedding.contract import Describe, Embedding, EmbedQueries
from muniment.kernel.caller import calling_as
from muniment.kernel.house import House
from muniment.retrieval.contract import Mode, Retrieval, Search

TOP = 5
AT_ONCE = 256
SEPARATORS = ("\n\n", "\n", ".", "?", "!", " ", "")
MODES: tuple[Mode, ...] = ("hybrid", "dense")

Span = tuple[str, int, int]


class Question(NamedTuple):
    """What is asked, and the spans that answer it."""

    text: str
    judged: list[Span]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=int, default=5, help="of the set's five, the shortest")
    most = parser.parse_args().corpora
    report.header()
    corpora = sorted(evaldata.lines("chroma_chunking/documents"), key=lambda line: len(line["text"]))[:most]
    texts = {line["_id"]: line["text"] for line in corpora}
    asked = {line["_id"]: line["text"] for line in evaldata.lines("chroma_chunking/queries")}
    questions = [
        Question(asked[line["_id"]], [(line["corpus_id"], r["start_index"], r["end_index"]) for r in line["refs"]])
        for line in evaldata.lines("chroma_chunking/spans")
        if line["_id"] in asked and line["corpus_id"] in texts
    ]
    with tempfile.TemporaryDirectory() as work:
        asyncio.run(measure(Path(work), texts, questions))


async def measure(data: Path, texts: dict[str, str], questions: list[Question]) -> None:
    """Ours in its modes, and the splitters under the same model."""
    async with house(data) as opened:
        embedding = await opened.get(Embedding)
        described = await embedding.describe(Describe())
        file = Path(urlsplit(described.tokenizer.store).path) / described.tokenizer.key
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        base: dict[int, tuple[float, float]] = {}
        for tokens in (200, 400):
            chunks = [s for name, text in texts.items() for s in _spans(name, text, tokenizer, tokens)]
            base[tokens] = await _dense(embedding, texts, chunks, questions)
        await collection(opened, "corpora")
        options = [Options(key=name) for name in texts]
        files = [NewDocument(content=texts[str(o.key)], media_type="text/plain", options=o) for o in options]
        await ingest(opened, "corpora", files)
        for mode in MODES:
            recall, iou = await _ours(opened, questions, mode)
            for tokens, (theirs, their_iou) in base.items():
                beside = f"recursive {tokens}/0"
                limit = "ratio > 1" if tokens == 200 else ""
                report.row(f"Q3 recall at {TOP}, {mode}", recall, "", beside=beside, baseline=theirs, limit=limit)
                report.row(f"Q3 IoU at {TOP}, {mode}", iou, "", beside=beside, baseline=their_iou, limit=limit)


async def _ours(opened: House, questions: list[Question], mode: Mode) -> tuple[float, float]:
    retrieval = await opened.get(Retrieval)
    found: list[list[Span]] = []
    with calling_as(await admin(opened)):
        for question in questions:
            hits = (await retrieval.search(Search(query=question.text, limit=TOP, mode=mode))).hits
            found.append([(h.document.key, h.chunk.span.start, h.chunk.span.end) for h in hits])
    return _scores(questions, found)


async def _dense(
    embedding: Embedding, texts: dict[str, str], chunks: list[Span], questions: list[Question]
) -> tuple[float, float]:
    """The splitter's chunks, ranked by cosine; what the model cannot read of a chunk it does not see."""
    pieces = [texts[name][start:end] for name, start, end in chunks]
    # As queries are embedded: what is longer than the model's limit in windows, for an honest baseline.
    asked_at_once = [EmbedQueries(texts=tuple(pieces[at : at + AT_ONCE])) for at in range(0, len(pieces), AT_ONCE)]
    vectors = [(await embedding.embed_queries(some)).vectors for some in asked_at_once]
    matrix = np.concatenate(vectors)
    found = []
    for question in questions:
        asked = (await embedding.embed_queries(EmbedQueries(texts=(question.text,)))).vectors[0]
        best = np.argsort(-(matrix @ asked), kind="stable")[:TOP]
        found.append([chunks[place] for place in best])
    return _scores(questions, found)


def _scores(questions: Sequence[Question], found: Sequence[Sequence[Span]]) -> tuple[float, float]:
    """Mean recall and IoU."""
    recalls, ious = [], []
    for question, spans in zip(questions, found, strict=True):
        judged, seen = _characters(question.judged), _characters(spans)
        both = len(judged & seen)
        recalls.append(both / len(judged))
        ious.append(both / len(judged | seen))
    return float(np.mean(recalls)), float(np.mean(ious))


def _characters(spans: Sequence[Span]) -> set[tuple[str, int]]:
    return {(name, at) for name, start, end in spans for at in range(start, end)}


def _spans(name: str, text: str, tokenizer: Tokenizer, most: int) -> list[Span]:
    """A recursive splitter: by the coarsest separator that there is, merged again up to `most` tokens."""

    def count(piece: str) -> int:
        return len(tokenizer.encode(piece, add_special_tokens=False).ids)

    found, at = [], 0
    for piece in _split(text, SEPARATORS, count, most):
        start = text.index(piece, at)
        at = start + len(piece)
        if piece.strip():
            found.append((name, start, at))
    return found


def _split(text: str, separators: Sequence[str], count: Callable[[str], int], most: int) -> list[str]:
    separator, *finer = separators
    parts = re.split(f"(?<={re.escape(separator)})", text) if separator else list(text)
    merged: list[str] = []
    room = 0
    for part in (part for part in parts if part):
        size = count(part)
        if size > most and finer:
            merged += _split(part, finer, count, most)
            room = 0
        elif merged and size <= room:
            merged[-1] += part
            room -= size
        else:
            merged.append(part)
            room = most - size
    return merged


if __name__ == "__main__":
    main()
