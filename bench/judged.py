"""What benches of retrieval share: judged questions of a set, and how good a list of documents is."""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench import evaldata

from muniment.sdk.measures import difference, scores

TOP = 10


class Question(NamedTuple):
    """What is asked, and how relevant which documents are."""

    text: str
    relevant: Mapping[str, float]


def questions(folder: str, most: int, *, there: set[str] | None = None, file: str = "queries") -> list[Question]:
    """The judged questions whose relevant documents are all `there`; no more than `most`, of a fixed draw."""
    judged = evaldata.judgements(folder)
    known = [
        Question(line["text"], relevant)
        for line in evaldata.lines(f"{folder}/{file}")
        if (relevant := judged.get(line["_id"])) and (there is None or relevant.keys() <= there)
    ]
    return known if len(known) <= most else random.Random(0).sample(known, most)


def needed_first(folder: str, most: int) -> list[evaldata.Document]:
    """The first so many documents of a set, those that a question needs before the others."""
    relevant = {document for scores in evaldata.judgements(folder).values() for document in scores}
    documents = evaldata.documents(folder)
    return sorted(documents, key=lambda document: document.id not in relevant)[:most]


def ndcg(found: Sequence[str], relevant: Mapping[str, float]) -> float:
    """nDCG@10, as `muniment eval` has it."""
    return scores(found, relevant, TOP).ndcg


def recall(found: Sequence[str], relevant: Mapping[str, float]) -> float:
    """The share of the relevant documents among the first ten."""
    return scores(found, relevant, TOP).recall


def interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean difference, by the paired bootstrap."""
    found = difference(theirs, ours)
    return found.low, found.high
