"""Q5: does Muniment know when it has no answer (xquad_abstain)? And the constants of its evidence, fitted again.

    python -m bench.abstention

Everything goes through the real rooms: the paragraphs are ingested, each question is searched, weighed and asked.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bench import evaldata, report
from bench.fitting import auc, by_groups, logistic
from bench.house import admin, collection, house, ingest

from muniment.documents.contract import NewDocument, Options
from muniment.kernel.caller import calling_as
from muniment.knowledge.contract import Answer, Ask, Knowledge
from muniment.knowledge.evidence import LEAST, covered, evidence, held, strength
from muniment.retrieval.contract import Hits, Retrieval, Search, Weigh, Weights

SET = "xquad_abstain"
HITS = 12


class Asked(NamedTuple):
    """A question of the set and what the rooms made of it."""

    question: dict[str, Any]
    hits: Hits
    weights: Weights
    answer: Answer

    @property
    def article(self) -> str:
        """Folds are cut by article, so that no paragraph is on both sides."""
        paragraph = self.question.get("paragraph") or self.question["removed_paragraph"]
        return str(paragraph).split("-", maxsplit=1)[0]

    @property
    def holds(self) -> bool:
        """Whether a sentence of the answer holds the answer's words."""
        return any(words.lower() in self.answer.answer.lower() for words in self.question["answers"])


def main() -> None:
    """Measure."""
    report.header()
    with tempfile.TemporaryDirectory() as work:
        show(asyncio.run(ask(Path(work))))


async def ask(data: Path) -> list[Asked]:
    """All questions."""
    documents = [
        NewDocument(content=d.text, name=f"{d.id}.txt", options=Options(title=d.title))
        for d in evaldata.documents(SET)
    ]
    found = []
    async with house(data) as opened:
        await collection(opened, "paragraphs")
        await ingest(opened, "paragraphs", documents)
        retrieval, knowledge = await opened.get(Retrieval), await opened.get(Knowledge)
        with calling_as(await admin(opened)):
            for question in evaldata.lines(f"{SET}/queries"):
                text = question["text"]
                hits = await retrieval.search(Search(query=text, limit=HITS))
                weights = await retrieval.weigh(Weigh(text=text))
                found.append(Asked(question, hits, weights, await knowledge.ask(Ask(question=text))))
    return found


def show(found: list[Asked]) -> None:
    """Print the rows."""
    answerable = np.array([a.question["answerable"] for a in found])
    ours = np.array([evidence(a.question["text"], a.hits.hits, a.weights) for a in found])
    dense = np.array([max(hit.scores.dense or 0 for hit in a.hits.hits) for a in found])
    fused = np.array([a.hits.hits[0].score for a in found])
    abstained = np.array([a.answer.abstained for a in found])
    report.row("Q5 abstention, AUC", auc(answerable, ours), "", beside="cosine", baseline=auc(answerable, dense),
               limit="> 0.93", best_fused_score=round(auc(answerable, fused), 3))  # fmt: skip
    report.row("Q5 answerable questions refused", float(abstained[answerable].mean()), "", limit="<= 0.05")
    report.row("Q5 unanswerable questions refused", float(abstained[~answerable].mean()), "")
    right = [a.holds for a in found if a.question["answerable"]]
    report.row("Q5 answerable questions whose quotes hold the answer", float(np.mean(right)), "")
    took = sorted(a.answer.took_ms for a in found)
    report.row("an extractive answer (p50)", took[len(took) // 2], "ms", p95=took[int(len(took) * 0.95)])
    features = np.array([_best(a) for a in found])
    scores, thresholds = by_groups(features, answerable, [a.article for a in found])
    weights = logistic(features, answerable)
    report.row(
        "Q5 fitted again, cross-validated by article, AUC",
        auc(answerable, scores),
        "",
        refused_of_answerable=round(float((scores < thresholds)[answerable].mean()), 3),
        refused_of_unanswerable=round(float((scores < thresholds)[~answerable].mean()), 3),
        dense_covered_bias=[round(float(w), 2) for w in weights],
        least_now=LEAST,
    )


def _best(asked: Asked) -> tuple[float, float]:
    """Cosine and coverage of the passage that decides."""
    weights = asked.weights.weights
    pairs = [(hit.scores.dense or 0.0, covered(weights, held(hit, None))) for hit in asked.hits.hits]
    return max(pairs, key=lambda pair: strength(*pair))


if __name__ == "__main__":
    main()
