"""Q1 and Q2: nDCG@10 of a search over whole documents, as it stands and untuned, on every retrieval set.

    python -m bench.ranking [--sets xquad cisi] [--queries 200] [--full] [--skip-graphs]

Our hybrid is reciprocal rank fusion (k = 60) today, so it is its own baseline of that name; beside it stand its
keyword mode (BM25) and its dense mode over the very same chunks. Vectors of passages are kept in `bench/.cache`.
"""

import argparse
import asyncio
import math
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bench import evaldata, report
from bench.house import admin, collection, house, ingest
from bench.kept import KeptEmbedding

from muniment.documents.contract import NewDocument, Options
from muniment.embedding.contract import Embedding
from muniment.kernel.caller import calling_as
from muniment.retrieval.contract import Mode, Retrieval, Search

TOP = 10
MODES: tuple[Mode, ...] = ("hybrid", "dense", "keyword")
GRAPH_SETS = ("xquad", "spider_dev_tables", "chroma_chunking", "cranfield")
RESAMPLES = 2000
Judged = Mapping[str, Mapping[str, float]]


class RetrievalSet(NamedTuple):
    """A set: its folder, its files of queries by the name shown, and how many documents are enough."""

    folder: str
    queries: Mapping[str, str]
    documents: int | None = None
    markdown: bool = False


SETS = (
    RetrievalSet("xquad", {"xquad": "queries"} | {f"xquad_{x}": f"queries_{x}" for x in ("de", "es", "ru", "zh")}),
    RetrievalSet("spider_dev_tables", {"spider_dev_tables": "queries"}),
    RetrievalSet("rag_multi_corpus", {"rag_multi_corpus": "queries"}, markdown=True),
    RetrievalSet("chroma_chunking", {"chroma_chunking": "queries"}),
    RetrievalSet("cranfield", {"cranfield": "queries"}),
    RetrievalSet("cisi", {"cisi": "queries"}),
    RetrievalSet("cosqa", {"cosqa": "queries"}, 3000),
    RetrievalSet("k8s_notes_to_kep", {"k8s_notes_to_kep": "queries"}, 275, markdown=True),
)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [s.folder for s in SETS]
    parser.add_argument("--sets", nargs="+", choices=names, default=names)
    parser.add_argument("--queries", type=int, default=200, help="of each file, drawn with a fixed seed")
    parser.add_argument("--full", action="store_true", help="all documents of every set, and all queries")
    parser.add_argument("--skip-graphs", action="store_true", help="leave Q2 out")
    arguments = parser.parse_args()
    report.header()
    for name in arguments.sets:
        of = next(s for s in SETS if s.folder == name)
        for shown, scores in asyncio.run(scored(of, arguments, MODES, "auto")).items():
            _compare(f"Q1 {shown}", scores)
    if not arguments.skip_graphs:
        asyncio.run(_graphs())


async def _graphs() -> None:
    """Q2: the graph that is shipped, beside the same weights in fp32; dense alone, where it shows most.

    All queries of its sets: the differences are smaller than what a sample of them would leave to chance.
    """
    everything = argparse.Namespace(full=True)
    losses = []
    for name in GRAPH_SETS:
        of = next(s for s in SETS if s.folder == name)
        only = of._replace(queries=dict([next(iter(of.queries.items()))]))
        shipped, exact = [
            float(np.mean((await scored(only, everything, ("dense",), weights))[name]["dense"]))
            for weights in ("auto", "fp32")
        ]
        losses.append(exact - shipped)
        report.row(f"Q2 {name}, dense, shipped graph", shipped, "nDCG@10", beside="fp32", baseline=exact)
    report.row("Q2 mean loss of the shipped graph", float(np.mean(losses)), "nDCG@10", limit="at most 0.003")


