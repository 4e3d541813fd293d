"""Q1 and Q2: nDCG@10 of a search over whole documents, untuned, on every retrieval set.

    python -m bench.ranking [--sets xquad cisi] [--together] [--derive] [--queries 100] [--full] [--skip-graphs]

Ours is the product's search. Beside it stand BM25, cosine and reciprocal rank fusion (k = 60) over the very same
chunks, from the lists that the engine gives for the same query in the same run. Each set alone; `--together`:
every set in a collection of its own, all searched at once. `--derive` derives the constants of
`retrieval/constants.py` again, and with each set left out. Vectors of passages are kept in `bench/.cache`.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bench import evaldata, report
from bench.deriving import baselines, derive
from bench.house import admin, collection, house, ingest
from bench.judged import TOP, Question, interval, ndcg, needed_first, questions
from bench.kept import KeptEmbedding
from bench.sides import Asked, Order, by, by_ranks, candidates, scores, searched

from muniment.collections.contract import Collections, Lookup
from muniment.documents.contract import Documents, ListDocuments, NewDocument, Options
from muniment.embedding.contract import Embedding, EmbedQueries
from muniment.kernel.caller import calling_as
from muniment.kernel.house import House
from muniment.retrieval.contract import Mode, Retrieval, Search
from muniment.vectors.contract import Vectors

GRAPH_SETS = ("xquad", "spider_dev_tables", "chroma_chunking", "cranfield")
LONGEST = 8192
PAGE = 500
BASELINES: Mapping[str, Order] = {"BM25": by("words"), "dense": by("dense"), "RRF": by_ranks}


class RetrievalSet(NamedTuple):
    """A set: its folder, its files of queries by the name shown, and how many documents are enough."""

    folder: str
    queries: Mapping[str, str]
    documents: int = 100_000
    markdown: bool = False

    @property
    def collection(self) -> str:
        """The name of its collection."""
        return self.folder.replace("_", "-")


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
    parser.add_argument("--together", action="store_true", help="all sets in one index, searched at once")
    parser.add_argument(
        "--derive", action="store_true", help="derive the constants again, each set left out in turn"
    )
    parser.add_argument("--queries", type=int, default=100, help="of each file, drawn with a fixed seed")
    parser.add_argument("--full", action="store_true", help="all documents of every set, and all queries")
    parser.add_argument("--graph-sets", nargs="+", choices=names, default=GRAPH_SETS, help="those of Q2")
    parser.add_argument("--skip-graphs", action="store_true", help="leave Q2 out")
    arguments = parser.parse_args()
    if arguments.full:
        arguments.queries = 1_000_000
    report.header()
    chosen = [of._replace(documents=10**9) if arguments.full else of for of in SETS if of.folder in arguments.sets]
    asked: dict[str, list[Asked]] = {}
    for some in [chosen] if arguments.together else [[of] for of in chosen]:
        found = asyncio.run(gathered(some, arguments.queries))
        for name, of in found.items():
            _compare(f"Q1 {name}{', all in one' if arguments.together else ''}", of)
        asked |= found
    _means(asked, together=arguments.together)
    if arguments.derive:
        derive(asked)
    if not arguments.skip_graphs:
        asyncio.run(_graphs(arguments.graph_sets))


async def gathered(sets: Sequence[RetrievalSet], most: int) -> dict[str, list[Asked]]:
    """Every question of the sets with its candidates and what a search finds, by file of queries."""
    found: dict[str, list[Asked]] = {}
    with tempfile.TemporaryDirectory() as data:
        async with house(Path(data), rooms={Embedding: KeptEmbedding.building}) as opened:
            for of in sets:
                await fill(opened, of)
            with calling_as(await admin(opened)):
                names = {key: name for of in sets for key, name in (await _names(opened, of)).items()}
                for of in sets:
                    for shown, some in asked_of(of, most).items():
                        found[shown] = [await _asked(opened, of, question, names) for question in some]
    return found


async def fill(opened: House, of: RetrievalSet) -> None:
    """The set's documents in a collection of its own."""
    await collection(opened, of.collection)
    documents = [_new(number, document, of) for number, document in enumerate(_documents(of))]
    run = await ingest(opened, of.collection, documents)
    if run.state != "succeeded":
        raise RuntimeError(f"the ingest of {of.folder} ended as {run.state}: {run.problem}")


def asked_of(of: RetrievalSet, most: int) -> dict[str, list[Question]]:
    """Its judged questions, by file."""
    there = {document.id for document in _documents(of)}
    return {shown: questions(of.folder, most, there=there, file=file) for shown, file in of.queries.items()}


def _documents(of: RetrievalSet) -> list[evaldata.Document]:
    documents = evaldata.documents(of.folder)
    return documents if len(documents) <= of.documents else needed_first(of.folder, of.documents)


