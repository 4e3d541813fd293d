"""What is remembered of an index between questions, until a write makes it untrue."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import CountRequest, EdgeShard, FieldCondition, HasIdCondition, ScrollRequest, SparseVector
from qdrant_edge import Filter as EdgeFilter

from muniment.vectors import bm25
from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import Filter
from muniment.vectors.engine.edge_config import OF_NOTHING_IDF
from muniment.vectors.engine.edge_filter import edge_filter
from muniment.vectors.engine.edge_point import named, uuid
from muniment.vectors.engine.engine import KEYWORDS, Home

TermIds = NDArray[np.uint32]

_SAMPLE_POINTS = 1024
"""IDF then tells what one point in 1,000 holds from what none does; all points, exactly, where they are fewer."""

_FEW_POINTS = 256
"""So few are named one by one: a field without an index would be read from every point's payload."""

_COMPARED_POINTS = 5_000
"""So many are compared one by one by their originals, which is exact and takes 2 ms."""

_LOOKED_AT = 200_000
"""So many points are looked at for one that a condition hides: 6 to 30 ms, once, for 4 less in every search."""

_MOST_CORPORA = 64
_MOST_TERMS_OF = 8 * _SAMPLE_POINTS
_MOST_HOMES = 100_000
"""12 MB of documents of ten chunks."""


class Corpus:
    """The points over which IDF is taken for a filter: the first that it lets through in the order of their ids.

    Ids are hashes, so these are a fair sample; and what is hidden has no part in it: an index of the visible
    points alone has the same. The engine itself would go through them anew for every query, 2 to 6 ms each; here
    they are a table, made once. `allowed` lets the same points through as the filter, without what hides none of
    them: to look at each point's readers all the same takes a third of a search. `few` are compared one by one.
    """

    def __init__(
        self, shard: EdgeShard, visible: EdgeFilter, ids: Sequence[UUID], terms: Sequence[TermIds]
    ) -> None:
        self.ids = frozenset(ids)
        self.whole = len(ids) < _SAMPLE_POINTS
        held = np.concatenate(terms) if terms else np.empty(0, np.uint32)
        self._terms, counts = np.unique(held, return_counts=True)
        self._holders = counts.astype(np.uint16)
        named = self.whole and len(ids) <= _FEW_POINTS
        counted = shard.count(CountRequest(exact=False, filter=visible))
        self.few = self.whole or counted <= _COMPARED_POINTS
        self._visible = visible
        self._kept = list(visible.must or ())
        self.allowed: EdgeFilter | None = EdgeFilter(must=[HasIdCondition(set(ids))]) if named else visible
        self._loosened = False
        self._unseen: set[UUID] = set()
        if not self.few:
            self._loosen(shard)

    def _loosen(self, shard: EdgeShard) -> None:
        """Leave out conditions that hide nothing of what the others let through; who may read goes last."""
        indexed = shard.info().payload_schema
        if any(not isinstance(part, FieldCondition) or part.key not in indexed for part in self._kept):
            return  # every point's payload would be read
        for condition in reversed(self._kept):
            others = [other for other in self._kept if other is not condition]
            most = shard.count(CountRequest(exact=False, filter=EdgeFilter(must=others)))
            if most <= _LOOKED_AT and not _any(shard, EdgeFilter(must=others, must_not=[condition])):
                self._kept, self._loosened = others, True
        if self._loosened:
            self.allowed = EdgeFilter(must=self._kept) if self._kept else None

    def touched(self, ids: Iterable[UUID]) -> None:
        """These were written: what was left out may hide them."""
        if self._loosened:
            self._unseen.update(ids)

    def see(self, shard: EdgeShard) -> None:
        """Look at what was written since."""
        if self._unseen:
            written = HasIdCondition(set(self._unseen))
            if _any(shard, EdgeFilter(must=[written, *self._kept], must_not=[self._visible])):
                self.allowed, self._loosened = self._visible, False
            self._unseen = set()

    def holders(self, term_ids: TermIds) -> NDArray[np.int64]:
        """How many points of the sample hold each term."""
        if not len(self._terms):
            return np.zeros(len(term_ids), np.int64)
        places = np.minimum(np.searchsorted(self._terms, term_ids), len(self._terms) - 1)
        return np.where(self._terms[places] == term_ids, self._holders[places], 0).astype(np.int64)

    def query(self, keywords: Keywords) -> SparseVector:
        """What to ask with `PLAIN_SEARCH`, so that scores are BM25 with the sample's IDF."""
        weights = keywords.values * bm25.idfs(len(self.ids), self.holders(keywords.indices)) / OF_NOTHING_IDF
        return SparseVector(indices=keywords.indices.tolist(), values=weights.tolist())


