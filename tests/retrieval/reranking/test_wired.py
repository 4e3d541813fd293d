"""A search whose hits a reranker judges, through the room."""

from collections.abc import Sequence

import pytest

from muniment.kernel.problems import Problem
from muniment.kernel.settings import SettingsUnfit
from muniment.models.contract import ModelBroken
from muniment.retrieval.build import RetrievalSettings, build
from muniment.retrieval.reranking.judging import Judging
from muniment.retrieval.reranking.reranker import RerankerDown
from retrieval.test_service import Engine, OneVector, Reader, Shelves, number, room, search


class Backwards:
    """Likes best what came last; the first, where it is told to, not at all."""

    name, candidates = "backwards", 20

    def __init__(self, problem: Problem | None = None) -> None:
        self.problem, self.asked = problem, list[int]()

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        assert query == "leases"
        self.asked.append(len(passages))
        if self.problem:
            raise self.problem
        return [place / len(passages) for place in range(len(passages))]


async def test_a_reranker_judges_more_hits_than_are_wanted() -> None:
    reranker = Backwards()
    plain = await search(room()[0], limit=20)
    judged = await search(room(judging=Judging(reranker, 5))[0], limit=5)
    assert reranker.asked == [20]
    assert [h.chunk.id for h in judged.hits] == [h.chunk.id for h in plain.hits[::-1][:5]]
    assert [h.scores.rerank for h in judged.hits] == [19 / 20, 18 / 20, 17 / 20, 16 / 20, 15 / 20]
    assert [h.score for h in judged.hits] == sorted((h.score for h in judged.hits), reverse=True)
    assert judged.degraded == ()
    assert "rerank" in judged.timings


async def test_only_what_the_caller_may_read_is_shown_to_it() -> None:
    reranker = Backwards()
    stale = set(range(4, 30))
    found = await search(room(reader=Reader(stale), judging=Judging(reranker, 5))[0])
    assert {number(h.chunk.id) for h in found.hits} == {0, 1, 2, 3}
    assert reranker.asked == [4]


async def test_one_that_fails_leaves_the_order_and_is_asked_again_next_time() -> None:
    reranker = Backwards(RerankerDown("gone"))
    plain = await search(room()[0])
    service, _ = room(judging=Judging(reranker, 5, clock=iter(range(0, 1000, 100)).__next__), cache_bytes=1 << 20)
    found = await search(service)
    assert (found.hits, found.degraded) == (plain.hits, ("rerank",))
    reranker.problem = None
    assert (await search(service)).degraded == (), "what is degraded is not kept"


async def test_a_broken_embedding_model_leaves_the_words() -> None:
    found = await search(room(embedding=OneVector(ModelBroken("NaN")))[0])
    assert found.degraded == ("dense",)
    assert found.hits
    with pytest.raises(ModelBroken):
        await search(room(embedding=OneVector(ModelBroken("NaN")))[0], mode="dense")


async def test_settings_choose_the_reranker() -> None:
    neighbours = (Shelves(), Reader(), OneVector(), Engine())

    async def opened(**given: object) -> None:
        async with build(RetrievalSettings.model_validate(given), *neighbours):  # type: ignore[arg-type]
            pass

    await opened()
    await opened(reranker="cross-encoder", rerank_model="judge")
    await opened(reranker="http", rerank_url="http://127.0.0.1:1", rerank_style="tei")
    for wrong in ({"reranker": "cross-encoder"}, {"reranker": "http"}):
        with pytest.raises(SettingsUnfit, match=r"retrieval\.rerank_"):
            await opened(**wrong)
