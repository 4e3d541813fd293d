"""A reranker's order, and what is left when it fails or is late."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.embedding.contract import Rerank, Reranked
from muniment.kernel.problems import Problem
from muniment.models.contract import ModelBroken
from muniment.retrieval.contract import Explanation, Hit, Part
from muniment.retrieval.reranking.cross_encoder import CrossEncoder
from muniment.retrieval.reranking.judging import Judging, in_unit, passage_of, reordered
from muniment.retrieval.reranking.reranker import RerankerDown

DOCUMENT = {
    "id": "doc_1",
    "key": "k",
    "collection": "c",
    "type": "Page",
    "version": 1,
    "source_url": None,
    "metadata": {},
}
PARENT = {"text": "text", "span": {"start": 0, "end": 4}}


def hit(number: int) -> Hit:
    """Only what judging reads of a hit is filled."""
    return Hit.model_validate(
        {
            "document": {**DOCUMENT, "title": "Handbook"},
            "chunk": {
                "id": f"chk_{number}",
                "text": f"text {number}",
                "span": {"start": 0, "end": 6},
                "page": None,
                "section": ("Vault", "Leases"),
                "kind": "body",
            },
            "parent": PARENT,
            "score": 1 - number / 100,
            "scores": {"dense": 0.5},
        }
    )


class Fixed:
    """Gives the scores that it was made with, or raises them."""

    name, candidates = "fixed", 3

    def __init__(self, *answers: Sequence[float] | Problem) -> None:
        self.answers, self.asked = list(answers), list[tuple[str, ...]]()

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        self.asked.append((query, *passages))
        answer = self.answers.pop(0)
        if isinstance(answer, Problem):
            raise answer
        return list(answer)


def ids(hits: Sequence[Hit]) -> list[str]:
    return [h.chunk.id for h in hits]


HITS = [0, 1, 2, 3, 4]


async def test_the_best_are_put_into_the_rerankers_order() -> None:
    reranker, degraded = Fixed([0.2, 0.9, 0.5]), list[str]()
    hits = [hit(n) for n in HITS]
    found = await Judging(reranker, 5).judged("who", hits, degraded)
    assert ids(found) == ["chk_1", "chk_2", "chk_0", "chk_3", "chk_4"]
    assert [h.scores.rerank for h in found] == [0.9, 0.5, 0.2, None, None]
    assert [h.score for h in found] == [0.9, 0.5, 0.2, 0.2, 0.2]
    assert found[0].scores.dense == 0.5
    assert degraded == []
    assert reranker.asked == [("who", *(passage_of(h) for h in hits[:3]))]
    assert passage_of(hits[0]) == "Handbook > Vault > Leases\ntext 0"
    assert await Judging(reranker, 5).judged("who", [], degraded) == []


async def test_who_asked_to_explain_is_told_who_decided() -> None:
    told = Explanation(says="It means the same.", parts=(Part(signal="dense", value=0.5, adds=0.5, says="near"),))
    hits = [hit(n).model_copy(update={"explanation": told}) for n in range(4)]
    found = await Judging(Fixed([0.2, 0.9, 0.5]), 5).judged("who", hits, [])
    best, last = found[0].explanation, found[3].explanation
    assert best is not None
    assert best.says == "The reranker gave it 0.9, which decides its place. Before that: It means the same."
    assert [(part.signal, part.value) for part in best.parts] == [("dense", 0.5), ("rerank", 0.9)]
    assert last == told


@pytest.mark.parametrize(
    "answer", [RerankerDown("gone"), ModelBroken("NaN"), [1.0], [0.1, float("nan"), 0.2]], ids=str
)
async def test_a_failure_leaves_the_order_and_rests(answer: Sequence[float] | Problem) -> None:
    now = [100.0]
    reranker = Fixed(answer, [0.1, 0.2, 0.3])
    judging, hits = Judging(reranker, 5, clock=lambda: now[0]), [hit(n) for n in HITS]
    for _ in range(3):
        degraded: list[str] = []
        assert await judging.judged("who", hits, degraded) == hits
        assert degraded == ["rerank"]
    assert len(reranker.asked) == 1, "who failed is left alone for a while"
    now[0] += 6
    degraded = []
    assert ids(await judging.judged("who", hits, degraded))[0] == "chk_2"
    assert degraded == []


async def test_a_late_reranker_is_not_waited_for() -> None:
    class Late(Fixed):
        async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
            await asyncio.Event().wait()
            return await super().rerank(query, passages)

    degraded: list[str] = []
    hits = [hit(n) for n in HITS]
    assert await Judging(Late(), 0.05).judged("who", hits, degraded) == hits
    assert degraded == ["rerank"]


async def test_a_cross_encoder_asks_the_embedding_room() -> None:
    class Room:
        async def rerank(self, request: Rerank) -> Reranked:
            assert (request.model, request.query) == ("judge", "who")
            return Reranked(scores=tuple(float(len(p)) for p in request.passages), tokens=1)

    encoder = CrossEncoder(Room(), "judge", 30)  # type: ignore[arg-type]  # the one operation that it asks
    assert await encoder.rerank("who", ["a", "abc"]) == [1, 3]


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=6))
def test_any_scores_order_and_stay_within_the_unit(scores: list[float]) -> None:
    shown = in_unit(scores)
    assert all(0 <= s <= 1 for s in shown)
    found = reordered([hit(n) for n in range(8)], scores)
    own = [h.scores.rerank for h in found[: len(scores)]]
    assert own == sorted(scores, reverse=True)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    assert ids(found[len(scores) :]) == [f"chk_{n}" for n in range(len(scores), 8)]