def _any(shard: EdgeShard, condition: EdgeFilter) -> bool:
    return bool(shard.scroll(ScrollRequest(limit=1, filter=condition, with_payload=False))[0])


class Memory:
    """Corpora by filter, the terms of their points, and where a point is from."""

    def __init__(self, *, numbers: bool = False) -> None:
        """Of a shard that has the `numbers` of its points' readers, or not."""
        self._numbers = numbers
        self._corpora: dict[Filter, Corpus] = {}
        self._terms: dict[UUID, TermIds] = {}
        self._homes: dict[int, Home] = {}
        self._shared: dict[Home, Home] = {}
        self._written = 0

    def clear(self) -> None:
        """After writes that nobody counted."""
        self._corpora.clear()
        self._terms.clear()
        self._homes.clear()
        self._shared.clear()

    def written(self, ids: Collection[UUID]) -> None:
        """After every write: what it may have changed is forgotten; a sample lasts until many points have come."""
        self._written += len(ids)
        if self._written > _SAMPLE_POINTS:
            self._corpora.clear()
            self._written = 0
        self._corpora = {
            condition: corpus
            for condition, corpus in self._corpora.items()
            if not corpus.whole and corpus.ids.isdisjoint(ids)
        }
        for corpus in self._corpora.values():
            corpus.touched(ids)
        for point in ids:
            self._homes.pop(point.int, None)
            self._terms.pop(point, None)

    def corpus(self, shard: EdgeShard, condition: Filter) -> Corpus:
        """The corpus of a filter."""
        known = self._corpora.get(condition)
        if known is None:
            if len(self._corpora) >= _MOST_CORPORA:
                self._corpora.clear()
            visible = edge_filter(condition, numbers=self._numbers)
            request = ScrollRequest(limit=_SAMPLE_POINTS, filter=visible, with_payload=False)
            ids = [uuid(record.id) for record in shard.scroll(request)[0]]
            known = self._corpora[condition] = Corpus(shard, visible, ids, self._terms_of(shard, ids))
        known.see(shard)
        return known

    def _terms_of(self, shard: EdgeShard, ids: Sequence[UUID]) -> list[TermIds]:
        """The terms that each point holds: filters share most of their samples, and 1,000 points take 25 ms."""
        unknown: Sequence[UUID] = [point for point in ids if point not in self._terms]
        if len(self._terms) + len(unknown) > _MOST_TERMS_OF:
            self._terms.clear()
            unknown = ids
        for record in shard.retrieve(list(unknown), False, [KEYWORDS]) if unknown else ():
            self._terms[uuid(record.id)] = np.array(named(record.vector, KEYWORDS).indices, np.uint32)
        return [self._terms[point] for point in ids]

    def homes(self, shard: EdgeShard, ids: Iterable[UUID]) -> list[Home]:
        """Where each point is from; a payload is slow to read."""
        asked = list(ids)
        unknown = [point for point in asked if point.int not in self._homes]
        if max(len(self._homes), len(self._shared)) + len(unknown) > _MOST_HOMES:
            self._homes.clear()
            self._shared.clear()
            unknown = asked
        for record in shard.retrieve(list(unknown), list(Home._fields), False) if unknown else ():
            assert record.payload is not None
            home = Home(**{name: record.payload[name] for name in Home._fields})
            self._homes[uuid(record.id).int] = self._shared.setdefault(home, home)
        return [self._homes[point.int] for point in asked]