async def scored(
    of: RetrievalSet, arguments: argparse.Namespace, modes: Sequence[Mode], weights: str
) -> dict[str, dict[Mode, list[float]]]:
    """nDCG@10 of each query in each mode, by file of queries."""
    judged = evaldata.judgements(of.folder)
    documents = evaldata.documents(of.folder)
    if of.documents is not None and not arguments.full:
        documents = _cut(documents, judged, of.documents)
    there = {document.id for document in documents}
    found: dict[str, dict[Mode, list[float]]] = {}
    with tempfile.TemporaryDirectory() as data:
        settings = {"MUNIMENT_MODELS__WEIGHTS": weights}
        async with house(Path(data), rooms={Embedding: KeptEmbedding.building}, settings=settings) as opened:
            await collection(opened, "set")
            names = {f"{number}.{'md' if of.markdown else 'txt'}": d.id for number, d in enumerate(documents)}
            run = await ingest(opened, "set", [_new(n, d) for n, d in zip(names, documents, strict=True)])
            if run.state != "succeeded":
                raise RuntimeError(f"the ingest of {of.folder} ended as {run.state}: {run.problem}")
            retrieval = await opened.get(Retrieval)
            with calling_as(await admin(opened)):
                for shown, file in of.queries.items():
                    asked = _queries(of.folder, file, judged, there, arguments)
                    found[shown] = {
                        mode: [await _ndcg(retrieval, mode, text, judged[q], names) for q, text in asked]
                        for mode in modes
                    }
    return found


def _new(name: str, document: evaldata.Document) -> NewDocument:
    options = Options(title=document.title.strip()[:1024]) if document.title.strip() else Options()
    kind = "text/markdown" if name.endswith(".md") else "text/plain"
    return NewDocument(content=document.text.replace("\x00", ""), name=name, media_type=kind, options=options)


def _cut(documents: list[evaldata.Document], judged: Judged, most: int) -> list[evaldata.Document]:
    """The first so many, those that the most queries need before the others."""
    relevant = {document for scores in judged.values() for document in scores}
    needed = [d for d in documents if d.id in relevant]
    others = [d for d in documents if d.id not in relevant]
    return (needed + others)[:most]


def _queries(
    folder: str, file: str, judged: Judged, there: set[str], arguments: argparse.Namespace
) -> list[tuple[str, str]]:
    """Judged queries whose relevant documents are all there."""
    found = [(q["_id"], q["text"]) for q in evaldata.lines(f"{folder}/{file}") if judged.get(q["_id"])]
    found = [(query, text) for query, text in found if judged[query].keys() <= there]
    if arguments.full or len(found) <= arguments.queries:
        return found
    return random.Random(0).sample(found, arguments.queries)


async def _ndcg(
    retrieval: Retrieval, mode: Mode, query: str, relevant: Mapping[str, float], names: Mapping[str, str]
) -> float:
    asked = Search(query=query[:8192], limit=TOP, mode=mode, group_by="document")
    hits = (await retrieval.search(asked)).hits
    gains = [relevant.get(names[hit.document.key], 0.0) for hit in hits]
    return _gain(gains) / _gain(sorted(relevant.values(), reverse=True)[:TOP])


def _gain(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def _compare(name: str, scores: Mapping[Mode, Sequence[float]]) -> None:
    means = {mode: float(np.mean(of)) for mode, of in scores.items()}
    best: Mode = max(("dense", "keyword"), key=lambda mode: means[mode])
    differences = np.array(scores["hybrid"]) - np.array(scores[best])
    drawn = np.random.default_rng(0).integers(0, len(differences), (RESAMPLES, len(differences)))
    low, high = np.quantile(differences[drawn].mean(1), [0.025, 0.975])
    report.row(
        f"{name}, {len(differences)} queries: hybrid (RRF, k = 60)",
        means["hybrid"],
        "nDCG@10",
        beside=f"BM25 {means['keyword']:.3f}, dense {means['dense']:.3f}; best",
        baseline=means[best],
        limit=f"{means['hybrid'] - means[best]:+.3f} [{low:+.3f}, {high:+.3f}]",
    )


if __name__ == "__main__":
    main()