def _new(number: int, document: evaldata.Document, of: RetrievalSet) -> NewDocument:
    options = Options(title=document.title.strip()[:1024]) if document.title.strip() else Options()
    name, kind = (f"{number}.md", "text/markdown") if of.markdown else (f"{number}.txt", "text/plain")
    return NewDocument(content=document.text.replace("\x00", ""), name=name, media_type=kind, options=options)


async def _names(opened: House, of: RetrievalSet) -> dict[str, str]:
    """The set's and the document's name by the id that the house gave it."""
    listing = await opened.get(Documents)
    documents = _documents(of)
    found: dict[str, str] = {}
    cursor = None
    while True:
        page = await listing.list(ListDocuments(collection=of.collection, limit=PAGE, cursor=cursor))
        found |= {d.id: f"{of.folder}/{documents[int(d.key.partition('.')[0])].id}" for d in page.items}
        cursor = page.next_cursor
        if cursor is None:
            return found


async def _asked(opened: House, of: RetrievalSet, question: Question, names: Mapping[str, str]) -> Asked:
    text = question.text[:LONGEST]
    search = Search(query=text, limit=TOP, group_by="document")
    hits = (await (await opened.get(Retrieval)).search(search)).hits
    known = await (await opened.get(Collections)).lookup(Lookup(collections=(of.collection,)))
    embedded = await (await opened.get(Embedding)).embed_queries(EmbedQueries(texts=(text,)))
    index = known.items[0].index.name
    documents, signals = await candidates(await opened.get(Vectors), index, text, embedded.vectors, names)
    relevant = {f"{of.folder}/{name}": gain for name, gain in question.relevant.items()}
    return Asked(relevant, documents, signals, tuple(names[hit.document.id] for hit in hits))


def _compare(name: str, asked: Sequence[Asked]) -> None:
    ours = scores(searched, asked)
    beside = {way: scores(order, asked) for way, order in BASELINES.items()}
    means = {way: float(np.mean(of)) for way, of in beside.items()}
    best = max(means, key=lambda way: means[way])
    low, high = interval(ours, beside[best])
    report.row(
        f"{name}, {len(asked)} queries",
        float(np.mean(ours)),
        "nDCG@10",
        beside=f"{', '.join(f'{way} {mean:.3f}' for way, mean in means.items())}; {best}",
        baseline=means[best],
        limit=f"{np.mean(ours) - means[best]:+.3f} [{low:+.3f}, {high:+.3f}]",
    )


def _means(asked: Mapping[str, Sequence[Asked]], *, together: bool) -> None:
    ours = float(np.mean([np.mean(scores(searched, of)) for of in asked.values()]))
    means = [baselines(of) for of in asked.values()]
    beside = {way: float(np.mean([of[way] for of in means])) for way in BASELINES}
    report.row(
        f"Q1 mean of {len(asked)} sets{', all in one' if together else ', each alone'}",
        ours,
        "nDCG@10",
        beside=f"BM25 {beside['BM25']:.3f}, dense {beside['dense']:.3f}; RRF",
        baseline=beside["RRF"],
        limit=f"difference at least {'+0.030' if together else '+0.025'}, here {ours - beside['RRF']:+.3f}",
    )


async def _graphs(names: Sequence[str]) -> None:
    """Q2: the graph that is shipped, beside the same weights in fp32; dense alone, where it shows most.

    All queries of its sets: the differences are smaller than what a sample of them would leave to chance.
    """
    losses = []
    for of in [of for of in SETS if of.folder in names]:
        shipped, exact = [await _dense(of, weights) for weights in ("auto", "fp32")]
        losses.append(exact - shipped)
        report.row(f"Q2 {of.folder}, dense, shipped graph", shipped, "nDCG@10", beside="fp32", baseline=exact)
    report.row("Q2 mean loss of the shipped graph", float(np.mean(losses)), "nDCG@10", limit="at most 0.003")


async def _dense(of: RetrievalSet, weights: str) -> float:
    """nDCG@10 of the set's own questions by meaning alone."""
    mode: Mode = "dense"
    settings = {"MUNIMENT_MODELS__WEIGHTS": weights}
    with tempfile.TemporaryDirectory() as data:
        async with house(Path(data), rooms={Embedding: KeptEmbedding.building}, settings=settings) as opened:
            await fill(opened, of)
            retrieval = await opened.get(Retrieval)
            with calling_as(await admin(opened)):
                names = await _names(opened, of)
                found = []
                for question in asked_of(of, 1_000_000)[next(iter(of.queries))]:
                    search = Search(query=question.text[:LONGEST], limit=TOP, mode=mode, group_by="document")
                    hits = (await retrieval.search(search)).hits
                    keys = [names[hit.document.id].removeprefix(f"{of.folder}/") for hit in hits]
                    found.append(ndcg(keys, question.relevant))
    return float(np.mean(found))


if __name__ == "__main__":
    main()
