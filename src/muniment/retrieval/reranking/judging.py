"""The last look at what a search found: a reranker's order in time, or the order that there was."""

import math
import time
from collections.abc import Callable, Sequence

from prometheus_client import Counter

from muniment.kernel.deadline import deadline
from muniment.kernel.logs import get_logger
from muniment.kernel.problems import Problem
from muniment.retrieval.contract import Explanation, Hit, Part
from muniment.retrieval.reranking.reranker import Reranker, RerankerDown

_log = get_logger(__name__)
_asked = Counter("muniment_retrieval_reranked", "Searches that a reranker judged, or should have.", ["outcome"])

_REST_SECONDS = 5.0
"""A reranker that failed is left alone so long: else every search would wait for it in vain."""


class Judging:
    """Asks `reranker` about the best hits, for at most `seconds`."""

    def __init__(self, reranker: Reranker, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._reranker, self._seconds, self._clock = reranker, seconds, clock
        self._rests_until = float("-inf")

    @property
    def candidates(self) -> int:
        """How many hits it wants to see."""
        return self._reranker.candidates

    async def judged(self, query: str, hits: Sequence[Hit], degraded: list[str]) -> list[Hit]:
        """The hits in the reranker's order; in theirs, and `degraded` told so, when it fails or is late."""
        best = hits[: self._reranker.candidates]
        if not best:
            return list(hits)
        if self._clock() < self._rests_until:
            degraded.append("rerank")
            _asked.labels("resting").inc()
            return list(hits)
        try:
            async with deadline(self._seconds):
                scores = await self._reranker.rerank(query, [passage_of(hit) for hit in best])
            _require_scores(scores, len(best), self._reranker.name)
        except Problem as problem:
            _log.warning("not reranked", reranker=self._reranker.name, detail=problem.detail)
            _asked.labels("failed").inc()
            self._rests_until = self._clock() + _REST_SECONDS
            degraded.append("rerank")
            return list(hits)
        _asked.labels("judged").inc()
        return reordered(hits, scores)


def _require_scores(scores: Sequence[float], wanted: int, name: str) -> None:
    """Raises RerankerDown unless there is a number for each passage."""
    if len(scores) != wanted:
        raise RerankerDown(f"the reranker {name} gave {len(scores)} scores for {wanted} passages")
    if not all(math.isfinite(score) for score in scores):
        raise RerankerDown(f"the reranker {name} gave a score that is no number")


def passage_of(hit: Hit) -> str:
    """What the reranker reads of a hit: its words, under what they stand."""
    above = " > ".join((hit.document.title, *hit.chunk.section))
    return "\n".join(part for part in (above, hit.chunk.header, hit.chunk.text) if part)


def reordered(hits: Sequence[Hit], scores: Sequence[float]) -> list[Hit]:
    """The first hits by `scores`, the others behind them as they were; equal scores keep their order."""
    shown = in_unit(scores)
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    judged = [_judged_hit(hits[place], scores[place], shown[place]) for place in order]
    least = min(shown, default=1.0)
    rest = [hit.model_copy(update={"score": min(hit.score, least)}) for hit in hits[len(scores) :]]
    return [*judged, *rest]


def _judged_hit(hit: Hit, score: float, shown: float) -> Hit:
    told = hit.explanation
    if told is not None:
        says = f"The reranker gave it {score:.3g}, which decides its place."
        part = Part(signal="rerank", value=score, adds=shown, says=says)
        told = Explanation(says=f"{says} Before that: {told.says}", parts=(*told.parts, part))
    scores = hit.scores.model_copy(update={"rerank": score})
    return hit.model_copy(update={"score": shown, "scores": scores, "explanation": told})


def in_unit(scores: Sequence[float]) -> list[float]:
    """The scores within [0, 1], in the same order: as they are where they fit, else by the logistic curve."""
    if all(0 <= score <= 1 for score in scores):
        return list(scores)
    return [1 / (1 + math.exp(-max(-500.0, min(500.0, score)))) for score in scores]
