"""Muniment beside LlamaIndex, Haystack and txtai: the same documents, questions, weights and machine, in one run.

    python -m bench.versus [--peers] [--sets xquad cisi] [--queries 200] [--only haystack] [--rounds 1]

Each is put together as its own documentation says (`bench/pipelines/`), in chunks of as many tokens, in an
environment of its own. Ours is `muniment up` over HTTP, token check and access included; theirs are called in
their own process. Ingestion is taken in turn, searches a few queries at a time, so that no one has the quiet hour.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from bench import evaldata, judged, report
from bench.embedding import weights_folder
from bench.house import admin, house, server
from bench.peers import PIPELINES, Peer, environment, is_made, pipeline, told
from bench.start import shares_mb

from muniment.documents.chunking.recipe import RECIPE
from muniment.kernel.caller import calling_as
from muniment.retrieval.contract import Retrieval, Search
from muniment.sdk import Muniment

SETS = ("xquad", "spider_dev_tables", "rag_multi_corpus", "chroma_chunking", "cranfield", "cisi")
MARKDOWN = frozenset({"rag_multi_corpus", "k8s_notes_to_kep"})
AT_ONCE = 100
"""Documents in one upload."""

TURN = 20
"""Queries before the next one has its turn."""


class Found(NamedTuple):
    """Documents of each query, best first, and its milliseconds."""

    documents: list[list[str]]
    ms: list[float]


class Contender(Protocol):
    """Somebody who indexes documents and finds them."""

    def ingest(self, documents: Sequence[evaldata.Document]) -> float:
        """Seconds until all are found."""
        ...

    def search(self, queries: Sequence[str]) -> Found:
        """One query after the other."""
        ...

    def memory_mb(self) -> float:
        """PSS of all its processes."""
        ...


class Ours:
    """A server, over HTTP."""

    def __init__(self, muniment: Muniment, pid: int, *, markdown: bool) -> None:
        self._muniment, self._pid = muniment, pid
        self._media_type = "text/markdown" if markdown else "text/plain"
        self._names: dict[str, str] = {}
        muniment.post("/api/v1/collections", {"name": "set"})
        muniment.post("/api/v1/search", {"query": "warm"})

    def ingest(self, documents: Sequence[evaldata.Document]) -> float:
        """Until every document is searchable."""
        self._names = {str(number): document.id for number, document in enumerate(documents)}
        made = [self._made(key, document) for key, document in zip(self._names, documents, strict=True)]
        began = time.perf_counter()
        runs = [
            self._muniment.post(
                "/api/v1/collections/set/documents/batch", {"documents": made[first : first + AT_ONCE]}
            )["run"]
            for first in range(0, len(made), AT_ONCE)
        ]
        for run in runs:
            while (ended := self._muniment.get(f"/api/v1/runs/{run}"))["state"] in {"queued", "running"}:
                time.sleep(0.05)
            if ended["state"] != "succeeded":
                raise RuntimeError(f"the ingest ended as {ended['state']}: {ended['problem']}")
        return time.perf_counter() - began

    def search(self, queries: Sequence[str]) -> Found:
        """As anybody would ask."""
        found = Found([], [])
        for query in queries:
            asked = {"query": query[:8192], "limit": judged.TOP, "group_by": "document"}
            began = time.perf_counter()
            hits = self._muniment.post("/api/v1/search", asked)["hits"]
            found.ms.append(1000 * (time.perf_counter() - began))
            found.documents.append([self._names[hit["document"]["key"]] for hit in hits])
        return found

    def memory_mb(self) -> float:
        """The server and its children."""
        return sum(shares_mb(self._pid).values())

    def _made(self, key: str, document: evaldata.Document) -> dict[str, str]:
        title = document.title.strip()[:1024]
        text = document.text.replace("\x00", "")
        made = {"key": key, "text": text, "media_type": self._media_type}
        return made | {"title": title} if title else made


class Theirs:
    """A peer in a process of its own."""

    def __init__(self, peer: Peer, work: Path) -> None:
        self._peer, self._work = peer, work

    def ingest(self, documents: Sequence[evaldata.Document]) -> float:
        """Until its index stands."""
        made = [document._asdict() for document in documents]
        return float(told(self._peer, ingest=self._file(made))["seconds"])

    def search(self, queries: Sequence[str]) -> Found:
        """Timed in its own process."""
        answer = told(self._peer, search=self._file(list(queries)))
        return Found(answer["found"], answer["ms"])

    def memory_mb(self) -> float:
        """The process and its children."""
        return sum(shares_mb(self._peer.pid).values())

    def _file(self, told_: object) -> str:
        file = self._work / "told.json"
        file.write_text(json.dumps(told_))
        return str(file)


class Result(NamedTuple):
    """What one contender did with a set."""

    rates: list[float]
    found: Found
    memory: list[float]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="make the peers' environments when they are absent")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--queries", type=int, default=200, help="of each set, drawn with a fixed seed")
    parser.add_argument("--only", nargs="+", choices=PIPELINES, default=list(PIPELINES))
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    names = [name for name in asked.only if asked.peers or is_made(name)]
    if not names:
        raise report.Skipped("no peer is installed; `make bench-peers` does it (gigabytes)")
    weights = asyncio.run(weights_folder())
    for name in names:
        environment(name, PIPELINES[name])
    report.header()
    if os.getloadavg()[0] > len(os.sched_getaffinity(0)) / 2:
        print("the machine is busy: what waits for all processors at once, as PyTorch does, suffers most from it")
    for folder in asked.sets:
        documents = [document for document in evaldata.documents(folder) if document.text.strip()]
        questions = judged.questions(folder, asked.queries, there={document.id for document in documents})
        results: dict[str, Result] = {}
        contract: list[float] = []
        for _ in range(asked.rounds):
            with tempfile.TemporaryDirectory() as work:
                one_round(Path(work), folder, documents, questions, names, weights, results)
                contract += asyncio.run(at_the_contract(Path(work) / "data", questions))
        show(folder, len(documents), questions, results, contract)


def one_round(
    work: Path,
    folder: str,
    documents: Sequence[evaldata.Document],
    questions: Sequence[judged.Question],
    peers: Sequence[str],
    weights: Path,
    results: dict[str, Result],
) -> None:
    """All of them once, each begun anew; what they do is added to `results`."""
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {"muniment": stack.enter_context(_ours(work, folder))}
        for name in peers:
            peer = stack.enter_context(closing(pipeline(name, weights, RECIPE.target_tokens)))
            peers_work = work / name
            peers_work.mkdir()
            contenders[name] = Theirs(peer, peers_work)
            contenders[name].ingest([evaldata.Document("warm", "", "It is warm.")])
        for name, contender in contenders.items():
            result = results.setdefault(name, Result([], Found([], []), []))
            result.rates.append(len(documents) / contender.ingest(documents))
        texts = [question.text for question in questions]
        for first in range(0, len(texts), TURN):
            for name, contender in contenders.items():
                found = contender.search(texts[first : first + TURN])
                results[name].found.documents.extend(found.documents)
                results[name].found.ms.extend(found.ms)
        for name, contender in contenders.items():
            results[name].memory.append(contender.memory_mb())


@contextmanager
def _ours(work: Path, folder: str) -> Iterator[Ours]:
    with (
        server(work / "data", work / "log") as running,
        Muniment(running.address, running.key) as muniment,
    ):
        yield Ours(muniment, running.pid, markdown=folder in MARKDOWN)


async def at_the_contract(data: Path, questions: Sequence[judged.Question]) -> list[float]:
    """Milliseconds of the same searches in one process, without HTTP, once the server is gone."""
    taken = []
    async with house(data) as opened:
        retrieval = await opened.get(Retrieval)
        with calling_as(await admin(opened)):
            await retrieval.search(Search(query="warm"))
            for question in questions:
                asked = Search(query=question.text[:8192], limit=judged.TOP, group_by="document")
                began = time.perf_counter()
                await retrieval.search(asked)
                taken.append(1000 * (time.perf_counter() - began))
    return taken


def show(
    folder: str,
    documents: int,
    questions: Sequence[judged.Question],
    results: dict[str, Result],
    contract: Sequence[float],
) -> None:
    """Ours beside each of theirs."""
    work = f"peers {folder}"
    ours = results["muniment"]
    scores = {name: _scores(questions, result.found.documents) for name, result in results.items()}
    for name, theirs in results.items():
        if name == "muniment":
            continue
        _pair(f"{work}: ingest of {documents}", ours.rates, theirs.rates, "docs/s", name)
        for unit, mine in scores["muniment"].items():
            other = scores[name][unit]
            low, high = judged.interval(mine, other)
            limit = f"{np.mean(mine) - np.mean(other):+.3f} [{low:+.3f}, {high:+.3f}]"
            report.row(
                f"{work}: {len(questions)} questions", float(np.mean(mine)), unit, beside=name,
                baseline=float(np.mean(other)), limit=limit, samples=mine, baseline_samples=other,
            )  # fmt: skip
        _pair(f"{work}: search, ours by HTTP, p50", ours.found.ms, theirs.found.ms, "ms", name)
        _pair(
            f"{work}: search, ours by HTTP, p95",
            report.p95s(ours.found.ms),
            report.p95s(theirs.found.ms),
            "ms",
            name,
        )
        _pair(f"{work}: memory (PSS)", ours.memory, theirs.memory, "MB", name)
    for part, samples in (("p50", contract), ("p95", report.p95s(contract))):
        report.row(f"{work}: search at the contract, {part}", float(np.median(samples)), "ms", samples=samples)


def _pair(work: str, ours: Sequence[float], theirs: Sequence[float], unit: str, name: str) -> None:
    report.row(
        work, float(np.median(ours)), unit, beside=name, baseline=float(np.median(theirs)),
        samples=ours, baseline_samples=theirs,
    )  # fmt: skip


def _scores(questions: Sequence[judged.Question], found: Sequence[list[str]]) -> dict[str, list[float]]:
    """Of each query, all rounds of it (which agree, or nearly so, with approximate engines)."""
    again = list(questions) * (len(found) // len(questions))
    pairs = list(zip(again, found, strict=True))
    return {
        "nDCG@10": [judged.ndcg(documents, question.relevant) for question, documents in pairs],
        "recall@10": [judged.recall(documents, question.relevant) for question, documents in pairs],
    }


if __name__ == "__main__":
    main()
