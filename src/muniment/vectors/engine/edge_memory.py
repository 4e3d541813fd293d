"""What is remembered of an index between questions, until a write makes it untrue."""

from collections.abc import Collection, Iterable
from uuid import UUID

from qdrant_edge import CountRequest, EdgeShard, HasIdCondition, ScrollRequest
from qdrant_edge import Filter as EdgeFilter

from muniment.vectors.contract import Filter
from muniment.vectors.engine.edge_config import DENSE_SEARCH, EXACT_SEARCH
from muniment.vectors.engine.edge_filter import edge_filter

_CORPUS_POINTS = 2048
"""IDF then tells what one point in 2,000 holds from what none does; all points, exactly, where they are fewer."""

_CORPUS_POINTS_OF_GRAMS = 1024
"""There are many of them and none is rare, so that fewer points tell as much and cost less."""

_FEW_POINTS = 256
"""So few are named one by one: a field without an index would be read from every point's payload."""

_COMPARED_POINTS = 30_000
"""So many are compared one by one, 0.3 ms for a thousand: a graph that is filtered this far takes longer."""

_MOST_CORPORA = 128
_MOST_DOCUMENTS = 100_000


class Corpus:
    """The points over which IDF is taken for a filter: the first that it lets through in the order of their ids.

    Ids are hashes, so these are a fair sample; and what is hidden has no part in it: an index of the visible
    points alone has the same. The engine itself goes through all that a filter lets through, point by point, for
    every batch: 7 ms at 100,000 points, 70 where the filter has two conditions; over a list of ids it takes 1.
    `allowed` is what lets the same points through as the filter, `near` how the nearest of them are looked for.
    """

    def __init__(self, shard: EdgeShard, condition: Filter) -> None:
        found, more = shard.scroll(
            ScrollRequest(limit=_CORPUS_POINTS, filter=edge_filter(condition), with_payload=False)
        )
        ids = [record.id for record in found if isinstance(record.id, UUID)]
        self.ids = frozenset(ids)
        self.whole = more is None
        self.words = EdgeFilter(must=[HasIdCondition(set(ids))])
        self.grams = EdgeFilter(must=[HasIdCondition(set(ids[:_CORPUS_POINTS_OF_GRAMS]))])
        self.near = EXACT_SEARCH if self._is_small(shard, condition) else DENSE_SEARCH
        self.allowed = self.words if self.whole and len(ids) <= _FEW_POINTS else edge_filter(condition)

    def _is_small(self, shard: EdgeShard, condition: Filter) -> bool:
        counted = CountRequest(exact=False, filter=edge_filter(condition))
        return self.whole or shard.count(counted) <= _COMPARED_POINTS


class Memory:
    """Corpora by filter, and which document a point belongs to."""

    def __init__(self) -> None:
        self._corpora: dict[Filter, Corpus] = {}
        self._documents: dict[UUID, str] = {}
        self._written = 0

    def clear(self) -> None:
        """After writes that nobody counted."""
        self._corpora.clear()
        self._documents.clear()

    def written(self, ids: Collection[UUID]) -> None:
        """After every write: what it may have changed is forgotten; a sample lasts until many points have come."""
        self._written += len(ids)
        if self._written > _CORPUS_POINTS:
            self._corpora.clear()
            self._written = 0
        self._corpora = {
            condition: corpus
            for condition, corpus in self._corpora.items()
            if not corpus.whole and corpus.ids.isdisjoint(ids)
        }
        for point in ids:
            self._documents.pop(point, None)

    def corpus(self, shard: EdgeShard, condition: Filter) -> Corpus:
        """The corpus of a filter."""
        known = self._corpora.get(condition)
        if known is None:
            if len(self._corpora) >= _MOST_CORPORA:
                self._corpora.clear()
            known = self._corpora[condition] = Corpus(shard, condition)
        return known

    def documents(self, shard: EdgeShard, ids: Iterable[UUID]) -> list[str]:
        """Each point's document; a payload is slow to read."""
        asked = list(ids)
        unknown = [point for point in asked if point not in self._documents]
        if len(self._documents) + len(unknown) > _MOST_DOCUMENTS:
            self._documents.clear()
            unknown = asked
        for record in shard.retrieve(list(unknown), ["document"], False) if unknown else ():
            assert isinstance(record.id, UUID)
            assert record.payload is not None
            self._documents[record.id] = record.payload["document"]
        return [self._documents[point] for point in asked]
