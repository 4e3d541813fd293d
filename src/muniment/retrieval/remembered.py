"""What was found before, for when the engine is down: places only, whose texts are read anew."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from muniment.documents.contract import Documents, Hydrate, Passage
from muniment.retrieval.contract import Hit, Hits, Scores
from muniment.retrieval.kept import Question, weight_of_question
from muniment.retrieval.parents import CommonParents

_PLACE_BYTES = 400


class _Place(NamedTuple):
    chunk: str
    score: float
    scores: Scores


class _Order(NamedTuple):
    places: tuple[_Place, ...]
    corrected: str | None
    size: int


class Remembered:
    """The last order of hits by question and entitlement, the latest up to `most_bytes`; no write empties it.

    It holds no text, and shows nothing by itself: what the caller may no longer read is not read for them.
    """

    def __init__(self, documents: Documents, most_bytes: int) -> None:
        self._documents, self._most_bytes = documents, most_bytes
        self._orders: OrderedDict[Question, _Order] = OrderedDict()
        self._bytes = 0

    def put(self, question: Question, found: Hits) -> None:
        """Remember what was found last."""
        size = weight_of_question(question) + _PLACE_BYTES * len(found.hits)
        if not found.hits or size > self._most_bytes:
            return
        if known := self._orders.pop(question, None):
            self._bytes -= known.size
        places = tuple(_Place(hit.chunk.id, hit.score, hit.scores) for hit in found.hits)
        self._orders[question] = _Order(places, found.corrected, size)
        self._bytes += size
        while self._bytes > self._most_bytes:
            _, gone = self._orders.popitem(last=False)
            self._bytes -= gone.size

    async def answer(self, question: Question) -> Hits | None:
        """What is still current of what was found last, as the caller may read it now; None for nothing."""
        order = self._orders.get(question)
        if order is None:
            return None
        asked = Hydrate(chunks=tuple(place.chunk for place in order.places))
        hits = _hits(order.places, (await self._documents.hydrate(asked)).passages)
        return Hits(hits=tuple(hits), took_ms=0, corrected=order.corrected, degraded=("cache",)) if hits else None


def _hits(places: Sequence[_Place], read: dict[str, Passage]) -> list[Hit]:
    parents = CommonParents()
    return [
        Hit(
            document=read[place.chunk].document,
            chunk=read[place.chunk].chunk,
            parent=parents.of(read[place.chunk]),
            score=place.score,
            scores=place.scores,
        )
        for place in places
        if place.chunk in read
    ]
